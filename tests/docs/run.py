#!/usr/bin/env python3
"""Runs the commands that the documentation shows.

Blocks marked ```sh run are run line by line, in a folder of their own, with build/release first in
PATH and the demonstration model as $MODEL; each must succeed and, unless it redirects its output,
print something. The lines of other sh blocks must name scripts, presets, commands and options that
exist. Needs build/release/tulou.

usage: run.py [FILE.md ...]     default: all documents of the checkout
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 300


def blocks(text):
    """(first line number, runnable, lines) of each block of shell commands."""
    for match in re.finditer(r"^```sh( run)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield (text.count("\n", 0, match.start()) + 2, bool(match.group(1)),
               match.group(2).rstrip("\n").split("\n"))


def tabled_commands(text):
    """Commands in the tables, which must name existing commands and options too."""
    for number, line in enumerate(text.split("\n"), 1):
        for code in re.findall(r"`([^`]+)`", line) if line.startswith("|") else []:
            if code.startswith(("tulou ", "cmake ", "tools/", "tests/", "./", "python3 ")):
                yield number, code


class Documents:
    def __init__(self, environment):
        self.environment = environment
        self.help_texts = {}
        self.failures = []
        self.checked = 0

    def fail(self, place, message):
        self.failures.append(f"{place}: {message}")

    def help_of(self, command):
        if command not in self.help_texts:
            arguments = ["tulou"] + ([command] if command else []) + ["--help"]
            done = subprocess.run(arguments, env=self.environment, capture_output=True, text=True,
                                  timeout=30, check=False)
            self.help_texts[command] = done.stdout if done.returncode == 0 else ""
        return self.help_texts[command]

    def run(self, place, line, folder):
        # What the checkout's scripts are called by is relative to its top.
        here = TOP if line.startswith("./") else folder
        try:
            done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=here,
                                  env=self.environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            self.fail(place, f"{line}\n    still ran after {SECONDS} s")
            return
        if done.returncode != 0:
            errors = done.stderr.decode("utf-8", "replace").strip()
            self.fail(place, f"{line}\n    exit code {done.returncode}\n    {errors}")
        elif not done.stdout.strip() and not re.search(r"> |--out ", line):
            self.fail(place, f"{line}\n    printed nothing")

    def look_at(self, place, line):
        """Whether a line that is not run names things that exist."""
        for part in re.split(r"&&|\|\|?|;", line):
            words = [w for w in shlex.split(part, comments=True) if "=" not in w.split("-")[0]]
            if not words:
                continue
            name = words[0].removeprefix("build/release/")
            if name == "tulou":
                self.look_at_tulou(place, words[1:])
            elif name == "cmake" or name == "ctest":
                self.look_at_preset(place, words)
            elif "/" in name or name == "python3":
                path = words[1] if name == "python3" else name
                if not os.path.isfile(os.path.join(TOP, path)):
                    self.fail(place, f"{path} does not exist")

    def look_at_tulou(self, place, words):
        command = words[0] if words and re.fullmatch(r"[a-z]+", words[0]) else ""
        text = self.help_of(command)
        if not text:
            self.fail(place, f"tulou {command} is no command")
        for word in words:
            option = re.match(r"\[?(--[a-z-]+|-[a-z])\b", word)
            if option and not re.search(rf"(?<![\w-]){re.escape(option.group(1))}(?![\w-])", text):
                self.fail(place, f"tulou {command} has no option {option.group(1)}")

    def look_at_preset(self, place, words):
        with open(os.path.join(TOP, "CMakePresets.json"), encoding="utf-8") as file:
            presets = file.read()
        for previous, word in zip(words, words[1:]):
            if previous == "--preset" and f'"{word}"' not in presets:
                self.fail(place, f"there is no preset {word}")

    def check(self, path, folder):
        with open(os.path.join(TOP, path), encoding="utf-8") as file:
            text = file.read()
        for first, runnable, lines in blocks(text):
            for offset, line in enumerate(lines):
                if not line.strip() or line.startswith("#"):
                    continue
                self.checked += 1
                place = f"{path}:{first + offset}"
                if runnable:
                    print(f"{place}: {line}", flush=True)
                    self.run(place, line, folder)
                else:
                    self.look_at(place, line)
        for number, command in tabled_commands(text):
            self.checked += 1
            self.look_at(f"{path}:{number}", re.sub(r"\bor\b|[\[\]]", " ", command))


def documents():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout.split()
    return [path for path in sorted(listed) if os.path.isfile(os.path.join(TOP, path))]


def main(arguments):
    program = os.path.join(TOP, "build", "release", "tulou")
    if not os.access(program, os.X_OK):
        print("build/release/tulou is not there: cmake --build --preset release", file=sys.stderr)
        return 1
    model = subprocess.run([os.path.join(TOP, "tools", "demo_model")], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.strip()
    environment = dict(os.environ, MODEL=model,
                       PATH=os.path.dirname(program) + os.pathsep + os.environ.get("PATH", ""))
    checker = Documents(environment)
    for path in arguments or documents():
        with tempfile.TemporaryDirectory() as folder:
            checker.check(path, folder)
    for failure in checker.failures:
        print(f"FAIL {failure}")
    print(f"docs: {checker.checked} commands, {len(checker.failures)} failures")
    return 1 if checker.failures or checker.checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
