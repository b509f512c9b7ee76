"""The cache on disk: what it saves after a restart or a kill -9; nothing wrong is ever served."""

import json
import os
import signal
import stat
import subprocess
import time

from life import key_file, keys, refused
from served import REAL, TINY, check

SYSTEM = "You are a careful assistant of a small town by the river. " * 3
QUESTION = "How many boats are there on the river today, and who owns them?"


def chat(model, *turns):
    """A body: questions and answers in turn after the system prompt."""
    messages = [{"role": "system", "content": SYSTEM}]
    for at, text in enumerate(turns):
        messages.append({"role": "assistant" if at % 2 else "user", "content": text})
    return {"model": model, "messages": messages, "max_tokens": 48, "temperature": 0,
            "logprobs": True, "top_logprobs": 3, "ignore_eos": True, "enable_thinking": False}


def answer(server, body, key=None):
    """-> content, the log-probabilities as text, tokens from the cache, tokens of the prompt."""
    reply = server.ask("/v1/chat/completions", body, key)
    choice, usage = reply["choices"][0], reply["usage"]
    return (choice["message"]["content"], json.dumps(choice["logprobs"]),
            usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"])


def written(server, model):
    """Waits until nothing more is written; -> how many states were."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        now = server.metric("tulou_disk_cache_writes_total", model)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.02)
    return last


def total(server, name):
    """A metric without labels."""
    text = server.call("/metrics").text
    return float(next(line for line in text.split("\n") if line.startswith(name + " ")).split()[1])


def cache(work, *arguments):
    result = subprocess.run([work.binary, "cache", *arguments], capture_output=True, text=True,
                            check=False)
    check(result.returncode == 0, f"cache {arguments}: {result.stderr}")
    return result.stdout


def states(folder):
    return [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".state")]


def new_folder(work, name):
    folder = os.path.join(work.folder, name)
    if os.path.exists(folder):
        cache(work, "clear", "--cache-dir", folder)
    return folder


def test_restart_and_kill(work):
    """Turn 2 costs what is new, after SIGTERM and after SIGKILL, with the same bits."""
    report = []
    for model, path in ((REAL, work.real), (TINY, work.tiny)):
        folder = new_folder(work, "states-" + model)
        common = (path, "--context", "1024")
        with work.server(*common) as server:
            first = answer(server, chat(model, QUESTION))
            turn = chat(model, QUESTION, first[0], "And tomorrow?")
        with work.server(*common) as server:
            alone = answer(server, turn)
            check(alone[2] == 0, f"{alone[2]} tokens from nowhere")
        with work.server(*common, "--cache-dir", folder) as server:
            check(answer(server, chat(model, QUESTION))[:2] == first[:2], "another first answer")
            check(written(server, model) > 0, "nothing was written")
            check(stat.S_IMODE(os.stat(folder).st_mode) == 0o700, "others may look")
            for path in states(folder):
                check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read")
            server.process.kill()
        with work.server(*common, "--cache-dir", folder) as server:
            again = answer(server, turn)
            check(again[:2] == alone[:2], "other bits after kill -9")
            check(again[2] >= first[3] - 32, f"{again[2]} of {again[3]} tokens were kept")
            check(server.metric("tulou_disk_cache_hits_total", model) == 1, "hits")
            check(server.end()[0] == 0, "exit code")
        with work.server(*common, "--cache-dir", folder) as server:
            third = answer(server, turn)
            check(third[:2] == alone[:2] and third[2] >= again[2], f"after SIGTERM: {third[2]}")
            check(total(server, "tulou_disk_cache_damaged_total") == 0, "damaged files")
            body = chat(model, QUESTION)
            check(answer(server, {**body, "cache_salt": "x"})[2] == 0, "another salt's prompt")
        listed = json.loads(cache(work, "list", "--cache-dir", folder, "--json"))
        check(len(listed["entries"]) == len(states(folder)) > 0, f"{listed}")
        report.append(f"{again[2]} of {again[3]} tokens of {model}")
    return "ok, after kill -9: " + ", ".join(report)


def test_killed_while_writing(work):
    """kill -9 at any moment of writing: the next start serves, and nothing wrong."""
    folder = new_folder(work, "states-killed")
    common = (work.tiny, "--context", "1024", "--cache-dir", folder)
    alone = {}
    with work.server(work.tiny, "--context", "1024") as server:
        for number in range(4):
            alone[number] = answer(server, chat(TINY, f"{number}. {QUESTION}"))[:2]
    for delay in (0.0, 0.05, 0.15, 0.3):
        with work.server(*common) as server:
            connections = [server.begin("/v1/chat/completions", {
                **chat(TINY, f"{number}. {QUESTION}"), "stream": True})[0] for number in range(4)]
            time.sleep(delay)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            for connection in connections:
                connection.close()
        with work.server(*common) as server:
            for number, right in alone.items():
                check(answer(server, chat(TINY, f"{number}. {QUESTION}"))[:2] == right,
                      f"{number}: another answer after {delay} s")
            check(total(server, "tulou_disk_cache_damaged_total") == 0, "a torn file has a name")
            check(not [name for name in os.listdir(folder) if ".part" in name], "torn files stay")


def test_damaged_files(work):
    folder = new_folder(work, "states-damaged")
    common = (work.tiny, "--context", "1024", "--cache-dir", folder)
    with work.server(*common) as server:
        first = answer(server, chat(TINY, QUESTION))
        written(server, TINY)
        server.process.kill()
    for at, path in enumerate(sorted(states(folder))):
        with open(path, "r+b") as file:
            if at % 2:
                file.truncate(os.path.getsize(path) // 2)
            else:
                file.seek(-5000, os.SEEK_END)
                file.write(b"damage")
    with work.server(*common) as server:
        again = answer(server, chat(TINY, QUESTION))
        check(again[:2] == first[:2], "a damaged file was used")
        check(total(server, "tulou_disk_cache_damaged_total") > 0, "nobody noticed")
        check("was removed" in server.errors(), f"no word: {server.errors()}")


def test_folder(work):
    """One server a folder; keys do not share; a folder that goes away costs nothing else."""
    folder = new_folder(work, "states-folder")
    common = (work.tiny, "--context", "1024", "--cache-dir", folder)
    path = key_file(work, "disk-keys.json")
    one, two = (keys(work, "add", name, "--api-keys", path) for name in ("one", "two"))
    for turn in range(2):
        with work.server(*common, "--api-keys", path) as server:
            server.key = one
            check("another server" in refused(work, *common, "--port", "0"), "two servers")
            cached = answer(server, chat(TINY, QUESTION), one)[2]
            check((cached > 0) == (turn > 0), f"turn {turn}: {cached} tokens")
            if turn:
                check(answer(server, chat(TINY, QUESTION), two)[2] == 0, "another key's prompt")
            check(server.end()[0] == 0, "exit code")
    os.chmod(folder, 0o777)
    check("others may write" in refused(work, *common, "--port", "0"), "an open folder")
    os.chmod(folder, 0o700)
    with work.server(*common, "--api-keys", path) as server:
        server.key = one
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
        os.rmdir(folder)
        for number in range(3):
            server.ask("/v1/chat/completions", chat(TINY, QUESTION + str(number)), one)
        check(written(server, TINY) == 0, "written to nowhere")
        check(server.errors().count("cache: ") <= 2, f"many words: {server.errors()}")


# These start servers of their own.
TESTS = [test_restart_and_kill, test_killed_while_writing, test_damaged_files, test_folder]
