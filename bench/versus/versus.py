"""Takes paired samples of Tulou and llama.cpp; called by bench/versus/run, which explains it.

Each sample is a process of its own with one measurement, after a warm-up inside it, so that both
start from the same state; it waits for a quiet moment first.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

import ratios

QUIET = 0.06  # processors that others may use before a sample
HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """Processor time of everyone since boot (proc(5): without idle and iowait)."""
    with open("/proc/stat", encoding="ascii") as file:
        values = [int(x) for x in file.readline().split()[1:9]]
    return (sum(values) - values[3] - values[4]) / TICK


def wait_for_quiet(seconds):
    """Until others leave the processors alone for 0.4 s, at most `seconds`."""
    end = time.monotonic() + seconds
    while True:
        before = busy_seconds()
        time.sleep(0.4)
        if (busy_seconds() - before) / 0.4 < QUIET or time.monotonic() > end:
            return


class Failed(Exception):
    """A program did not do what it was asked for."""


def run(command):
    """-> (standard output, standard error)"""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


class Tulou:
    """`tulou bench`, a process for each sample."""

    def __init__(self, binary, threads, isa):
        self.binary = binary
        self.options = ["--threads", str(threads)] + (["--isa", isa] if isa else [])

    def level(self):
        command = [self.binary, "inspect", "--kernels", "--json", *self.options[2:]]
        return json.loads(run(command)[0])["chosen"]

    def sample(self, model, cell):
        counts = (["-p", str(cell.tokens), "-n", "0"] if cell.prefill else
                  ["-p", "0", "-n", str(cell.tokens), "--depth", str(cell.depth), "--batch",
                   str(cell.batch)])
        report = json.loads(run([self.binary, "bench", model, *counts, "--repeat", "1", "--json",
                                 *self.options])[0])
        measured = report["measurements"][0]
        taken = dict(measured["samples"][0], bandwidth_share=measured["bandwidth_share"])
        for key in ("load_seconds", "first_token_seconds", "peak_memory_bytes",
                    "bandwidth_bytes_per_second"):
            taken[key] = report[key]
        return taken


class LlamaCpp:
    """The peer program with llama.cpp's libraries and its default options."""

    def __init__(self, binary, libraries, cpu, threads):
        self.binary, self.libraries, self.cpu, self.threads = binary, libraries, cpu, threads
        self.loaded = "unknown"

    def sample(self, model, cell):
        out, log = run([self.binary, "bench", self.libraries, model, self.cpu, str(self.threads),
                        "prefill" if cell.prefill else "decode", str(cell.tokens),
                        str(cell.depth), str(cell.batch)])
        found = re.findall(r"libggml-cpu-(\w+)\.so", log)
        self.loaded = found[-1] if found else self.loaded
        return json.loads(out)


def compare(arguments, ours, peer, model, cell, gate):
    """One row of the results."""
    name = os.path.basename(model).removesuffix(".gguf")

    def taker(who, side):
        def take():
            wait_for_quiet(arguments.quiet)
            taken = side.sample(model, cell)
            if taken["others"] is None:
                raise Failed("the system does not tell how busy it is")
            print(f"{name} {cell.name}: {who} {taken['tokens_per_second']:.2f} tok/s, others "
                  f"{taken['others']:.2f}", file=sys.stderr, flush=True)
            return taken
        return take

    pairs, dropped = ratios.collect(taker("ours", ours), taker("peer", peer), arguments.pairs,
                                    arguments.limit)
    return ratios.summarise(name, cell, pairs, dropped, gate)


def commit():
    try:
        return run(["git", "-C", HERE, "describe", "--always", "--dirty", "--abbrev=12"])[0].strip()
    except (Failed, OSError):
        return "unknown"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        found = re.search(r"^model name[^:]*: (.*)$", file.read(), re.MULTILINE)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    return {"processor": found.group(1) if found else "unknown",
            "processors": len(os.sched_getaffinity(0)), "memory_gib": round(memory, 1)}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/versus/run", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf[:CELLS]")
    parser.add_argument("--cells", default="pp512,tg64")
    parser.add_argument("--pairs", type=int, default=ratios.MIN_PAIRS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--isa", default="")
    parser.add_argument("--peer-cpu")
    parser.add_argument("--quiet", type=float, default=60)
    parser.add_argument("--limit", type=float, default=0.10)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--against", metavar="PROGRAM")
    parser.add_argument("--tulou", required=True, help=argparse.SUPPRESS)
    for name in ("--peer", "--libraries", "--package"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        arguments.tasks = [task for model in arguments.models
                           for task in ratios.tasks_of(model, arguments.cells, os.path.exists)]
    except ValueError as error:
        parser.error(str(error))
    if arguments.pairs < 1 or arguments.threads < 1:
        parser.error("--pairs and --threads are at least 1")
    return arguments


def make_peer(arguments, level):
    """-> (peer, its name in tables, its version)"""
    if arguments.against:
        version = run([arguments.against, "--version"])[0].strip()
        return Tulou(arguments.against, arguments.threads, arguments.isa), "other", version
    cpu = arguments.peer_cpu or ("haswell" if level == "avx2" else "auto")
    version = next((m.group(1) for m in (re.fullmatch(r"libllama\.(v[0-9.]+)\.so", name)
                                         for name in os.listdir(arguments.libraries)) if m), "?")
    return (LlamaCpp(arguments.peer, arguments.libraries, cpu, arguments.threads), "llama.cpp",
            f"llama.cpp {version} (npm {arguments.package})")


def report_text(report, peer_name):
    """The results as Markdown."""
    place = report["machine"]
    return "\n\n".join([
        f"{place['processor']}, {place['processors']} processors, {place['memory_gib']:g} GiB; "
        f"{report['threads']} threads each; tulou {report['commit']}, kernel level "
        f"{report['level']}; {report['peer']}{report['peer_library']}. Others used at most "
        f"{report['limit']:g} processors during a sample.",
        ratios.speed_table(report["rows"], peer_name),
        ratios.memory_table(report["rows"], peer_name)]) + "\n"


def write(path, text):
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def main():
    arguments = parse_arguments()
    with open(os.path.join(HERE, "gates.json"), encoding="utf-8") as file:
        gates = json.load(file) if not arguments.against else []
    ours = Tulou(arguments.tulou, arguments.threads, arguments.isa)
    level = ours.level()
    peer, peer_name, version = make_peer(arguments, level)
    rows = []
    for model, cell in arguments.tasks:
        stem = os.path.basename(model).removesuffix(".gguf")
        rows.append(compare(arguments, ours, peer, model, cell,
                            ratios.gate_of(gates, stem, cell.name, level)))
    library = f", library {peer.loaded}" if isinstance(peer, LlamaCpp) else ""
    report = {"machine": machine(), "threads": arguments.threads, "commit": commit(),
              "level": level, "peer": version, "peer_library": library, "limit": arguments.limit,
              "date": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()), "rows": rows}
    text = report_text(report, peer_name)
    print(text, end="", flush=True)
    write(arguments.markdown, text)
    write(arguments.json, json.dumps(report, indent=1) + "\n")
    missed = [row for row in rows if row["verdict"] in ("MISSED", "too few pairs")]
    return 1 if arguments.gate and missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
