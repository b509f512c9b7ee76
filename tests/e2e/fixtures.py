"""What the tests of the program need: a small model with a tokenizer, and a way to call it."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN = os.path.join(TOP, "tests", "golden", "cases")

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Failure(Exception):
    """Something is not as it should be."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def byte_characters():
    """The byte-level alphabet: printable Latin-1 stands for itself, the rest moves to U+0100."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(b) if b in own else chr(next(rest)) for b in range(256)]


def tokenizer_json():
    """The 256 bytes and a few added tokens; no merges."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}
    names = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]
    added = [{"id": 256 + i, "content": name, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": True}
             for i, name in enumerate(names)]
    return {
        "version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": byte_level,
        "post_processor": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                  "byte_fallback": False, "merges": [],
                  "vocab": {c: i for i, c in enumerate(byte_characters())}}}


def make_model(folder, case="qwen3_tied", template=TEMPLATE):
    """A golden case's checkpoint with a tokenizer and a template put beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(GOLDEN, case, "model"), folder)
    os.chmod(folder, 0o755)
    write(os.path.join(folder, "tokenizer.json"), json.dumps(tokenizer_json()))
    write(os.path.join(folder, "chat_template.jinja"), template)
    return folder


def write(path, text):
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


class Program:
    """Calls the program under test."""

    def __init__(self, binary):
        self.binary = os.path.abspath(binary)

    def environment(self, **extra):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TULOU_")}
        return {**kept, "XDG_CONFIG_HOME": "/nonexistent", **extra}

    def call(self, *arguments, stdin=b"", code=0, **extra):
        """-> standard output as bytes, standard error as text; the exit code must be `code`."""
        result = subprocess.run([self.binary, *map(str, arguments)], input=stdin, timeout=300,
                                capture_output=True, env=self.environment(**extra), check=False)
        errors = result.stderr.decode("utf-8", "replace")
        check(result.returncode == code,
              f"exit code {result.returncode}, not {code}, of {arguments}: {errors}")
        return result.stdout, errors

    def fails(self, code, *arguments, says=(), **options):
        """The call fails with one line of error and a hint, which hold the given texts."""
        out, errors = self.call(*arguments, code=code, **options)
        lines = errors.rstrip("\n").split("\n")
        check(lines[0].startswith("error: "), f"no error line of {arguments}: {errors}")
        check(len(lines) <= 2 and all(l.startswith("hint: ") for l in lines[1:]),
              f"not one line and a hint, of {arguments}: {errors}")
        for text in says:
            check(text in errors, f"\"{text}\" is not in what {arguments} says: {errors}")
        return out

    def json(self, *arguments, **options):
        return json.loads(self.call(*arguments, **options)[0])


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, program, *arguments):
        self.output = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ.update(program.environment(TERM="xterm"))
            os.execv(program.binary, [program.binary, *map(str, arguments)])

    def send(self, text):
        os.write(self.descriptor, text.encode())

    def read_until(self, text, seconds=120):
        """What came up to and with the text; it is taken from the output."""
        wanted = text.encode()
        end = time.monotonic() + seconds
        while wanted not in self.output:
            check(time.monotonic() < end, f"\"{text}\" did not come: {self.output!r}")
            ready, _, _ = select.select([self.descriptor], [], [], 0.2)
            if not ready:
                continue
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                data = b""
            check(data, f"the program ended before \"{text}\": {self.output!r}")
            self.output += data
        at = self.output.index(wanted) + len(wanted)
        taken, self.output = self.output[:at], self.output[at:]
        return taken.decode("utf-8", "replace")

    def wait(self, seconds=60):
        """-> the exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.descriptor)
                return os.waitstatus_to_exitcode(status)
            ready, _, _ = select.select([self.descriptor], [], [], 0.1)
            if ready:
                try:
                    self.output += os.read(self.descriptor, 65536)
                except OSError:
                    pass
        os.kill(self.pid, signal.SIGKILL)
        raise Failure(f"the program did not end: {self.output!r}")
