"""Tests of serve, ps, stop, keys, and of run and chat with --server; run by compare.py."""

import json
import os
import re
import subprocess
import time

from fixtures import check, make_model


def test_keys(p, w):
    path = os.path.join(w.work, "keys.json")
    for leftover in (path, path + ".lock"):
        if os.path.exists(leftover):
            os.remove(leftover)
    keys = ("--api-keys", path)
    p.fails(2, "keys", "add", "laptop", says=["--api-keys"])
    p.fails(2, "keys", "ad", "laptop", *keys, says=["add, list, revoke"])
    p.fails(2, "keys", "add", *keys, says=["NAME"])
    p.fails(1, "keys", "list", *keys, says=["no such file"])
    secret = p.call("keys", "add", "laptop", *keys)[0].decode().strip()
    check(re.fullmatch(r"tulou-[0-9a-f]{64}", secret), f"not a key: {secret}")
    stored = open(path).read()
    check(secret[6:] not in stored and secret not in stored, "the key is stored")
    check(os.stat(path).st_mode & 0o777 == 0o600, "others may read the keys")
    made = json.loads(p.call("keys", "add", "batch", *keys, "--admin", "--priority", "3",
                             "--max-streams", "2", "--json")[0])
    check(made["role"] == "admin" and made["limits"] == {"max_streams": 2}, made)
    p.fails(1, "keys", "add", "laptop", *keys, says=["laptop"])
    listed = json.loads(p.call("keys", "list", *keys, "--json")[0])["keys"]
    check([key["name"] for key in listed] == ["laptop", "batch"], listed)
    check(b"laptop" in p.call("keys", "list", *keys)[0], "laptop is not listed")
    p.call("keys", "revoke", made["id"], *keys)
    p.fails(1, "keys", "revoke", "batch", *keys, says=["batch"])
    os.chmod(path, 0o644)
    p.fails(1, "keys", "list", *keys, says=["chmod 600"])


class Server:
    """tulou serve on a Unix socket, until the end of the block."""

    def __init__(self, p, w, *arguments, **environment):
        self.url = "unix:" + os.path.join(w.work, "socket")
        self.process = subprocess.Popen(
            [p.binary, "serve", *arguments, "--unix", self.url[5:]], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=p.environment(**environment))

    def __enter__(self):
        self.said = []
        while not self.said or not self.said[-1].startswith("Ctrl-C"):
            line = self.process.stdout.readline()
            check(line, f"the server did not start: {self.process.poll()}")
            self.said.append(line)
        return self

    def ended(self):
        """The exit code, when it ends by itself."""
        return self.process.wait(60)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=60)


def test_serve_usage(p, w):
    p.fails(2, "serve", says=["MODEL"])
    p.fails(2, "serve", w.model, "--idle", "10", says=["--idle", "10m"])
    p.fails(2, "serve", w.model, "--memory", "8", says=["--memory", "8GiB"])
    p.fails(1, "serve", w.model, "--host", "0.0.0.0", "--port", "0", says=["keys"])
    nowhere = "unix:" + os.path.join(w.work, "nothing")
    p.fails(1, "ps", "--server", nowhere, says=[nowhere])
    p.fails(1, "run", "--server", nowhere, "x", says=[nowhere])
    p.fails(2, "run", "--server", "https://a.org", "x", says=["http://"])
    p.fails(2, "run", "--server", nowhere, "x", "--threads", "1", says=["--threads"])
    p.fails(2, "chat", says=["MODEL"])


def test_server(p, w):
    common = ["--temperature", "0", "-n", "12"]
    alone = p.json("run", w.model, "Hello", "--json", *common)
    raw = p.json("run", w.model, "Hello", "--raw", "--json", *common)
    other = make_model(os.path.join(w.work, "other"))
    with Server(p, w, w.model, other, "--name", "first", "--memory", "256MiB") as server:
        check(any(server.url in line for line in server.said), server.said)
        there = ["--server", server.url]
        for words in (["Hello"], ["first", "Hello"], ["other", "Hello"], ["first", "-"]):
            answer = p.json("run", *there, *words, "--json", *common, stdin=b"Hello\n")
            check(answer["text"] == alone["text"], f"{words}: {answer} is not {alone}")
            check(answer["prompt_tokens"] == alone["prompt_tokens"], f"{words}: {answer}")
        check(answer["cached_tokens"] > 0, f"the prompt was read again: {answer}")
        again = p.json("run", *there, "Hello", "--raw", "--json", *common)
        check(again["text"] == raw["text"], f"{again} is not {raw}")
        printed = p.call("run", w.model, "Hello", *common)[0]
        check(p.call("run", *there, "Hello", *common)[0] == printed, "it prints something else")
        p.fails(1, "run", *there, "frist", "Hello", says=["frist", "first"])
        p.fails(1, "run", *there, "-", stdin=b"x" * 300_000, says=["context"])
        text = b"Hello\n/set temperature 0\nAgain\n"
        here = p.call("chat", w.model, *common, stdin=text)[0]
        check(p.call("chat", *there, *common, stdin=text)[0] == here, "another conversation")
        report = p.json("ps", *there, "--json")
        check([m["state"] for m in report["models"]] == ["loaded"] * 2, report)
        p.call("stop", "other", *there)
        check(b"other: unload" in p.call("ps", *there)[0], "other is still loaded")
        p.call("stop", *there)
        check(server.ended() == 0, "the server did not end well")


def test_server_needs_room(p, w):
    """A model goes when another one needs the room, or when nobody uses it."""
    other = make_model(os.path.join(w.work, "other"))
    keys = os.path.join(w.work, "server-keys.json")
    if os.path.exists(keys):
        os.remove(keys)
    admin, user = (
        p.call("keys", "add", name, "--api-keys", keys, *more)[0].decode().strip()
        for name, more in (("boss", ["--admin"]), ("user", [])))
    size = p.json("inspect", w.model, "--json")["memory"]["weights_bytes"]
    check(size < 1 << 20, f"the model is not tiny: {size}")
    with Server(p, w, w.model, other, "--memory", "1MiB", "--parallel", "1", "--context", "64",
                "--idle", "1s", "--api-keys", keys) as server:
        there = ["--server", server.url]
        p.fails(1, "ps", *there, says=["401"])
        p.fails(1, "stop", *there, TULOU_API_KEY=user, says=["403"])
        p.json("run", *there, "other", "Hi", "--json", "-n", "4", TULOU_API_KEY=user)
        end = time.monotonic() + 30
        while any(m["state"] != "unloaded" for m in p.json(
                "ps", *there, "--json", TULOU_API_KEY=user)["models"]):
            check(time.monotonic() < end, "an idle model stays")
            time.sleep(0.2)
        p.call("stop", *there, TULOU_API_KEY=admin)
        check(server.ended() == 0, "the server did not end well")
