"""Far more requests than there is room for, and whether the server is alive: it says no at once,
goes on at its full speed, keeps to its memory, and is idle again soon after."""

import asyncio
import dataclasses
import re
import selectors
import socket
import time

import wire
from served import REAL, check

PARALLEL, QUEUE = 16, 32
BODY = {"model": REAL, "prompt": "The weather today", "max_tokens": 24, "temperature": 0,
        "ignore_eos": True}


def resident(pid, name="VmRSS"):
    """Bytes of memory of a process: VmRSS now, VmHWM at most."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        found = next(line for line in file if line.startswith(name + ":"))
    return int(found.split()[1]) * 1024


async def state(server):
    reply = await wire.call(server, "/tulou/ps")
    return reply.json()["models"][0]


async def rate(server, seconds):
    """Tokens generated in a second, over this time."""
    first, began = await state(server), time.monotonic()
    await asyncio.sleep(seconds)
    last, ended = await state(server), time.monotonic()
    return (last["generated_tokens"] - first["generated_tokens"]) / (ended - began)


@dataclasses.dataclass
class Storm:
    """What came of many requests at once."""

    answered: int = 0
    refused: list = dataclasses.field(default_factory=list)  # seconds of each refusal
    problems: list = dataclasses.field(default_factory=list)
    text: str = ""


async def client(server, storm, again_until=None):
    """One that asks; with `again_until` until that time, after as long as it is told to wait."""
    try:
        while True:
            reply = await wire.call(server, "/v1/completions", BODY)
            if reply.status == 200:
                storm.answered += 1
                text = reply.json()["choices"][0]["text"]
                storm.text = storm.text or text
                check(text == storm.text, f"{text!r}, not {storm.text!r}")
            else:
                check(reply.status in (429, 503), f"{reply.status} {reply.body}")
                storm.refused.append(reply.seconds)
            wait = float(reply.headers["retry-after"]) if reply.status != 200 else 0
            if again_until is None or time.monotonic() + wait > again_until:
                return
            await asyncio.sleep(wait)
    except Exception as problem:  # pylint: disable=broad-except
        storm.problems.append(repr(problem))


def send_all(server, count):
    """Requests on as many open connections, as fast as one process can send them. Plain sockets:
    the client must not be what is slow. -> [(status, headers and body, seconds)]."""
    data, answers, began = wire.request_bytes("/v1/completions", BODY), [], {}
    poll, held = selectors.DefaultSelector(), {}
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", server.port))
        poll.register(sock, selectors.EVENT_READ)
        held[sock] = b""
    for sock in held:
        began[sock] = time.monotonic()
        sock.sendall(data)
    end = time.monotonic() + 120
    while held:
        check(time.monotonic() < end, f"{len(held)} without an answer")
        for key, _ in poll.select(1):
            sock, now = key.fileobj, time.monotonic()
            piece = sock.recv(1 << 16)
            held[sock] += piece
            head, found, body = held[sock].partition(b"\r\n\r\n")
            check(piece, f"cut: {held[sock]}")
            if found and len(body) >= int(re.search(rb"ontent-[lL]ength: (\d+)", head).group(1)):
                answers.append((int(head.split(b" ")[1]), head + found + body, now - began[sock]))
                poll.unregister(sock)
                sock.close()
                del held[sock]
    return answers


def at_once(server, count):
    """-> Storm of requests that are sent at one time, and seconds from their end to idleness."""
    storm = Storm()
    for status, text, seconds in send_all(server, count):
        if status == 200:
            storm.answered += 1
        else:
            check(status in (429, 503) and b"etry-" in text, f"{text}")
            storm.refused.append(seconds)
    began = time.monotonic()
    while (now := server.call("/tulou/ps").json()["models"][0])["running"] or now["waiting"]:
        check(time.monotonic() - began < 30, f"not idle: {now}")
    return storm, time.monotonic() - began


async def speeds(server, count, seconds):
    """-> tokens a second with as many clients as there is room for, with `count`, and the Storm of
    those."""
    end = time.monotonic() + seconds + 2
    few = Storm()
    tasks = [asyncio.create_task(client(server, few, end)) for _ in range(PARALLEL + QUEUE)]
    await asyncio.sleep(1)
    full = await rate(server, seconds)
    await asyncio.gather(*tasks)
    end = time.monotonic() + seconds + 3
    storm = Storm()
    tasks = [asyncio.create_task(client(server, storm, end)) for _ in range(count)]
    await asyncio.sleep(2)
    over = await rate(server, seconds)
    await asyncio.gather(*tasks)
    storm.problems += few.problems
    return full, over, storm


async def probe(server, path, seconds, times):
    """Asks again and again, each time on a new connection; the seconds go to `times`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reply = await wire.call(server, path)
        check(reply.status == 200, f"{path}: {reply.status}")
        times.append(reply.seconds)
        await asyncio.sleep(0.02)


async def alive(server, connections, seconds):
    """-> seconds of /livez and of /readyz while all places read long prompts and that many clients
    have sent half a header."""
    idle = []
    for _ in range(connections):
        idle.append(await wire.connect(server))
        idle[-1][1].write(b"GET /livez HTTP/1.1\r\nHost: local")
    story = {**BODY, "prompt": "The river flows through the old town and past the mill. " * 120,
             "max_tokens": 1}
    tasks = [asyncio.create_task(wire.call(server, "/v1/completions",
                                           {**story, "cache_salt": f"{i}"}))
             for i in range(PARALLEL)]
    while (await state(server))["running"] < PARALLEL:
        await asyncio.sleep(0.01)
    times = {"/livez": [], "/readyz": []}
    # The half-open connections are cut after ten seconds.
    await asyncio.gather(*(probe(server, path, seconds, times[path]) for path in times))
    still = (await state(server))["running"]
    for task in tasks:
        task.cancel()
    for _, writer in idle:
        writer.transport.abort()
    return times, still


def make(work, *options):
    return work.server(work.real, "--context", "2048", "--parallel", str(PARALLEL), "--queue",
                       str(QUEUE), *options)


def burst(work, count):
    """-> the Storm of `count` requests at one time, seconds to idleness, share of the budget that
    was in use at most."""
    with make(work) as server:
        storm, idle = at_once(server, count)
        check(not storm.problems, f"{len(storm.problems)}: {storm.problems[:3]}")
        check(storm.answered + len(storm.refused) == count, f"lost: {storm}")
        check(storm.answered >= QUEUE, f"only {storm.answered} were answered")
        return storm, idle, resident(server.process.pid, "VmHWM") / (1 << 30)


def test_burst(work):
    storm, idle, share = burst(work, 1000)
    check(storm.refused, "nobody was refused")
    check(share < 1.05, f"{share:.2f} of the budget")
    check(idle < 5, f"idle after {idle:.1f} s")
    return f"ok, {storm.answered} answered, refusals {wire.milliseconds(storm.refused)}, idle " \
           f"after {idle:.2f} s, at most {share:.2f} of the budget"


def test_alive(work):
    with make(work) as server:
        times, _ = asyncio.run(alive(server, 2000, 4))
        check(all(len(seconds) > 10 for seconds in times.values()), f"{times}")
        said = (f"{path}: {wire.milliseconds(seconds)}" for path, seconds in times.items())
        return "ok, " + "; ".join(said)


TESTS = [test_burst, test_alive]
