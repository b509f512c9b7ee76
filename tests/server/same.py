"""One prompt again and again among random neighbours: always the same tokens, and the same bits."""

import asyncio
import json
import random

import wire
from served import REAL, TINY, check

TEXT = "The old mill by the river grinds the wheat of the whole valley. " * 5
MOST, NEIGHBOURS = 8, 8  # requests at once for that prompt, and for others


def wanted(model, number):
    """The request: greedy or, every third time, sampled; every other time without the cache."""
    body = {"model": model, "prompt": TEXT, "max_tokens": 48, "temperature": 0, "logprobs": 20,
            "return_token_ids": True, "ignore_eos": True}
    if number % 3 == 2:
        body.update(temperature=1.1, top_k=40, seed=11)
    if number % 2:
        body["cache_salt"] = f"own {number}"
    if number % 5 == 0:
        body.update(stream=True, stream_options={"include_usage": True})
    return body


def neighbour(model, chance):
    """Of any length, with any beginning in common with the prompt; some have several choices."""
    text = TEXT[:chance.randrange(len(TEXT))] + "".join(
        chance.choice("abc \u00e9") for _ in range(chance.randrange(1, 200)))
    return {"model": model, "prompt": text, "max_tokens": chance.randrange(1, 120), "n":
            chance.choice((1, 1, 1, 2, 3)), "temperature": chance.choice((0, 1)), "stream": True}


class Repeated:
    """What comes of `count` requests for the same."""

    def __init__(self, server, model, count):
        self.server, self.model, self.left = server, model, count
        self.outputs = {"greedy": {}, "sampled": {}}
        self.asked_neighbours = self.cached = 0

    async def ask(self):
        while self.left > 0:
            self.left -= 1
            body = wanted(self.model, self.left)
            got = await wire.gather(self.server, "/v1/completions", body)
            kind = "sampled" if body["temperature"] else "greedy"
            # JSON of the numbers, which are written so that they are read back bit by bit.
            text = json.dumps(got.choices, sort_keys=True)
            check(len(got.choices[0]["ids"]) == 48 and len(got.choices[0]["logprobs"]) == 48, text)
            self.outputs[kind][text] = self.outputs[kind].get(text, 0) + 1

    async def disturb(self, number):
        chance = random.Random(number)
        while self.left > 0:
            leave = chance.choice((None, None, chance.randrange(20)))
            await wire.gather(self.server, "/v1/completions", neighbour(self.model, chance),
                              leave=leave)
            self.asked_neighbours += 1

    async def run(self):
        await asyncio.gather(*(self.ask() for _ in range(MOST)),
                             *(self.disturb(number) for number in range(NEIGHBOURS)))


def repeat(work, model, count, memory):
    """-> figures. Failure if there are two outputs of one request."""
    with work.server(work.real if model == REAL else work.tiny, "--context", "1024", "--parallel",
                     "12", "--memory", memory) as server:
        repeated = Repeated(server, model, count)
        asyncio.run(repeated.run())
        figures = {"answers": count, "neighbours": repeated.asked_neighbours}
        for kind, outputs in repeated.outputs.items():
            check(len(outputs) == 1, f"{memory}: {len(outputs)} {kind} outputs: " +
                  " ".join(f"{number}x {text[:600]}" for text, number in outputs.items()))
            figures[f"distinct {kind} outputs"] = len(outputs)
        figures["cached prompt tokens"] = int(server.metric("tulou_prefix_cache_hits_total", model))
        figures["preemptions"] = int(server.metric("tulou_preemptions_total", model))
        check(figures["cached prompt tokens"] > 0, "the cache had no part in this")
        return figures


def test_one_output(work):
    """With room for all, and with so little that sequences give way to others."""
    roomy = repeat(work, TINY, 80, "1GiB")
    tight = repeat(work, TINY, 80, "2MiB")
    check(tight["preemptions"] > 0, f"nobody gave way: {tight}")
    return f"ok, {roomy}; with little memory {tight}"


TESTS = [test_one_output]
