"""Many clients at once: HTTP/1.1 over asyncio, in which every byte of an answer is looked at."""

import asyncio
import dataclasses
import json
import time

from served import check


@dataclasses.dataclass
class Reply:
    """A whole response, and the seconds from the first byte sent to the last one received."""

    status: int
    headers: dict
    body: bytes
    seconds: float

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


async def connect(server):
    if server.unix:
        return await asyncio.open_unix_connection(server.unix, limit=1 << 24)
    return await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 24)


def request_bytes(path, body=None, key=None, more=""):
    """A GET without a body, else a POST of it as JSON; bytes are sent as they are."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n{more}"
    if key:
        head += f"Authorization: Bearer {key}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


async def read_head(reader):
    """-> status, headers with names in small letters."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:-2]:
        name, value = line.split(": ", 1)
        check(name.lower() not in headers, f"twice in the header: {name}")
        headers[name.lower()] = value
    return int(lines[0].split(" ")[1]), headers


async def chunks(reader, headers):
    """The body, as it comes. A body that is cut short is an error (asyncio's)."""
    if headers.get("transfer-encoding") != "chunked":
        yield await reader.readexactly(int(headers.get("content-length", 0)))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = await reader.readexactly(size + 2)
        check(data.endswith(b"\r\n"), "a chunk without an end")
        yield data[:-2]
    check(await reader.readexactly(2) == b"\r\n", "trailers")


async def exchange(reader, writer, data):
    """Sends a request on an open connection; -> Reply."""
    began = time.monotonic()
    writer.write(data)
    status, headers = await read_head(reader)
    body = b"".join([chunk async for chunk in chunks(reader, headers)])
    return Reply(status, headers, body, time.monotonic() - began)


async def call(server, path, body=None, key=None):
    """-> Reply, on a connection of its own."""
    began = time.monotonic()
    reader, writer = await connect(server)
    try:
        reply = await exchange(reader, writer, request_bytes(path, body, key))
    finally:
        writer.transport.abort()
    return dataclasses.replace(reply, seconds=time.monotonic() - began)


async def events(reader, headers):
    """The data of each event, as it comes; each is valid UTF-8. Comments are left out."""
    held = b""
    async for chunk in chunks(reader, headers):
        held += chunk
        *whole, held = held.split(b"\n\n")
        for event in whole:
            text = event.decode("utf-8")
            if text.startswith("data: "):
                yield text[6:]
            else:
                check(text.startswith(":"), f"neither data nor a comment: {text!r}")
    check(not held, f"the stream ended within an event: {held!r}")


class Gathered:
    """What a client gets of one request, the same whether it was streamed or not: of each choice
    the text, thinking, token ids, tool calls, log-probabilities and the end; and the tokens."""

    def __init__(self):
        self.choices, self.tokens, self.ended = {}, 0, False

    def choice(self, index):
        empty = {"text": "", "thinking": "", "ids": [], "calls": {}, "logprobs": [], "end": None}
        return self.choices.setdefault(index, empty)

    def take(self, piece, part):
        """A chunk or a whole answer; `part` is where a chat has its texts."""
        check("error" not in piece, f"an error: {piece}")
        for one in piece["choices"]:
            choice = self.choice(one["index"])
            check(choice["end"] is None, f"more after the end of a choice: {piece}")
            message = one.get(part, {})
            choice["text"] += one.get("text") or message.get("content") or ""
            choice["thinking"] += message.get("reasoning_content") or ""
            choice["ids"] += one.get("token_ids") or []
            for at, call_ in enumerate(message.get("tool_calls") or []):
                known = choice["calls"].setdefault(call_.get("index", at), ["", ""])
                known[0] += call_["function"].get("name") or ""
                known[1] += call_["function"].get("arguments") or ""
            choice["logprobs"] += logprobs_of(one.get("logprobs"))
            choice["end"] = one["finish_reason"]
        if piece.get("usage"):
            self.tokens = piece["usage"]["completion_tokens"]

    def wanted(self):
        """What has to be equal to what another request got."""
        return self.choices, self.tokens


def logprobs_of(found):
    """The log-probabilities of a chat's choice or of a completion's, without text offsets."""
    if not found:
        return []
    if "content" in found:
        return [json.dumps(item, sort_keys=True) for item in found["content"]]
    rows = zip(found["tokens"], found["token_logprobs"], found["top_logprobs"] or [])
    return [json.dumps(row, sort_keys=True) for row in rows]


async def gather(server, path, body, key=None, leave=None):
    """Asks and looks at everything that comes; -> Gathered. With leave=N the client goes after N
    events (0: before the answer begins): -> None."""
    reader, writer = await connect(server)
    try:
        writer.write(request_bytes(path, body, key))
        if leave == 0:
            await writer.drain()
            return None
        status, headers = await read_head(reader)
        if status != 200 or not body.get("stream"):
            whole = b"".join([chunk async for chunk in chunks(reader, headers)])
            check(status == 200, f"{path}: {status} {whole.decode()}")
            got = Gathered()
            got.take(json.loads(whole), "message")
            return got
        got, count = Gathered(), 0
        async for event in events(reader, headers):
            check(not got.ended, f"more after the end of a stream: {event}")
            got.ended = event == "[DONE]"
            if not got.ended:
                got.take(json.loads(event), "delta")
            count += 1
            if count == leave:
                return None
        check(got.ended, "a stream without its end")
        ends = [choice["end"] for choice in got.choices.values()]
        check(all(ends), f"a choice without its end: {got.choices}")
        return got
    finally:
        writer.transport.abort()


def quantile(values, share):
    """Of a list that need not be sorted; the value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def milliseconds(values):
    """-> "median .. ms, p99 .. ms, longest .. ms"."""
    named = (("median", 0.5), ("p99", 0.99), ("longest", 1))
    return ", ".join(f"{name} {quantile(values, at) * 1000:.1f} ms" for name, at in named)
