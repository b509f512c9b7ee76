"""Prefill and decode speed of Tulou beside llama.cpp, in turn (A B B A ...), as paired ratios.

usage: speed.py TULOU PEER LIBRARIES MODEL [--pairs N] [--cpu NAME] [--quiet SECONDS]
                [--processor-time] [--decode-gate R] [--prefill-gate R]
A sample waits until other processes leave the processors alone, at most SECONDS; a pair during
which they took more than a tenth of a processor does not count. On a machine that is never quiet
the clock says nothing (threads that wait for each other suffer out of proportion): then what counts
is the processor time of one thread each.
"""

import argparse
import json
import os
import random
import resource
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
        times = resource.getrusage(resource.RUSAGE_CHILDREN)
        return times.ru_utime + times.ru_stime
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def wait_for_quiet(seconds):
    """-> whether others left the processors alone at last"""
    begin = time.time()
    while time.time() - begin < seconds:
        before = busy_seconds()
        time.sleep(0.4)
        if (busy_seconds() - before) / 0.4 < QUIET:
            return True
    return False


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
        self.binary, self.model, self.work, self.pid = binary, model, work, None

    def answer(self, prompt_tokens, answer_tokens, threads):
        """-> (what `tulou run --json` says, seconds of processor time)"""
        path = os.path.join(self.work, f"prompt_{prompt_tokens}.txt")
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(str(i % 10) for i in range(prompt_tokens)))
        before = own_seconds()
        answer = json.loads(subprocess.run(
            [self.binary, "run", self.model, "--raw", "-f", path, "--json", "-n",
             str(answer_tokens), "--temperature", "0", "--threads", str(threads)],
            check=True, capture_output=True, text=True).stdout)
        if (answer["prompt_tokens"], answer["generated_tokens"]) != (prompt_tokens, answer_tokens):
            raise RuntimeError(f"not the wanted numbers of tokens: {answer}")
        return answer, own_seconds() - before

    def run(self):
        """-> tokens per second of prefill and decode"""
        answer, _ = self.answer(PROMPT_TOKENS, ANSWER_TOKENS, THREADS)
        return answer["prompt_tokens_per_second"], answer["generated_tokens_per_second"]

    def run_processor(self):
        """The same per second of processor time of one thread, from differences of whole runs."""
        _, nothing = self.answer(1, 1, 1)
        _, prompt = self.answer(PROMPT_TOKENS, 1, 1)
        _, both = self.answer(PROMPT_TOKENS, ANSWER_TOKENS, 1)
        return (PROMPT_TOKENS - 1) / (prompt - nothing), (ANSWER_TOKENS - 1) / (both - prompt)


class Peer:
    """llama.cpp, loaded once and warm."""

    def __init__(self, arguments, threads):
        self.process = subprocess.Popen(
            [arguments.peer, "speed", arguments.libraries, arguments.model, arguments.cpu,
             str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.run()

    def numbers(self):
        self.process.stdin.write(f"{PROMPT_TOKENS} {ANSWER_TOKENS}\n")
        self.process.stdin.flush()
        return tuple(float(x) for x in self.process.stdout.readline().split())

    def run(self):
        return self.numbers()[:2]

    def run_processor(self):
        return self.numbers()[2:]

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


def measure_wall(arguments, ours, peer):
    """-> pairs (ours, peer) measured in quiet, or None on a busy machine"""
    pairs = []
    for i in range(3 * arguments.pairs):
        order = (ours, peer) if i % 2 == 0 else (peer, ours)
        samples = {side: sampled(side.run, side.pid, arguments.quiet) for side in order}
        others = max(samples[ours][1], samples[peer][1])
        print(f"pair {i}: ours {samples[ours][0]} peer {samples[peer][0]} others {others:.2f}",
              file=sys.stderr)
        if others <= FOREIGN:
            pairs.append((samples[ours][0], samples[peer][0]))
        if len(pairs) == arguments.pairs:
            return pairs
        if i == 2 and not pairs:
            break
    return None


def measure_processor(arguments, ours, peer):
    """-> pairs (ours, peer) of tokens per second of processor time"""
    pairs = []
    for i in range(arguments.pairs):
        order = (ours, peer) if i % 2 == 0 else (peer, ours)
        samples = {side: side.run_processor() for side in order}
        pairs.append((samples[ours], samples[peer]))
        print(f"pair {i}: ours {samples[ours]} peer {samples[peer]} (processor time)",
              file=sys.stderr)
    return pairs


def report(arguments, pairs):
    """Prints the table. -> whether both gates are reached."""
    print("| what | ratio (median) | 90 % interval | ours, median (best) | llama.cpp, median "
          "(best) | required |\n|---|---|---|---|---|---|")
    reached = True
    cells = ((f"prefill {PROMPT_TOKENS}", arguments.prefill_gate),
             (f"decode {ANSWER_TOKENS}", arguments.decode_gate))
    for cell, (name, gate) in enumerate(cells):
        ours, theirs = [p[0][cell] for p in pairs], [p[1][cell] for p in pairs]
        middle, low, high = interval([a / b for a, b in zip(ours, theirs)])
        reached = reached and middle >= gate
        print(f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} | "
              f"{statistics.median(ours):.1f} ({max(ours):.1f}) tokens/s | "
              f"{statistics.median(theirs):.1f} ({max(theirs):.1f}) tokens/s | {gate} |")
    print("\n" + ("reached" if reached else "NOT reached"))
    return reached


def measure(arguments, ours):
    """-> (pairs, how they were measured)"""
    pairs = None
    # Five quiet moments: one may be chance, and then the peer's waiting threads take minutes.
    if not arguments.processor_time and all(wait_for_quiet(arguments.quiet) for _ in range(5)):
        peer = Peer(arguments, THREADS)
        pairs = measure_wall(arguments, ours, peer)
        library = peer.end()
    if pairs is not None:
        return pairs, f"{library}, {THREADS} threads each, {len(pairs)} pairs on a quiet machine"
    peer = Peer(arguments, 1)
    pairs = measure_processor(arguments, ours, peer)
    return pairs, (f"{peer.end()}. The machine was not quiet, so this is the processor "
                   f"time of one thread each, {len(pairs)} pairs")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tulou", "peer", "libraries", "model"):
        parser.add_argument(name)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--cpu", default="auto", help="llama.cpp's library, for example haswell")
    parser.add_argument("--quiet", type=float, default=30)
    parser.add_argument("--processor-time", action="store_true", help="without waiting for quiet")
    parser.add_argument("--decode-gate", type=float, default=0.6)
    parser.add_argument("--prefill-gate", type=float, default=0.3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        ours = Tulou(arguments.tulou, arguments.model, work)
        ours.run()
        pairs, how = measure(arguments, ours)
    print(f"llama.cpp v0.5.0 (npm), default options: {how}.\n")
    return 0 if report(arguments, pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
