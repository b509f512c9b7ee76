"""Can one user tell from the time to the first token what another one has asked? Not if nothing is
shared: prompts that another key has asked take as long as those that nobody has. After Gu et al.,
"Auditing Prompt Caching in Language Model APIs", 2025: two-sample Kolmogorov-Smirnov tests."""

import asyncio
import math
import random

import wire
from life import key_file, keys
from served import TINY, check


def kolmogorov_smirnov(one, other):
    """-> p of the two-sided test that both come from one distribution (the asymptotic formula)."""
    both = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    counts, furthest = [0, 0], 0.0
    for at, (value, which) in enumerate(both):
        counts[which] += 1
        if at + 1 == len(both) or both[at + 1][0] != value:
            furthest = max(furthest, abs(counts[0] / len(one) - counts[1] / len(other)))
    scale = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    x = (scale + 0.12 + 0.11 / scale) * furthest
    if x < 0.3:
        return 1.0
    return max(0.0, min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x)
                                     for k in range(1, 101))))


def prompt(number):
    chance = random.Random(number)
    return "".join(chance.choice("abcdefghij klmnop") for _ in range(1200))


async def first_token(server, key, number):
    """-> seconds until an answer of one token, and how many prompt tokens came from the cache."""
    body = {"model": TINY, "prompt": prompt(number), "max_tokens": 1, "temperature": 0}
    reply = await wire.call(server, "/v1/completions", body, key)
    check(reply.status == 200, f"{reply.status} {reply.body}")
    return reply.seconds, reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"]


async def listen(server, first, second, samples):
    """-> seconds: {what the prompt is to the one who asks: [...]}."""
    times = {"another's": [], "nobody's": [], "own": []}
    for number in range(samples):
        await first_token(server, first, number)
        order = list(times)
        random.Random(number).shuffle(order)
        for what in order:
            asks = first if what == "own" else second
            about = number if what != "nobody's" else 1_000_000 + number
            seconds, cached = await first_token(server, asks, about)
            check((cached > 1000) == (what == "own"), f"{what}: {cached} tokens from the cache")
            times[what].append(seconds)
    return times


def audit(work, samples):
    """-> seconds by what the prompt is, p between keys, p within a key."""
    path = key_file(work, "audit.json")
    first, second = (keys(work, "add", name, "--api-keys", path) for name in ("one", "two"))
    with work.server(work.tiny, "--context", "2048", "--parallel", "2", "--api-keys",
                     path) as server:
        times = asyncio.run(listen(server, first, second, samples))
    return (times, kolmogorov_smirnov(times["another's"], times["nobody's"]),
            kolmogorov_smirnov(times["own"], times["nobody's"]))


def test_audit(work):
    """Here the counts of cached tokens decide; of times the figures are only shown."""
    times, between, within = audit(work, 30)
    said = (f"{what} {wire.milliseconds(seconds)}" for what, seconds in times.items())
    return f"ok, p {between:.3g} between keys, {within:.3g} within one; " + "; ".join(said)


TESTS = [test_audit]
