"""What the default precision costs, beside what llama.cpp's costs, on real weights and text.

usage: accuracy.py TULOU PEER LIBRARIES MODEL [TOKENS [PRECISION OPTION...]]

The text is Debian's collection of licences, in chunks of 512 tokens. For each position the KL
divergence from the logits of --precision exact to ours and to llama.cpp's; the two are compared in
pairs, and chunks are drawn again (bootstrap) for the 90 % interval of the difference. The bounds:
the upper end of the interval is at most 5 % of llama.cpp's mean; the most likely tokens of both
programs differ at 3 % of the positions at most, each time by a margin below 0.3. A margin is the
distance of the two tokens in the logits of exact mode. How often, and how far, each program differs
from exact mode itself is told beside it.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))
import compare  # noqa: E402

TEXTS = ["GPL-3", "Apache-2.0", "MPL-2.0", "LGPL-2.1", "GFDL-1.3", "MPL-1.1", "GPL-2", "CC0-1.0",
         "Artistic", "GPL-1"]
CHUNK = 512


class Peer:
    """llama.cpp's logits with its default options."""

    def __init__(self, program, libraries, model, cpu, work):
        self.call = [program, "logits", libraries, model]
        self.cpu, self.work = cpu, work

    def logits(self, ids):
        ids_path, out_path = os.path.join(self.work, "ids.txt"), os.path.join(self.work, "peer.f32")
        with open(ids_path, "w", encoding="ascii") as file:
            file.write(" ".join(map(str, ids)))
        subprocess.run([*self.call, ids_path, out_path, self.cpu, "default"], check=True,
                       capture_output=True)
        return np.fromfile(out_path, np.float32).reshape(len(ids), -1)


def tokens_of(program, model, count, work):
    path = os.path.join(work, "text.txt")
    with open(path, "w", encoding="utf-8") as file:
        for name in TEXTS:
            with open(os.path.join("/usr/share/common-licenses", name), encoding="utf-8",
                      errors="replace") as text:
                file.write(text.read())
    ids = [int(word) for word in program.call("tokenize", model, path).split()]
    if len(ids) < count:
        sys.exit(f"accuracy: the text has {len(ids)} tokens, {count} are wanted")
    return ids[:count]


class Positions:
    """What is kept of each position."""

    def __init__(self):
        self.ours, self.theirs = [], []  # KL divergences from exact mode, one array a chunk
        self.pairs = {name: [] for name in ("ours and llama.cpp's", "exact mode's and ours",
                                            "exact mode's and llama.cpp's")}

    def add(self, exact, own, other):
        self.ours.append(compare.kl_of_rows(exact, own))
        self.theirs.append(compare.kl_of_rows(exact, other))
        rows = np.arange(len(exact))
        for margins, (a, b) in zip(self.pairs.values(),
                                   ((own, other), (exact, own), (exact, other))):
            a, b = a.argmax(axis=1), b.argmax(axis=1)
            margins.append(np.where(a == b, np.nan, np.abs(exact[rows, a] - exact[rows, b])))

    def disagreement(self, name):
        """-> the share of positions with different tokens, and the largest margin among them."""
        margins = np.concatenate(self.pairs[name])
        differ = ~np.isnan(margins)
        return differ.mean(), margins[differ].max(initial=0)


def measure(program, peer, model, ids, options):
    positions = Positions()
    for begin in range(0, len(ids), CHUNK):
        chunk = ids[begin:begin + CHUNK]
        exact = program.logits(model, chunk, "--precision", "exact")
        own = program.logits(model, chunk, "--precision", "default", *options)
        positions.add(exact, own, peer.logits(chunk))
        print(f"accuracy: {begin + len(chunk):,} of {len(ids):,} tokens", file=sys.stderr)
    return positions


def interval(ours, theirs):
    differences = np.array([np.mean(a - b) for a, b in zip(ours, theirs)])
    drawn = np.random.default_rng(1).integers(0, len(differences), (10000, len(differences)))
    return np.quantile(differences[drawn].mean(axis=1), [0.05, 0.95])


def report(positions):
    """Prints the table. -> whether all bounds hold."""
    low, high = interval(positions.ours, positions.theirs)
    own, other = (np.mean(np.concatenate(kl)) for kl in (positions.ours, positions.theirs))
    rows = [("mean KL from exact to ours", f"{own:.3e}", "", None),
            ("mean KL from exact to llama.cpp's", f"{other:.3e}", "", None),
            ("difference, 90 % interval", f"[{low:.2e}, {high:.2e}]", f"{0.05 * other:.2e}",
             bool(high <= 0.05 * other))]
    for name in positions.pairs:
        share, margin = positions.disagreement(name)
        bounded = name == "ours and llama.cpp's"
        rows += [(f"most likely tokens, {name}: differ", f"{100 * share:.2f} %",
                  "3 %" if bounded else "", bool(share <= 0.03) if bounded else None),
                 ("largest margin among them", f"{margin:.3f}", "0.3" if bounded else "",
                  bool(margin < 0.3) if bounded else None)]
    print("| what | value | bound | |\n|---|---|---|---|")
    for what, value, bound, holds in rows:
        print(f"| {what} | {value} | {bound} | "
              f"{'' if holds is None else 'ok' if holds else 'MISSED'} |")
    return all(holds is not False for *_, holds in rows)


def main():
    binary, peer, libraries, model, *rest = sys.argv[1:]
    count, options = int(rest[0]) if rest else 20480, rest[1:]
    with tempfile.TemporaryDirectory() as work:
        program = compare.Program(binary, work, timeout=3600)
        level = json.loads(program.call("inspect", "--kernels", "--json"))["chosen"]
        cpu = "haswell" if level == "avx2" else "auto"
        ids = tokens_of(program, model, count, work)
        positions = measure(program, Peer(peer, libraries, model, cpu, work), model, ids, options)
    print(f"{len(ids):,} tokens in chunks of {CHUNK}, level {level}, llama.cpp's library {cpu}, "
          f"options of ours: {' '.join(options) or 'none'}.\n")
    return 0 if report(positions) else 1


if __name__ == "__main__":
    sys.exit(main())
