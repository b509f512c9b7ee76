"""Good requests of every route, damaged at random: each is answered, never by a failure of the
server, and a good one in between is answered as always."""

import copy
import json
import multiprocessing
import os
import random
import socket
import time

import wire
from bodies import BASES, NUMBERS
from served import CALL, TINY, WEATHER, Failure, check

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}, "b": {
    "type": "array", "items": {"enum": ["x", 1, None]}, "maxItems": 3}}, "required": ["a"]}
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 3,
            "stop": ["q", "zz"],
            "presence_penalty": 0.5, "frequency_penalty": 0.1, "repetition_penalty": 1.1, "n": 1,
            "logit_bias": {"97": 5, "98": -5}, "stop_token_ids": [5], "bad_words": ["xy"],
            "min_tokens": 1, "ignore_eos": False, "priority": 1, "cache_salt": "s", "user": "u",
            "metadata": {"a": "b"}, "return_token_ids": True, "prompt_logprobs": 1}
CHAT = BASES["/v1/chat/completions"]
# What is damaged: (path, body).
SEEDS = [
    ("/v1/chat/completions", {**CHAT, **SAMPLING, "logprobs": True, "top_logprobs": 2}),
    ("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/chat/completions", {
        **CHAT, "tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": False,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "caf\u00e9"}], "name": "me"},
            {"role": "assistant", "content": CALL, "reasoning_content": "so", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get_weather",
                                                              "arguments": '{"city": "Rome"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "22"}]}),
    ("/v1/chat/completions", {**CHAT, "response_format": {
        "type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}}),
    ("/v1/chat/completions", {**CHAT, "structured_outputs": {"regex": "a[bc]{2,5}|d"}}),
    ("/v1/chat/completions", {**CHAT, "structured_outputs": {"grammar": 'root ::= "a" root | "b"'},
                              "thinking_budget": 3, "reasoning_effort": "low",
                              "chat_template_kwargs": {"enable_thinking": False}}),
    ("/v1/completions", {**BASES["/v1/completions"], **SAMPLING, "logprobs": 2, "echo": True}),
    ("/v1/completions", {"model": TINY, "prompt": [[97, 98], [99]], "max_tokens": 1, "best_of": 2,
                         "stream": False, "suffix": None}),
    ("/v1/embeddings", {"model": TINY, "input": ["x", "yz"], "dimensions": 8,
                        "encoding_format": "base64", "instruction": "Find"}),
    ("/v1/rerank", {"model": TINY, "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1,
                    "return_documents": True}),
    ("/tokenize", {"model": TINY, "messages": CHAT["messages"], "add_special_tokens": True,
                   "return_token_strs": True}),
    ("/tokenize", {"model": TINY, "prompt": "x<|im_end|>", "parse_special": True}),
    ("/detokenize", {"model": TINY, "tokens": [97, 98, 256]}),
]
# A number that is allowed but means much work is left out.
VALUES = [json.loads(text) for text in NUMBERS] + [
    "", "x", "\u0000", "\ud800", "\u202e", "\U0001f600" * 5, "a" * 300, "../../etc/passwd", "a.b/c",
    [], {}, [[]], {"": {}}, [None] * 20, {"a": {"b": {"c": [1]}}}, "<|im_end|>", "{{ x }}", 4, 0.25]
GOOD = {"model": TINY, "prompt": "The good one", "max_tokens": 4, "temperature": 0,
        "return_token_ids": True}


def places(value, found):
    """All (container, key) below a value."""
    for key in value if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            places(value[key], found)
    return found


def damage_value(chance, body):
    """Changes one place of a JSON value."""
    spots = places(body, [])
    if not spots:
        return
    holder, key = chance.choice(spots)
    kind = chance.randrange(7)
    if kind <= 2:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    elif kind == 3:
        del holder[key]
    elif kind == 4:
        holder[key] = [copy.deepcopy(holder[key]) for _ in range(chance.choice((0, 1, 3)))]
    elif kind == 5:
        other, at = chance.choice(spots)
        holder[key] = copy.deepcopy(other[at]) if at in other or isinstance(other, list) and \
            at < len(other) else None
    elif isinstance(holder, dict):
        holder[str(chance.choice(VALUES))[:50]] = holder.pop(key)
    else:
        holder.insert(0, copy.deepcopy(holder[key]))


def damage_text(chance, text):
    """Changes bytes."""
    at = chance.randrange(len(text) + 1)
    kind = chance.randrange(6)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + bytes([chance.randrange(256)]) + text[at:]
    if kind == 2:
        return text[:at] + bytes([chance.randrange(256)]) + text[at + 1:]
    if kind == 3:
        return text[:at] + text[max(0, at - chance.randrange(40)):]
    if kind == 4:
        return text[:at] + chance.choice((b"[" * 70, b'{"a":' * 70, b"\xff", b"\xc3", b'"', b"\\u",
                                          b"\\ud800", b"\x00", b"1e999", b"-", b",,")) + text[at:]
    return text[:at] + text[at + chance.randrange(1, 40):]


def mutant(chance):
    """-> path, bytes of a body."""
    path, body = copy.deepcopy(chance.choice(SEEDS))
    if chance.random() < 0.03:
        path = chance.choice(SEEDS)[0]
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        damage_value(chance, body)
    text = json.dumps(body).encode()
    for _ in range(chance.choice((0, 0, 1, 2)) if chance.random() < 0.5 else 0):
        text = damage_text(chance, text)
    return path, text


class Line:
    """One connection that is kept while the server keeps it."""

    def __init__(self, port):
        self.port, self.socket, self.held = port, None, b""

    def ask(self, path, body):
        """-> status, body (of a stream with its chunk sizes), seconds."""
        if self.socket is None:
            self.socket, self.held = socket.create_connection(("127.0.0.1", self.port), 60), b""
        began = time.monotonic()
        self.socket.sendall(wire.request_bytes(path, body))
        head = self.until(b"\r\n\r\n")
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            answer = b""
            while size := int(self.until(b"\r\n"), 16):
                answer += self.exactly(size)
                self.exactly(2)
            self.exactly(2)
        else:
            answer = self.exactly(int(lower.split(b"content-length:")[1].split(b"\r\n")[0]))
        seconds = time.monotonic() - began
        if b"connection: close" in lower:
            self.socket.close()
            self.socket = None
        return int(head.split(b" ")[1]), answer, seconds

    def more(self):
        piece = self.socket.recv(1 << 16)
        check(piece, f"the connection was cut: {self.held[:200]}")
        self.held += piece

    def until(self, end):
        while end not in self.held:
            self.more()
        taken, _, self.held = self.held.partition(end)
        return taken + end

    def exactly(self, count):
        while len(self.held) < count:
            self.more()
        taken, self.held = self.held[:count], self.held[count:]
        return taken


def look(path, body, status, answer):
    """Failure unless the answer is one that a server gives that is in order."""
    shown = f"{path} {body[:2000]!r}: {status} {answer[:500]!r}"
    check(status < 500 or status == 503, shown)
    if status >= 400:
        error = json.loads(answer)["error"]
        check(error["message"] and error["type"] and error["code"], shown)
    else:
        check(b'"error":{' not in answer or b'"code":"no_memory"' in answer, shown)
        answer.decode("utf-8")


def run(port, seed, count, end, wanted):
    """One client; -> counts by status, seconds of the slowest refusals, what was wrong."""
    chance, line, statuses, slow, wrong = random.Random(seed), Line(port), {}, [], []
    for number in range(count):
        if time.monotonic() > end or len(wrong) > 3:
            break
        path, body = mutant(chance)
        try:
            status, answer, seconds = line.ask(path, body)
            look(path, body, status, answer)
            if status >= 400:
                slow = sorted([(seconds, f"{path} {body[:200]!r}"), *slow], reverse=True)[:3]
            if number % 200 == 0:
                good = line.ask("/v1/completions", json.dumps(GOOD).encode())[1]
                check(json.loads(good)["choices"] == wanted, f"a good request got {good}")
            statuses[status] = statuses.get(status, 0) + 1
        except Exception as problem:  # pylint: disable=broad-except
            wrong.append(f"seed {seed}, {number}: {path} {body[:1000]!r}: {problem!r}")
            line.socket = None
    return statuses, slow, wrong


def storm(server, count, seconds, clients=2, seed=1):
    """-> counts by status, the slowest refusals. Failure if anything is wrong."""
    wanted = server.ask("/v1/completions", GOOD)["choices"]
    end = time.monotonic() + seconds
    jobs = [(server.port, seed + i, -(-count // clients), end, wanted) for i in range(clients)]
    with multiprocessing.get_context("fork").Pool(clients) as pool:
        results = pool.starmap(run, jobs)
    statuses = {}
    for counted, _, wrong in results:
        check(not wrong, "; ".join(wrong))
        for status, number in counted.items():
            statuses[status] = statuses.get(status, 0) + number
    check(server.process.poll() is None, f"the server is gone: {server.errors()}")
    check("error" not in server.errors(), server.errors()[:3000])
    check(server.ask("/v1/completions", GOOD)["choices"] == wanted, "another answer afterwards")
    return dict(sorted(statuses.items())), sorted(sum((slow for _, slow, _ in results), []),
                                                  reverse=True)[:3]


def make(work):
    return work.server(work.tiny, "--context", "256", "--parallel", "8", "--queue", "64")


def test_mutants(work):
    seconds = float(os.environ.get("TULOU_TEST_MUTANTS", "45"))
    with make(work) as server:
        statuses, slow = storm(server, 50_000, seconds)
    total = sum(statuses.values())
    if total < 1000:
        raise Failure(f"only {total} requests in {seconds} s")
    return f"ok, {total} requests: {statuses}, the slowest refusal {slow[0][0] * 1000:.0f} ms"


TESTS = [test_mutants]
