"""Servers that are killed, ended, and told to read their keys again, in the middle of work."""

import asyncio
import json
import os
import signal
import socket
import time

import wire
from life import key_file, keys
from served import CALL, THINK, TINY, WEATHER, Failure, check

BODY = {"model": TINY, "prompt": "Tell of the river", "max_tokens": 60, "temperature": 0,
        "return_token_ids": True, "ignore_eos": True}
STREAM = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
GONE = (ConnectionError, asyncio.IncompleteReadError)


async def endless(server, wanted, counts, key=None):
    """Asks for streams until the server does not take them any more."""
    while True:
        try:
            reader, writer = await wire.connect(server)
            writer.write(wire.request_bytes("/v1/completions", STREAM, key))
            status, headers = await wire.read_head(reader)
        except GONE:
            counts["turned away"] += 1
            return
        try:
            if status != 200:
                body = b"".join([chunk async for chunk in wire.chunks(reader, headers)])
                check(status == 503 and "retry-after" in headers, f"{status} {body}")
                counts["turned away"] += 1
                return
            got = wire.Gathered()
            async for event in wire.events(reader, headers):
                got.ended = event == "[DONE]"
                if not got.ended:
                    got.take(json.loads(event), "delta")
            check(got.ended and got.wanted() == wanted, f"{got.wanted()}, not {wanted}")
            counts["whole"] += 1
        except GONE + (Failure,) as problem:
            counts["cut"] += 1
            counts["how"] = repr(problem)
            return
        finally:
            writer.transport.abort()


async def under_load(server, streams, after, act):
    """`act` while streams run; -> counts of what became of them."""
    wanted = (await wire.gather(server, "/v1/completions", BODY)).wanted()
    counts = {"whole": 0, "turned away": 0, "cut": 0}
    tasks = [asyncio.create_task(endless(server, wanted, counts)) for _ in range(streams)]
    await asyncio.sleep(after)
    act()
    await asyncio.gather(*tasks)
    return counts


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(text) for text in file.read().split()]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def kill_often(work, times, where):
    """SIGKILL amid 32 streams, and a new server at the same place; -> the seconds from there until
    it has answered, rightly."""
    guided = {"model": TINY, "messages": [{"role": "user", "content": "x"}], "tools": [WEATHER],
              "logit_bias": {str(THINK): -100}, "structured_outputs": {"choice": [CALL]},
              "max_tokens": 200, "temperature": 0}
    answer, helpers, seconds = None, [], []
    for number in range(times + 1):
        began = time.monotonic()
        with work.server(work.tiny, "--context", "2048", *where) as server:
            got = server.ask("/v1/completions", BODY)["choices"]
            seconds.append(time.monotonic() - began)
            answer = answer or got
            check(got == answer, f"{got}, not {answer}")
            # It has made its helper process, which must end as well.
            server.ask("/v1/chat/completions", guided)
            if number == times:
                check(server.end()[0] == 0, "exit code")
                break
            helpers += children(server.process.pid)
            counts = asyncio.run(under_load(server, 32, 0.1 + 0.05 * (number % 5),
                                            server.process.kill))
            check(counts["cut"] + counts["turned away"] == 32, f"{counts}")
    end = time.monotonic() + 5
    while left := [pid for pid in helpers if os.path.exists(f"/proc/{pid}")]:
        check(time.monotonic() < end, f"processes are left: {left}")
        time.sleep(0.05)
    return seconds[1:]


def places(work):
    return {"a port": ("--port", free_port()),
            "a Unix socket": ("--unix", os.path.join(work.folder, "killed.sock"))}


def test_killed(work):
    said = []
    for name, where in places(work).items():
        seconds = kill_often(work, 3, where)
        said.append(f"{name}: {wire.milliseconds(seconds)}")
    return "ok, answers again on " + "; ".join(said)


def terminate_often(work, times):
    """SIGTERM amid 16 streams; -> what became of all streams, seconds until the server was gone."""
    total, seconds = {"whole": 0, "turned away": 0, "cut": 0}, []
    for number in range(times):
        with work.server(work.tiny, "--context", "512", "--parallel", "8") as server:
            began = []

            def end():
                began.append(time.monotonic())
                server.process.send_signal(signal.SIGTERM)

            counts = asyncio.run(under_load(server, 16, 0.05 + 0.03 * (number % 10), end))
            code = server.wait(40)
            seconds.append(time.monotonic() - began[0])
            check(code == 0, f"exit code {code}: {server.errors()}")
            check(counts["cut"] == 0, f"{counts} {server.errors()}")
            for name in total:
                total[name] += counts[name]
    return total, seconds


def test_terminated(work):
    total, seconds = terminate_often(work, 20)
    return f"ok, {total}, gone after {wire.milliseconds(seconds)}"


async def reload_often(work, server, path, secret, times):
    """Keys come and go while 16 streams run; -> seconds until a new key is taken, until a revoked
    one is not, and the count of whole streams."""
    wanted = (await wire.gather(server, "/v1/completions", BODY, secret)).wanted()
    counts = {"whole": 0, "turned away": 0, "cut": 0}
    tasks = [asyncio.create_task(endless(server, wanted, counts, secret)) for _ in range(16)]
    taken, refused = [], []

    async def until(key, status):
        began = time.monotonic()
        server.process.send_signal(signal.SIGHUP)
        while (await wire.call(server, "/v1/models", key=key)).status != status:
            check(time.monotonic() - began < 10, f"not {status} after 10 s")
        return time.monotonic() - began

    loop = asyncio.get_running_loop()
    for number in range(times):
        name = f"new{number}"
        key = await loop.run_in_executor(None, keys, work, "add", name, "--api-keys", path)
        taken.append(await until(key, 200))
        await loop.run_in_executor(None, keys, work, "revoke", name, "--api-keys", path)
        refused.append(await until(key, 401))
    server.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*tasks)
    check(counts["cut"] == 0 and counts["whole"] > 0, f"{counts}")
    return taken, refused, counts["whole"]


def reload(work, times):
    path = key_file(work, "reloaded.json")
    secret = keys(work, "add", "steady", "--api-keys", path)
    with work.server(work.tiny, "--context", "512", "--parallel", "8", "--api-keys",
                     path) as server:
        result = asyncio.run(reload_often(work, server, path, secret, times))
        check(server.wait(40) == 0, f"exit code: {server.errors()}")
        return result


def test_reloaded(work):
    taken, refused, whole = reload(work, 10)
    return f"ok, {whole} streams meanwhile; a new key is taken after {wire.milliseconds(taken)}, " \
           f"a revoked one refused after {wire.milliseconds(refused)}"


TESTS = [test_killed, test_terminated, test_reloaded]
