"""Clients that go away while they wait, while their prompt is read and while they are answered: the
work ends at the next step, and nobody else notices."""

import asyncio
import json
import random
import time

import wire
from served import REAL, check

STORY = "The river flows through the old town and past the mill. "
WITNESS = {"model": REAL, "prompt": "Once upon a time", "max_tokens": 80, "temperature": 0,
           "stream": True, "return_token_ids": True, "ignore_eos": True}
WHEN = ("waiting", "reading", "answering")
PLACES = 4


class Watch:
    """Asks the server again and again what runs, on one connection."""

    def __init__(self, server):
        self.server, self.pair = server, None

    async def state(self):
        self.pair = self.pair or await wire.connect(self.server)
        reply = await wire.exchange(*self.pair, wire.request_bytes("/tulou/ps"))
        return next(one for one in reply.json()["models"] if REAL in one["names"])

    async def until(self, done, what, seconds=20):
        """-> seconds until that was so."""
        began = time.monotonic()
        while not done(await self.state()):
            check(time.monotonic() - began < seconds, f"not {what} after {seconds} s")
        return time.monotonic() - began


class Witness:
    """A stream that goes on beside: what it gets, and the time between its events."""

    def __init__(self, server, alone):
        self.server, self.alone = server, alone
        self.gaps, self.answers, self.stop = [], 0, False

    async def run(self):
        while not self.stop:
            reader, writer = await wire.connect(self.server)
            writer.write(wire.request_bytes("/v1/completions", WITNESS))
            _, headers = await wire.read_head(reader)
            got, last = wire.Gathered(), None
            async for event in wire.events(reader, headers):
                now = time.monotonic()
                self.gaps += [now - last] if last else []
                last, got.ended = now, event == "[DONE]"
                if not got.ended:
                    got.take(json.loads(event), "delta")
            writer.close()
            check(got.ended and got.wanted() == self.alone, f"{got.wanted()}, alone {self.alone}")
            self.answers += 1


async def leave(server, watch, when, others, chance):
    """One client goes; -> seconds until its work has ended. `others` run beside."""
    prompt = STORY * 130 if when == "reading" else STORY
    body = {**WITNESS, "prompt": prompt, "max_tokens": 400, "cache_salt": str(chance.random())}
    reader, writer = await wire.connect(server)
    before = await watch.state()
    writer.write(wire.request_bytes("/v1/completions", body))
    if when == "waiting":
        await watch.until(lambda now: now["waiting"] == 1, "waiting")
    elif when == "reading":
        await watch.until(lambda now: now["prompt_tokens"] > before["prompt_tokens"] or
                          now["running"] > others, "reading")
    else:
        _, headers = await wire.read_head(reader)
        async for _ in wire.events(reader, headers):
            break
    await asyncio.sleep(chance.uniform(0, 0.05))
    writer.transport.abort()
    return await watch.until(lambda now: now["running"] <= others and now["waiting"] == 0,
                             "without the request")


async def fill(server, watch, places):
    """Streams that take all places and do not end by themselves in this time."""
    holders = []
    for _ in range(places):
        holders.append(await wire.connect(server))
        holders[-1][1].write(wire.request_bytes("/v1/completions", {**WITNESS, "max_tokens": 1900}))
    await watch.until(lambda now: now["running"] == places, "full")
    return holders


async def leave_often(server, count, beside):
    """-> {when: seconds}, and the witness, which runs only if there is to be one beside."""
    watch, chance, times = Watch(server), random.Random(1), {}
    alone = (await wire.gather(server, "/v1/completions", WITNESS)).wanted()
    witness = Witness(server, alone)
    task = asyncio.create_task(witness.run()) if beside else None
    for when in WHEN[1:] if beside else WHEN:
        places = PLACES if when == "waiting" else 0
        holders = await fill(server, watch, places)
        times[when] = [await leave(server, watch, when, places + int(beside), chance)
                       for _ in range(count)]
        for _, writer in holders:
            writer.transport.abort()
        await watch.until(lambda now: now["running"] <= int(beside), "empty")
    witness.stop = True
    if task:
        await task
    return times, witness


def measure(work, count):
    """-> rows: when the client went, who was beside, the seconds, and the witness."""
    with work.server(work.real, "--context", "2048", "--parallel", str(PLACES)) as server:
        rows = []
        for beside in (False, True):
            times, witness = asyncio.run(leave_often(server, count, beside))
            for when, seconds in times.items():
                rows.append((when, beside, seconds, witness))
        return rows


def test_leaving(work):
    said = []
    for when, beside, seconds, witness in measure(work, 5):
        check(not beside or witness.answers > 0, "no witness")
        said.append(f"{when}{' beside another' if beside else ''}: {wire.milliseconds(seconds)}")
    return "ok, " + "; ".join(said)


TESTS = [test_leaving]
