"""The server's life: keys, signals, sockets, clients that go away, health under load."""

import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time

from served import REAL, TINY, Failure, check, events

# About ten seconds of work for the real model, unless it is cut.
LONG = {"model": REAL, "prompt": "Once upon a time", "max_tokens": 400, "ignore_eos": True,
        "stream": True, "temperature": 0}


def keys(work, *arguments):
    """tulou keys ... -> what it printed."""
    result = subprocess.run([work.binary, "keys", *arguments], capture_output=True, text=True,
                            check=False)
    check(result.returncode == 0, f"keys {arguments}: {result.stderr}")
    return result.stdout.strip()


def key_file(work, name):
    path = os.path.join(work.folder, name)
    if os.path.exists(path):
        os.remove(path)
    return path


def wait_for_status(server, key, status):
    """Until a reload has been done."""
    for _ in range(100):
        answer = server.call("/v1/models", key=key)
        if answer.status == status:
            return answer
        time.sleep(0.02)
    raise Failure(f"with this key still {answer.status}, not {status}")


def test_keys(work):
    path = key_file(work, "keys.json")
    one = keys(work, "add", "one", "--api-keys", path)
    two = keys(work, "add", "two", "--api-keys", path)
    with work.server(work.tiny, "--context", "512", "--api-keys", path) as server:
        for wrong in (None, "tulou-" + "0" * 64, one[:-1], one + "0"):
            answer = server.call("/v1/models", key=wrong)
            check(answer.status == 401 and answer.error()["code"], f"{wrong}: {answer.text}")
            check(one not in answer.text, "the key is in the answer")
        check(server.call("/livez").status == 200, "/livez wants a key")
        check(server.call("/v1/models", key=one).status == 200, "a good key")
        check(server.client(two).models.retrieve(TINY).id == TINY, "the client with a key")
        keys(work, "revoke", "one", "--api-keys", path)
        three = keys(work, "add", "three", "--api-keys", path)
        check(server.call("/v1/models", key=three).status == 401, "a key before its reload")
        server.process.send_signal(signal.SIGHUP)
        wait_for_status(server, three, 200)
        wait_for_status(server, one, 401)
        wait_for_status(server, two, 200)
        with open(path, "w", encoding="utf-8") as file:
            file.write("{")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        check(server.call("/v1/models", key=two).status == 200, "a broken file took the keys away")
        check(one not in server.errors() and two not in server.errors(), "a key is in the log")


def test_budget_of_a_key(work):
    """What one request of a key may ask for: more is refused, with the field that asks for it."""
    path = key_file(work, "budget.json")
    key = keys(work, "add", "small", "--max-answers", "2", "--max-answer-tokens", "40",
               "--api-keys", path)
    refused = keys(work, "add", "refused", "--api-keys", path)
    keys(work, "revoke", "refused", "--api-keys", path)
    body = {"model": TINY, "prompt": "x", "max_tokens": 20}
    with work.server(work.tiny, "--context", "512", "--api-keys", path) as server:
        server.key = key
        server.ask("/v1/completions", {**body, "n": 2})
        for more, field in (({"n": 3}, "n"), ({"best_of": 3}, "best_of"),
                            ({"prompt": ["x"] * 3}, "n"), ({"max_tokens": 41}, "max_tokens"),
                            ({"n": 2, "max_tokens": 21}, "max_tokens")):
            answer = server.call("/v1/completions", {**body, **more})
            check(answer.status == 400 and answer.error()["code"] == "over_budget" and
                  answer.error()["param"] == field, f"{more}: {answer.status} {answer.text}")
        server.key = None
        # Who has no key learns nothing of why: the answers are the same but for their id.
        said = [server.call("/v1/models", key=wrong) for wrong in (None, "x", refused, key + "0")]
        check(all(answer.status == 401 for answer in said), "a wrong key was taken")
        check(len({answer.text for answer in said}) == 1 and
              len({tuple(map(len, answer.headers.values())) for answer in said}) == 1 and
              len({tuple(answer.headers) for answer in said}) == 1, "401 is not always the same")


def test_drain(work):
    """Ctrl-C: what runs is finished, nothing new is taken, exit code 0."""
    with work.server(work.real, work.tiny, "--context", "512") as server:
        body = {**LONG, "max_tokens": 30}
        whole = server.ask("/v1/completions", {**body, "stream": False})["choices"][0]["text"]
        connection, response = server.begin("/v1/completions", body)
        stream = events(response)
        texts = [next(stream)]
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        try:
            answer = server.call("/v1/completions", {"model": TINY, "prompt": "x"})
            check(answer.status == 503 and answer.headers["Retry-After"],
                  f"while it stops: {answer.status} {answer.text}")
        except ConnectionError:
            pass
        texts += stream
        check(texts.pop() == "[DONE]", f"the stream was cut: {texts[-1:]}")
        text = "".join(c["text"] for t in texts for c in json.loads(t)["choices"])
        check(text == whole, f"{text!r} is not {whole!r}")
        connection.close()
        check(server.wait(10) == 0, f"exit code {server.process.returncode}")


