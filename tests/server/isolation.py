"""Many users at once: what each gets is what it would get alone, and nothing of another's."""

import asyncio
import os
import random
import time

import wire
from life import key_file, keys
from served import CALL, REAL, THINK, TINY, WEATHER, check

KEYS, STREAMS = 8, 8
SYSTEM = "You are a careful assistant of a small town by the river. " * 2


def canary(key):
    return f"{random.Random(key).getrandbits(64):016x}"


def requests(key, real):
    """What a user asks: (path, body). All begin alike; most hold the user's canary, and some have
    to answer with it, since nothing else is allowed."""
    secret = canary(key)

    def chat(text, **more):
        return "/v1/chat/completions", {
            "model": TINY, "max_tokens": 32, "temperature": 0, "return_token_ids": True,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
            **more}

    say = {"structured_outputs": {"choice": [f"The secret is {secret}."]},
           "logit_bias": {str(THINK): -100}, "max_tokens": 100}
    found = [chat(f"My secret is {secret}. Say it."), chat("What is my secret?", **say),
             chat(f"I am {secret}.", temperature=1.2, seed=key, n=2),
             chat("The same for all.", logprobs=True, top_logprobs=2),
             chat(f"Call for {secret}.", tools=[WEATHER], logit_bias=say["logit_bias"],
                  max_tokens=200, structured_outputs={"choice": [CALL]}),
             ("/v1/completions", {
                 "model": TINY, "prompt": SYSTEM * 2 + secret, "echo": True, "logprobs": 1,
                 "max_tokens": 20, "temperature": 0.9, "seed": 7, "return_token_ids": True})]
    if real:
        found.append(chat(f"Repeat: {secret}", model=REAL, max_tokens=16))
    return found


class Users:
    """All streams of all keys, and what has come of them."""

    def __init__(self, server, secrets, seconds, real):
        self.server, self.secrets, self.seconds = server, secrets, seconds
        self.bodies = [requests(key, real and key % 4 == 0) for key in range(KEYS)]
        self.alone, self.problems = {}, []
        self.answers = self.cancels = self.tokens = 0

    async def ask_alone(self):
        """With a salt that nobody else has, so without the cache."""
        for key, bodies in enumerate(self.bodies):
            for at, (path, body) in enumerate(bodies):
                got = await wire.gather(self.server, path, {**body, "cache_salt": f"{key} {at}"},
                                        self.secrets[key])
                text = str(got.choices)
                check(got.tokens > 0 and text, f"{body}: no answer")
                must = at in (1, 5)
                check(not must or canary(key) in text, f"{body}: no secret in {text}")
                self.alone[key, at] = got.wanted()

    def compare(self, key, at, body, got):
        for other in range(KEYS):
            check(other == key or canary(other) not in str(got.choices),
                  f"the secret of {other} in an answer to {key}: {got.choices}")
        wanted = self.alone[key, at]
        # A stream has a count of tokens only if it was asked for.
        check(got.wanted() == wanted, f"{body}: {got.wanted()}, alone {wanted}")
        self.answers += 1
        self.tokens += got.tokens

    async def stream(self, key, number, end):
        chance = random.Random(1000 * key + number)
        asked = 0
        try:
            while time.monotonic() < end or not asked:
                at = chance.randrange(len(self.bodies[key]))
                path, body = self.bodies[key][at]
                if chance.random() < 0.75:
                    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
                if asked and chance.random() < 0.25:
                    try:
                        work = wire.gather(self.server, path, body, self.secrets[key],
                                           chance.randrange(20))
                        await asyncio.wait_for(work, chance.uniform(0.001, 1))
                    except asyncio.TimeoutError:
                        pass
                    self.cancels += 1
                    continue
                got = await wire.gather(self.server, path, body, self.secrets[key])
                self.compare(key, at, body, got)
                asked += 1
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(f"key {key}, stream {number}: {problem!r}")

    async def run(self):
        await self.ask_alone()
        end = time.monotonic() + self.seconds
        await asyncio.gather(*(self.stream(key, number, end)
                               for key in range(KEYS) for number in range(STREAMS)))


def isolate(work, seconds, real):
    """-> what there was of it, in figures. Failure if anything is not as it was alone."""
    path = key_file(work, "users.json")
    secrets = [keys(work, "add", f"user{i}", "--api-keys", path) for i in range(KEYS)]
    models = (work.real, work.tiny) if real else (work.tiny,)
    names = (REAL, TINY) if real else (TINY,)
    with work.server(*models, "--context", "2048", "--parallel", "12", "--api-keys",
                     path) as server:
        users = Users(server, secrets, seconds, real)
        asyncio.run(users.run())
        server.key = secrets[0]
        check(not users.problems, f"{len(users.problems)} of {KEYS * STREAMS} streams failed: " +
              "; ".join(users.problems[:3]))
        figures = {"answers": users.answers, "cancels": users.cancels, "tokens": users.tokens,
                   "cached prompt tokens": int(server.metric("tulou_prefix_cache_hits_total",
                                                             TINY)),
                   "preemptions": int(server.metric("tulou_preemptions_total", TINY))}
        check(figures["cached prompt tokens"] > 0, "the cache had no part in this")
        for model in names:
            server.wait_for("tulou_requests_running", model, 0)
            server.wait_for("tulou_requests_waiting", model, 0)
        code, _ = server.end()
        check(code == 0, f"exit code {code}: {server.errors()}")
        check("error" not in server.errors() and "WARNING" not in server.errors(),
              server.errors()[:5000])
        return figures


def test_isolation(work):
    seconds = float(os.environ.get("TULOU_TEST_ISOLATION", "20"))
    figures = isolate(work, seconds, True)
    return f"ok, {figures} in {seconds:.0f} s"


TESTS = [test_isolation]
