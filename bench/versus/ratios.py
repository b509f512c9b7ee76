"""The arithmetic of comparisons: cells, paired ratios with their interval, gates, tables. Pure."""

import random
import re
import statistics

BATCH_TOKENS = 32  # what each sequence of a batch decodes
RESAMPLES = 4000
MIN_PAIRS = 7  # fewer say too little for a gate


class Cell:
    """What one comparison measures: "pp512", "tg64", "tg64@4096", "batch16", "batch16@128"."""

    def __init__(self, name):
        match = re.fullmatch(r"(pp|tg|batch)([1-9][0-9]{0,6})(?:@([0-9]{1,7}))?", name)
        if not match or (match.group(1) == "pp" and match.group(3)):
            raise ValueError(f'"{name}" is not a cell: ppN, tgN, tgN@DEPTH, batchN or batchN@DEPTH')
        kind, number = match.group(1), int(match.group(2))
        self.name = name
        self.prefill = kind == "pp"
        self.tokens = BATCH_TOKENS if kind == "batch" else number
        self.batch = number if kind == "batch" else 1
        self.depth = int(match.group(3) or 0)

    def text(self):
        if self.prefill:
            return f"prefill {self.tokens}"
        more = f" at depth {self.depth}" if self.depth else ""
        return f"decode {self.tokens}{more}" + (
            f", {self.batch} sequences" if self.batch > 1 else "")


def tasks_of(argument, cells, exists):
    """(model, cell) pairs of an argument MODEL or MODEL:CELLS, `cells` being those of a model that
    names none; ValueError if there is no such file or cell."""
    model = argument
    if not exists(model) and ":" in model:
        model, cells = model.rsplit(":", 1)
    if not exists(model):
        raise ValueError(f"{argument}: no such file")
    return [(model, Cell(name)) for name in cells.split(",")]


def interval(ratios, resamples=RESAMPLES):
    """Median of the ratios, and the bootstrap's 90 % interval of it (5th and 95th percentile)."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios)))
                     for _ in range(resamples))
    return (statistics.median(ratios), medians[resamples // 20],
            medians[resamples - 1 - resamples // 20])


def collect(ours, peer, pairs, limit, tries=3):
    """Pairs of samples, in turn (A B B A ...). `ours` and `peer` are functions that take a sample,
    a dictionary with "others"; one above `limit` is dropped and taken again, at most `tries` times,
    then its pair does not count. Two such pairs in a row end it: the machine is not quiet.
    -> (pairs, number of dropped samples)"""
    kept, dropped, in_a_row = [], 0, 0

    def sample(take):
        nonlocal dropped
        for _ in range(tries):
            taken = take()
            if taken["others"] <= limit:
                return taken
            dropped += 1
        return None

    while len(kept) < pairs and in_a_row < 2:
        turn = len(kept) + in_a_row
        order = (ours, peer) if turn % 2 == 0 else (peer, ours)
        first = sample(order[0])
        second = sample(order[1]) if first else None
        if not (first and second):
            in_a_row += 1
            continue
        in_a_row = 0
        kept.append((first, second) if turn % 2 == 0 else (second, first))
    return kept, dropped


def gate_of(gates, model, cell, level):
    """(gate, goal) for a model's file name without its ending, or None."""
    column = next((name for name in ("amx", "avx512", "avx2") if level.startswith(name)), None)
    for row in gates:
        if model.lower() == row["model"].lower() and cell == row["cell"]:
            return tuple(row[column]) if row.get(column) else None
    return None


def verdict(median, num_pairs, gate):
    """What a median says about (gate, goal)."""
    if gate is None:
        return ""
    if median is None or num_pairs < MIN_PAIRS:
        return "too few pairs"
    if median >= gate[1]:
        return "goal reached"
    return "reached" if median >= gate[0] else "MISSED"


def _middle(samples, key):
    values = [s[key] for s in samples if s.get(key) is not None]
    return statistics.median(values) if values else None


def summarise(model, cell, pairs, dropped, gate):
    """One row of the results, from the pairs of samples."""
    row = {"model": model, "cell": cell.name, "text": cell.text(), "pairs": len(pairs),
           "dropped_samples": dropped, "gate": gate, "ratio": None, "interval": None}
    if pairs:
        ours, theirs = [p[0] for p in pairs], [p[1] for p in pairs]
        ratio, low, high = interval(
            [a["tokens_per_second"] / b["tokens_per_second"] for a, b in pairs])
        row.update(ratio=ratio, interval=[low, high])
        for side, samples in (("ours", ours), ("peer", theirs)):
            speeds = [s["tokens_per_second"] for s in samples]
            row[side] = {"median": statistics.median(speeds), "best": max(speeds),
                         "load_seconds": _middle(samples, "load_seconds"),
                         "first_token_seconds": _middle(samples, "first_token_seconds"),
                         "peak_memory_bytes": _middle(samples, "peak_memory_bytes"),
                         "bandwidth_bytes_per_second": _middle(
                             samples, "bandwidth_bytes_per_second"),
                         "bandwidth_share": _middle(samples, "bandwidth_share")}
    row["verdict"] = verdict(row["ratio"], len(pairs), gate)
    row["samples"] = [{"ours": a, "peer": b} for a, b in pairs]
    return row


def _speeds(side):
    return f"{side['median']:.1f} ({side['best']:.1f})"


def speed_table(rows, peer):
    """Markdown: the ratios."""
    lines = ["| model | what | ratio | 90 % interval | ours, tok/s: median (best) | "
             f"{peer}: median (best) | pairs | gate, goal | |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        gate = f"{row['gate'][0]:g}, {row['gate'][1]:g}" if row["gate"] else ""
        start = f"| {row['model']} | {row['text']} |"
        if row["ratio"] is None:
            lines.append(f"{start} not measured: the machine was not quiet | | | | 0 | {gate} | "
                         f"{row['verdict']} |")
            continue
        low, high = row["interval"]
        lines.append(f"{start} {row['ratio']:.2f} | {low:.2f} to {high:.2f} | "
                     f"{_speeds(row['ours'])} | {_speeds(row['peer'])} | {row['pairs']} | {gate} | "
                     f"{row['verdict']} |")
    return "\n".join(lines)


def memory_table(rows, peer):
    """Markdown: load, first token, memory and bandwidth; for each model its first single-sequence
    decoding without a past, else its first row."""
    lines = [f"| model | load, s: ours, {peer} | first token, s: ours, {peer} | peak memory, MiB: "
             f"ours, {peer} | memory bandwidth, GB/s | share of it, decoding |",
             "|---|---|---|---|---|---|"]
    measured = [row for row in rows if row["ratio"] is not None]
    for model in dict.fromkeys(row["model"] for row in measured):
        of_model = [row for row in measured if row["model"] == model]
        row = next((r for r in of_model if re.fullmatch(r"tg[0-9]+", r["cell"])), of_model[0])

        def both(key, scale, digits, row=row):
            values = [row[side][key] for side in ("ours", "peer")]
            return ", ".join("?" if v is None else f"{v / scale:.{digits}f}" for v in values)

        speed, share = (row["ours"][key] for key in
                        ("bandwidth_bytes_per_second", "bandwidth_share"))
        lines.append(f"| {model} | {both('load_seconds', 1, 2)} | "
                     f"{both('first_token_seconds', 1, 2)} | "
                     f"{both('peak_memory_bytes', 1 << 20, 0)} | "
                     f"{'' if speed is None else f'{speed / 1e9:.1f}'} | "
                     f"{'' if share is None else f'{100 * share:.0f} %'} |")
    return "\n".join(lines)
