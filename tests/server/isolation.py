"""Many users at once: what each gets is what it would get alone, and nothing of another's."""

import json
import os
import random
import threading
import time

from life import key_file, keys
from served import REAL, TINY, check, events

KEYS, STREAMS = 8, 4
SYSTEM = "You are a careful assistant of a small town by the river. " * 2


def canary(key):
    return f"{random.Random(key).getrandbits(64):016x}"


def request(key, stream, turn):
    """A body of one stream of one key: a shared beginning, then its canary."""
    body = {"model": TINY, "stream": True, "max_tokens": 32, "temperature": 0, "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"My secret is {canary(key)}, number {stream}. Say it."}]}
    if (stream + turn) % 2:
        body.update(temperature=1.2, seed=1000 * key + stream)
    if stream == 0 and key % 4 == 0:
        body.update(model=REAL, max_tokens=24)
    return body


class User(threading.Thread):
    """One stream of one key; asks again and again until the time is over."""

    def __init__(self, server, secret, bodies, alone, end):
        super().__init__()
        self.server, self.secret, self.bodies, self.alone = server, secret, bodies, alone
        self.end, self.problem, self.answers, self.cancels = end, None, 0, 0

    def text(self, body, most=None):
        """The text of a stream; after `most` events the connection is closed."""
        connection, response = self.server.begin("/v1/chat/completions", body, self.secret)
        try:
            check(response.status == 200, f"{response.status}")
            text, done = "", False
            for count, event in enumerate(events(response)):
                if count == most:
                    return None
                done = event == "[DONE]"
                if not done:
                    for choice in json.loads(event)["choices"]:
                        text += choice["delta"].get("content") or ""
                        text += choice["delta"].get("reasoning_content") or ""
            check(done, f"a stream ended early: {text!r}")
            return text
        finally:
            connection.close()

    def run(self):
        chance = random.Random(self.bodies[0]["messages"][1]["content"])
        try:
            while time.monotonic() < self.end or not self.answers:
                at = chance.randrange(len(self.bodies))
                if self.answers and chance.random() < 0.2:
                    self.text(self.bodies[at], chance.randrange(1, 20))
                    self.cancels += 1
                    continue
                text = self.text(self.bodies[at])
                check(text == self.alone[at], f"{text!r}, alone {self.alone[at]!r}")
                self.answers += 1
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem


def test_isolation(work):
    path = key_file(work, "users.json")
    secrets = [keys(work, "add", f"user{i}", "--api-keys", path) for i in range(KEYS)]
    seconds = float(os.environ.get("TULOU_TEST_ISOLATION", "20"))
    with work.server(work.real, work.tiny, "--context", "1024", "--parallel", "12",
                     "--api-keys", path) as server:
        users = []
        for key, secret in enumerate(secrets):
            for stream in range(STREAMS):
                # Every other key has one body a stream only: this is done on small machines.
                bodies = [request(key, stream, turn) for turn in range(1 + key % 2)]
                user = User(server, secret, bodies, [], 0)
                # Alone, and without the cache: nobody else has this salt.
                user.alone = [user.text({**body, "cache_salt": f"{key} {stream} {turn}"})
                              for turn, body in enumerate(bodies)]
                check(any(user.alone), "no text")
                for other in range(KEYS):
                    check(other == key or canary(other) not in "".join(user.alone),
                          f"the secret of {other} in an answer to {key}")
                users.append(user)
        for user in users:
            user.end = time.monotonic() + seconds
            user.start()
        for user in users:
            user.join()
        problems = [f"{user.problem}" for user in users if user.problem]
        check(not problems, "; ".join(problems[:3]))
        answers, cancels = sum(u.answers for u in users), sum(u.cancels for u in users)
        server.key = secrets[0]
        hits = server.metric("tulou_prefix_cache_hits_total", TINY)
        check(hits > 0, "the cache had no part in this")
        for model in (TINY, REAL):
            server.wait_for("tulou_requests_running", model, 0)
        return f"ok, {answers} answers and {cancels} cancels in {seconds:.0f} s"


TESTS = [test_isolation]