def test_second_interrupt_cuts(work):
    with work.server(work.real, "--context", "512") as server:
        connection, response = server.begin("/v1/completions", LONG)
        next(events(response))
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        check(server.process.poll() is None, "the first Ctrl-C cut the answer")
        code, seconds = server.end(signal.SIGINT)
        check(code in (0, 130) and seconds < 4, f"exit code {code} after {seconds:.1f} s")
        connection.close()
        return f"ok, ended {seconds:.2f} s after the second one"


def test_sigterm(work):
    with work.server(work.tiny, "--context", "512") as server:
        check(server.call("/livez").status == 200, "/livez")
        code, seconds = server.end(signal.SIGTERM)
        check(code == 0 and seconds < 4, f"exit code {code} after {seconds:.1f} s")


def test_unix_socket(work):
    path = os.path.join(work.folder, "s.sock")
    with work.server(work.tiny, "--context", "512", "--unix", path) as server:
        mode = os.stat(path)
        check(stat.S_ISSOCK(mode.st_mode) and mode.st_mode & 0o777 == 0o600, oct(mode.st_mode))
        answer = server.ask("/v1/completions", {"model": TINY, "prompt": "x", "max_tokens": 3})
        check(answer["usage"]["prompt_tokens"] == 1, f"{answer}")
        check(server.end()[0] == 0 and not os.path.exists(path), "the socket is left")


def refused(work, *arguments):
    """-> the error line of a server that does not start."""
    result = subprocess.run([work.binary, "serve", *arguments], capture_output=True, text=True,
                            check=False, timeout=60)
    check(result.returncode in (1, 2) and result.stderr.startswith("error: "),
          f"{arguments}: {result.returncode} {result.stdout} {result.stderr}")
    return result.stderr


def test_refusals(work):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        check(port in refused(work, work.tiny, "--context", "256", "--port", port), "port in use")
    said = refused(work, work.tiny, "--context", "256", "--host", "0.0.0.0", "--port", "0")
    check("key" in said, f"0.0.0.0 without keys: {said}")
    path = key_file(work, "open.json")
    keys(work, "add", "one", "--api-keys", path)
    said = refused(work, work.tiny, "--context", "256", "--host", "0.0.0.0", "--port", "0",
                   "--api-keys", path)
    check("TLS" in said.upper(), f"0.0.0.0 without TLS: {said}")
    os.chmod(path, 0o644)
    check("600" in refused(work, work.tiny, "--port", "0", "--api-keys", path), "readable keys")
    check("memory" in refused(work, work.tiny, "--port", "0", "--memory", "1MiB"), "no room")


def test_a_closed_connection_ends_the_answer(server):
    """Streams, whole answers, and prompts that are being read."""
    longest = 0.0
    prompt = "The river flows. " * 400
    for body in (LONG, {**LONG, "stream": False}, {**LONG, "prompt": prompt}):
        whole = not body["stream"] or body["prompt"] == prompt
        if whole:
            connection = server.connection()
            connection.request("POST", "/v1/completions", json.dumps(body),
                               {"Content-Type": "application/json"})
            server.wait_for("tulou_requests_running", REAL, 1)
            time.sleep(0.2)
        else:
            connection, response = server.begin("/v1/completions", body)
            next(events(response))
            response.close()
        connection.close()
        longest = max(longest, server.wait_for("tulou_requests_running", REAL, 0, 4))
    return f"ok, at most {longest * 1000:.0f} ms"


def test_health_under_load(server):
    """/livez is answered while long prompts are read."""
    body = {"model": REAL, "prompt": "A long story of a town by the sea. " * 100,
            "max_tokens": 1, "cache_salt": "health"}
    reader = threading.Thread(target=server.ask, args=("/v1/completions", body))
    reader.start()
    times = []
    while reader.is_alive() and len(times) < 200:
        times.append(server.call("/livez").seconds)
        time.sleep(0.01)
    reader.join()
    times.sort()
    check(len(times) > 20, f"the prompt was read too soon: {len(times)} calls")
    check(times[-1] < 2, f"/livez took {times[-1]:.2f} s")
    return f"ok, {len(times)} calls, median {times[len(times) // 2] * 1000:.1f} ms, " \
           f"longest {times[-1] * 1000:.1f} ms"


# Those that start servers of their own, and those that take one with both models.
TESTS = [test_keys, test_budget_of_a_key, test_drain, test_second_interrupt_cuts, test_sigterm,
         test_unix_socket, test_refusals]
SHARED = [test_a_closed_connection_ends_the_answer, test_health_under_load]
