"""The server as a process for tests: started on a free port, spoken to, ended."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))

from fixtures import Failure, check, make_model, tokenizer_json, write  # noqa: E402

REAL = "SmolLM2-135M-Instruct.Q4_1"
TINY = "tiny"
THINK = 259  # <think> of the tiny model: a random one would begin to think now and then

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "required": ["city"], "additionalProperties": False,
                   "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]},
                                  "days": {"type": "integer", "minimum": 1, "maximum": 9}}}}}
CALL = '<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n' \
       '</tool_call>'


def make_tiny(folder):
    """A random Qwen3.5-shaped model of bytes, with the template of Qwen3.5 and thinking tokens."""
    make_model(folder, "qwen3_5_tied_r1")
    tokenizer = tokenizer_json()
    for i, name in enumerate(["<think>", "</think>"], THINK):
        tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": i,
                                          "content": name, "special": False})
    write(os.path.join(folder, "tokenizer.json"), json.dumps(tokenizer))
    write(os.path.join(folder, "generation_config.json"), '{"eos_token_id": [256]}')
    shutil.copy(os.path.join(TOP, "tests", "templates", "qwen3_5_small.jinja"),
                os.path.join(folder, "chat_template.jinja"))
    return folder


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Answer:
    """A whole response: status, headers, body, and the seconds it took."""

    def __init__(self, response, began):
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode("utf-8")
        self.seconds = time.monotonic() - began

    def json(self):
        return json.loads(self.text)

    def error(self):
        return self.json()["error"]


class Server:
    """`tulou serve` as a process; to be used in a with statement."""

    def __init__(self, binary, work, *arguments, name="server"):
        self.log = os.path.join(work, name + ".log")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TULOU_", "OPENAI_"))}
        unix = "--unix" in arguments
        self.unix = arguments[arguments.index("--unix") + 1] if unix else None
        more = () if "--port" in arguments or unix else ("--port", "0")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.abspath(binary), "serve", *arguments, *more], stdout=subprocess.PIPE,
                stderr=log, env={**kept, "XDG_CONFIG_HOME": "/nonexistent"}, text=True)
        self.said = ""
        self.key, self.port = None, 0
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"listening on .*?([0-9]+)$", line):
                self.port = int(found.group(1))
            if line.startswith("Ctrl-C"):
                return
        raise Failure(f"the server did not start: {self.said} {self.errors()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def errors(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, key=None):
        """The official client; it does not try again."""
        import openai  # here, for programs that use only the rest
        return openai.OpenAI(base_url=self.url(), api_key=key or self.key or "none",
                             max_retries=0, timeout=120)

    def connection(self):
        if self.unix:
            return UnixConnection(self.unix)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def begin(self, path, body=None, key=None):
        """-> connection and response, of which nothing but the head is read."""
        connection = self.connection()
        headers = {"Content-Type": "application/json"}
        if key or self.key:
            headers["Authorization"] = "Bearer " + (key or self.key)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("GET" if body is None else "POST", path, data, headers)
        return connection, connection.getresponse()

    def call(self, path, body=None, key=None):
        """-> Answer. A GET without a body, else a POST; bytes are sent as they are."""
        began = time.monotonic()
        connection, response = self.begin(path, body, key)
        try:
            return Answer(response, began)
        finally:
            connection.close()

    def ask(self, path, body, key=None):
        """-> the JSON of a 200."""
        answer = self.call(path, body, key)
        check(answer.status == 200, f"{path}: {answer.status} {answer.text}")
        return answer.json()

    def metric(self, name, model):
        """The value of a metric for a model."""
        text = self.call("/metrics").text
        found = re.search(rf'^{name}{{[^}}]*"{re.escape(model)}"[^}}]*}} (\S+)$', text, re.M)
        check(found, f"no metric {name} of {model}")
        return float(found.group(1))

    def wait_for(self, name, model, wanted, seconds=10):
        """Waits until a metric has a value; -> seconds that took."""
        began = time.monotonic()
        while (value := self.metric(name, model)) != wanted:
            check(time.monotonic() - began < seconds,
                  f"{name} is {value}, not {wanted}, after {seconds} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def end(self, number=signal.SIGTERM, seconds=40):
        """Sends a signal; -> exit code and seconds until the process was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.wait(seconds), time.monotonic() - began

    def wait(self, seconds=40):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the server did not end in {seconds} s") from None


class Work:
    """The program and the models of the tests."""

    def __init__(self, binary, folder, real=None):
        self.binary, self.real, self.folder = binary, real, os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.tiny = make_tiny(os.path.join(self.folder, TINY))

    def server(self, *arguments, **more):
        memory = () if "--memory" in arguments else ("--memory", "1GiB")
        return Server(self.binary, self.folder, *memory, *arguments, **more)


def program():
    """The program of a campaign."""
    return os.environ.get("TULOU", os.path.join(TOP, "build", "release", "tulou"))


def demo_model():
    """The path of the small real model, which is fetched if it is not there."""
    return subprocess.run([os.path.join(TOP, "tools", "demo_model")], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def random_model():
    """The path of a GGUF file of Qwen3.5-0.8B's shape in Q4_0 with random weights."""
    path = os.path.join(TOP, "build", "campaign", "qwen3.5-0.8b-q4_0.gguf")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([os.path.join(TOP, "build", "venv", "bin", "python"),
                        os.path.join(TOP, "bench", "random_gguf.py"), "qwen3.5-0.8b", "q4_0",
                        path], check=True, stdout=sys.stderr)
    return path


def campaign_work(name, real=False, binary=None):
    """The Work of a campaign."""
    return Work(binary or program(), os.path.join(TOP, "build", "campaign", name),
                demo_model() if real else None)


def load():
    """How busy the machine is, for reports."""
    return f"{os.getloadavg()[0]:.1f}"


def events(response):
    """The data of each event of a stream, as it comes; the last one is "[DONE]"."""
    for line in response:
        if line.startswith(b"data: "):
            yield line[6:].rstrip(b"\r\n").decode("utf-8")
