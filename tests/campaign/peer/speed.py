"""Prefill and decode speed of Tulou beside llama.cpp, in turn (A B B A ...), as paired ratios.

usage: speed.py TULOU PEER LIBRARIES MODEL [--pairs N] [--cpu NAME] [--quiet SECONDS]
                [--decode-gate R] [--prefill-gate R]
A sample waits until other processes leave the processors alone, at most SECONDS; a pair during
which they took more than a tenth of a processor does not count, if enough others remain.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

PROMPT_TOKENS = 256
ANSWER_TOKENS = 64
THREADS = 2
QUIET = 0.06  # processors that others may use before a sample
FOREIGN = 0.10  # and during it
TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """Processor time of everyone since boot."""
    with open("/proc/stat", encoding="ascii") as file:
        values = [int(x) for x in file.readline().split()[1:9]]
    return (sum(values) - values[3] - values[4]) / TICK


def own_seconds(pid=None):
    """Processor time of finished children, or of a running process."""
    if pid is None:
        times = os.times()
        return times.children_user + times.children_system
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def wait_for_quiet(seconds):
    begin = time.time()
    while time.time() - begin < seconds:
        before = busy_seconds()
        time.sleep(0.4)
        if (busy_seconds() - before) / 0.4 < QUIET:
            return


def sampled(run, pid, quiet):
    """-> (result of run, processors that others used meanwhile)"""
    wait_for_quiet(quiet)
    begin, all_before, own_before = time.time(), busy_seconds(), own_seconds(pid)
    result = run()
    others = busy_seconds() - all_before - (own_seconds(pid) - own_before)
    return result, max(0.0, others / (time.time() - begin))


class Tulou:
    """A process for each sample, as a user starts it. Digits are a token each."""

    def __init__(self, binary, model, work):
        self.prompt = os.path.join(work, "prompt.txt")
        with open(self.prompt, "w", encoding="ascii") as file:
            file.write("".join(str(i % 10) for i in range(PROMPT_TOKENS)))
        self.command = [binary, "run", model, "--raw", "-f", self.prompt, "--json", "-n",
                        str(ANSWER_TOKENS), "--temperature", "0", "--threads", str(THREADS)]
        self.pid = None

    def run(self):
        answer = json.loads(subprocess.run(self.command, check=True, capture_output=True,
                                           text=True).stdout)
        if (answer["prompt_tokens"], answer["generated_tokens"]) != (PROMPT_TOKENS, ANSWER_TOKENS):
            raise RuntimeError(f"not the wanted numbers of tokens: {answer}")
        return answer["prompt_tokens_per_second"], answer["generated_tokens_per_second"]


class Peer:
    """llama.cpp, loaded once and warm."""

    def __init__(self, program, libraries, model, cpu):
        self.process = subprocess.Popen([program, "speed", libraries, model, cpu, str(THREADS)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.run()

    def run(self):
        self.process.stdin.write(f"{PROMPT_TOKENS} {ANSWER_TOKENS}\n")
        self.process.stdin.flush()
        return tuple(float(x) for x in self.process.stdout.readline().split())

    def end(self):
        """-> the processor library that it chose"""
        _, log = self.process.communicate(timeout=60)
        return next((line.rsplit("/", 1)[-1] for line in log.split("\n") if "loaded CPU" in line),
                    "unknown")


def interval(ratios):
    """Median of the ratios, and the bootstrap's 90 % interval of it."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios)))
                     for _ in range(4000))
    return statistics.median(ratios), medians[200], medians[3800]


def measure(arguments, ours, peer):
    """-> pairs of (ours, peer, processors that others used)"""
    pairs = []
    for i in range(3 * arguments.pairs):
        order = (ours, peer) if i % 2 == 0 else (peer, ours)
        samples = {side: sampled(side.run, side.pid, arguments.quiet) for side in order}
        pairs.append((samples[ours][0], samples[peer][0],
                      max(samples[ours][1], samples[peer][1])))
        print(f"pair {i}: ours {samples[ours][0]} peer {samples[peer][0]} "
              f"others {pairs[-1][2]:.2f}", file=sys.stderr)
        if sum(foreign <= FOREIGN for _, _, foreign in pairs) >= arguments.pairs:
            break
    return pairs


def report(arguments, pairs, library):
    """Prints the table. -> whether both gates are reached."""
    counted = [pair for pair in pairs if pair[2] <= FOREIGN]
    quiet = len(counted) >= arguments.pairs
    counted = counted if quiet else pairs
    print(f"llama.cpp v0.5.0 (npm), {library}, default options; {THREADS} threads each; "
          f"{len(counted)} pairs of {len(pairs)} measured.")
    if not quiet:
        print("Other processes were never quiet enough: all pairs count, "
              f"others used {statistics.median(p[2] for p in pairs):.2f} processors (median).")
    print("\n| what | ratio (median) | 90 % interval | ours, median (best) | llama.cpp, median "
          "(best) | required |\n|---|---|---|---|---|---|")
    reached = True
    cells = ((f"prefill {PROMPT_TOKENS}", arguments.prefill_gate),
             (f"decode {ANSWER_TOKENS}", arguments.decode_gate))
    for cell, (name, gate) in enumerate(cells):
        ours, theirs = [p[0][cell] for p in counted], [p[1][cell] for p in counted]
        middle, low, high = interval([a / b for a, b in zip(ours, theirs)])
        reached = reached and middle >= gate
        print(f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} | "
              f"{statistics.median(ours):.1f} ({max(ours):.1f}) tokens/s | "
              f"{statistics.median(theirs):.1f} ({max(theirs):.1f}) tokens/s | {gate} |")
    print("\n" + ("reached" if reached else "NOT reached"))
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tulou", "peer", "libraries", "model"):
        parser.add_argument(name)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--cpu", default="auto", help="llama.cpp's library, for example haswell")
    parser.add_argument("--quiet", type=float, default=30)
    parser.add_argument("--decode-gate", type=float, default=0.6)
    parser.add_argument("--prefill-gate", type=float, default=0.3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        ours = Tulou(arguments.tulou, arguments.model, work)
        peer = Peer(arguments.peer, arguments.libraries, arguments.model, arguments.cpu)
        ours.run()
        pairs = measure(arguments, ours, peer)
        library = peer.end()
    return 0 if report(arguments, pairs, library) else 1


if __name__ == "__main__":
    sys.exit(main())
