"""Odd and malformed bodies: always a clear 4xx with the field's name, never a failure."""

import json
import math

from served import TINY, Failure, check

# JSON texts that stand where a number belongs, at and beyond every border there is.
NUMBERS = ["-1", "0", "0.5", "-0.0", "1.5", "2", "1e300", "-1e300", "1e-300", "2147483648",
           "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
           "18446744073709551616", '"1"', "true", "[]", "[1]", "{}", '""', "null"]
# What is no JSON number at all.
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "01", "+1", ".5", "1.", "0x10", "1_000"]

CHAT = {"model": TINY, "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
BASES = {"/v1/chat/completions": CHAT,
         "/v1/completions": {"model": TINY, "prompt": "x", "max_tokens": 2},
         "/v1/embeddings": {"model": TINY, "input": "x"},
         "/tokenize": {"model": TINY, "prompt": "x"},
         "/detokenize": {"model": TINY, "tokens": [97]}}


def message(**fields):
    return {"messages": [{"role": "user", "content": "x", **fields}]}


def tool(**fields):
    return {"tools": [{"type": "function", "function": {"name": "f", **fields}}]}


# Changes to a good chat body, and the field that the error has to name.
CHATS = [
    ({"messages": None}, "messages"), ({"messages": []}, "messages"),
    ({"messages": "x"}, "messages"), ({"messages": [1]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"), (message(role="king"), "messages[0].role"),
    (message(role=1), "messages[0].role"), (message(content=1), "messages[0].content"),
    (message(content=None), "messages[0].content"),
    (message(content=[{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]),
     "messages[0].content[0].type"),
    (message(content=[{"type": "text"}]), "messages[0].content[0].text"),
    (message(content=[{"text": "x"}]), "messages[0].content[0].type"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
     "messages[0].tool_calls[0].function.name"),
    ({"messages": [{"role": "tool", "content": {}}]}, "messages[0].content"),
    ({"model": 1}, "model"), ({"model": ["a"]}, "model"), ({"stream": "yes"}, "stream"),
    ({"stream": True, "stream_options": []}, "stream_options"),
    ({"stop": 1}, "stop"), ({"stop": [1]}, "stop[0]"), ({"stop": ["x"] * 100_000}, "stop"),
    ({"stop": ["x" * 5000]}, "stop[0]"),
    ({"logit_bias": []}, "logit_bias"), ({"logit_bias": {"a": 1}}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias"), ({"logit_bias": {"1": "1"}}, "logit_bias"),
    ({"logit_bias": {"-1": 1}}, "logit_bias"), ({"logit_bias": {"99999999": 1}}, "logit_bias"),
    ({"logit_bias": {str(i): 1 for i in range(50_000)}}, "logit_bias"),
    ({"logit_bias": {str(i): 1 for i in range(100_000)}}, "logit_bias"),
    ({"stop_token_ids": [1] * 100_000}, "stop_token_ids"),
    ({"bad_words": ["x"] * 100_000}, "bad_words"),
    ({"metadata": {str(i): "x" for i in range(100_000)}}, "metadata"),
    ({"n": 2, "best_of": 1}, "best_of"),
    ({"messages": [{"role": "user", "content": "x"}] * 10_000}, "messages"),
    ({"tools": [{"type": "function", "function": {"name": f"f{i}"}} for i in range(1000)]},
     "tools"),
    ({"metadata": json.loads("[" * 63 + "]" * 63)}, "metadata"),
    ({"tools": {}}, "tools"), ({"tools": [1]}, "tools[0]"),
    ({"tools": [{"type": "web"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    (tool(name=""), "tools[0].function.name"), (tool(name="a b"), "tools[0].function.name"),
    (tool(parameters=1), "tools[0].function.parameters"),
    (tool(strict="x"), "tools[0].function.strict"),
    ({"tool_choice": "required"}, "tool_choice"), ({"tool_choice": "any"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
     "response_format.json_schema.schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "king"}}}},
     "response_format.json_schema.schema"),
    ({"structured_outputs": {}}, "structured_outputs"),
    ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex"),
    ({"structured_outputs": {"grammar": "root ::="}}, "structured_outputs.grammar"),
    ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
    ({"guided_regex": "a", "guided_choice": ["b"]}, None),
    ({"chat_template": "{{ 1 }}"}, "chat_template"),
    ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs.messages"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"), ({"metadata": 1}, "metadata"),
    ({"bad_words": [""]}, "bad_words[0]"), ({"stop_token_ids": ["x"]}, "stop_token_ids[0]"),
]
COMPLETIONS = [
    ({"prompt": None}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": {}}, "prompt"),
    ({"prompt": [1.5]}, "prompt"), ({"prompt": [-1]}, "prompt"), ({"prompt": [99999]}, "prompt"),
    ({"prompt": [[]]}, "prompt"), ({"prompt": [True]}, "prompt"), ({"echo": 1}, "echo"),
    ({"prompt": ["a", "b"], "n": 100}, "n"), ({"prompt": ["a"] * 64, "best_of": 4}, "best_of"),
    ({"prompt": ["a"] * 3000}, "prompt"), ({"prompt": [97] * 600}, None),
    ({"suffix": 1}, "suffix"), ({"suffix": "x"}, "suffix"),  # a model without such tokens
]
TEXTS = [b"", b"{", b"[]", b"1", b"null", b'"x"', b'{"a":1}}', b'{"model":"\xff"}',
         b'{"model":"\\ud800"}', b'{"n":1,"n":2}', b"\xef\xbb\xbf{}", b"{'a':1}", b'{"a":1,}',
         b'{"a":' * 5000, b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", b"\x00", b'{"a":"\x01"}',
         json.dumps({"model": TINY, "messages": [0] * 1_100_000}).encode()]


def look(server, path, body, shown):
    """-> the answer, which is no failure of the server and, when refused, says why in our form."""
    answer = server.call(path, body)
    check(answer.status < 500 or answer.status == 503, f"{shown}: {answer.status} {answer.text}")
    if answer.status >= 400:
        error = answer.error()
        check(error["message"] and error["type"] and error["code"], f"{shown}: {answer.text}")
        slow = answer.seconds
        check(slow < 3, f"{shown}: refused after {slow:.1f} s")
    return answer


def named(param, field):
    return param == field or (param or "").startswith((field + ".", field + "["))


def numeric_fields(server, path):
    """The fields of a request that are numbers, from /openapi.json."""
    document = server.call("/openapi.json").json()
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    schema = schema["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for name, field in schema["properties"].items():
        kinds = field.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        kinds += [k for one in field.get("anyOf", []) for k in [one.get("type")] if k]
        if {"integer", "number"} & set(map(str, kinds)):
            yield name


def test_numbers(server):
    """Every numeric field at every odd value."""
    count, slowest = 0, 0.0
    for path, base in BASES.items():
        for field in numeric_fields(server, path):
            for text in NUMBERS:
                whole = {**base, "logprobs": True} if field == "top_logprobs" else dict(base)
                whole.pop(field, None)
                body = json.dumps(whole)[:-1] + f', "{field}": {text}}}'
                if float_of(text) and field in ("max_tokens", "max_completion_tokens"):
                    body = body[:-1] + ', "stop": ["\\n", "a", "e"]}'
                answer = look(server, path, body.encode(), f"{path} {field}: {text}")
                count += 1
                if answer.status >= 400:
                    slowest = max(slowest, answer.seconds)
                    error = answer.error()
                    wide = error["code"] == "over_budget"
                    check(wide or named(error["param"], field),
                          f"{path} {field}: {text}: names {error['param']}: {answer.text}")
            for text in NO_NUMBERS:
                body = json.dumps(base)[:-1] + f', "{field}": {text}}}'
                answer = look(server, path, body.encode(), f"{path} {field}: {text}")
                check(answer.status == 400, f"{path} {field}: {text}: {answer.status}")
                count += 1
    check(count > 400, f"only {count} bodies: are the numeric fields gone from /openapi.json?")
    return f"ok, {count} bodies, the slowest refusal {slowest * 1000:.0f} ms"


def float_of(text):
    try:
        return math.isfinite(float(text)) and float(text) > 2
    except ValueError:
        return False


def test_fields(server):
    """Wrong types, wrong words and too much of everything: 400 with the field's name."""
    wrong = []
    for path, rows in (("/v1/chat/completions", CHATS), ("/v1/completions", COMPLETIONS)):
        for change, field in rows:
            shown = f"{path} {json.dumps(change)[:80]}"
            try:
                answer = look(server, path, {**BASES[path], **change}, shown)
            except Failure as failure:
                wrong.append(str(failure))
                continue
            right = field is None or named(answer.error()["param"], field)
            if answer.status not in (400, 413) or not right:
                wrong.append(f"{shown}: {answer.status}, not 400 with {field}: {answer.text}")
    check(not wrong, "\n  ".join(["", *wrong]))


def test_texts(server):
    """Bodies that are no JSON object."""
    for body in TEXTS:
        answer = look(server, "/v1/chat/completions", body, f"{body[:40]!r}")
        check(400 <= answer.status < 500, f"{body[:40]!r}: {answer.status}")
    for path in ("/v1/models/..", "/v1/models/%2e%2e", "/v1/../v1/models", "/v1/models/a%2Fb",
                 "/v1/models/" + "a" * 3000, "//v1/models", "/nothing", "/v1/models/..%2f..%2fetc",
                 "/v1/models/tiny/../tiny", "/v1/models/.tiny", "/v1/models/tiny%00"):
        answer = server.call(path)
        check(answer.status in (400, 404), f"{path}: {answer.status}")
    check(server.call("/v1/chat/completions").status == 405, "GET of a POST")
    for name in ("../tiny", "./tiny", "tiny/", "/tiny", "tiny.", "a/b/c", "tiny\u0000", "..", ".",
                 "TINY", "tiny ", "x" * 100_000):
        for path, base in BASES.items():
            answer = look(server, path, {**base, "model": name}, f"{path} {name[:40]!r}")
            check(answer.status in (400, 404) and answer.error()["param"] == "model",
                  f"{path} {name[:40]!r}: {answer.status} {answer.text}")


TESTS = [test_numbers, test_fields, test_texts]
