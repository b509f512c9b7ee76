"""Compares the program with the golden cases, from the outside, for checkpoint folders and for
the same weights as F32 GGUF.

usage: compare.py --binary build/release/tulou --work FOLDER [--quick] [--case NAME]
Of every text case: logits in one pass, split, as ragged batch and of all prefixes within the
tolerance (largest and median row), bit for bit the same in all these ways at both precisions, at
every kernel level of this machine; greedy continuations; of the others embeddings, and the text
before the first picture.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_gguf  # noqa: E402

CASES = os.path.join(HERE, "cases")
# A default-precision run may stray from the reference as far as the reference itself does in bf16.
BF16_YARDSTICK = 2.0


class Mismatch(Exception):
    """What was compared differs."""


class Program:
    """The binary and a folder for its files; a call may take `timeout` seconds."""

    def __init__(self, binary, work, timeout=120):
        self.binary, self.work, self.timeout, self.runs = binary, work, timeout, 0

    def call(self, *arguments):
        result = subprocess.run([self.binary, *map(str, arguments)], capture_output=True,
                                text=True, timeout=self.timeout, check=False)
        if result.returncode != 0:
            raise Mismatch(f"exit code {result.returncode} of tulou "
                           f"{' '.join(map(str, arguments))}: {result.stderr.strip()}")
        return result.stdout

    def path(self, suffix):
        self.runs += 1
        return os.path.join(self.work, f"{os.getpid()}_{self.runs}{suffix}")

    def with_files(self, command, model, ids, options):
        ids_path, out_path = self.path("_ids.json"), self.path("_out.npy")
        with open(ids_path, "w", encoding="utf-8") as file:
            json.dump(ids, file)
        try:
            self.call(command, model, ids_path, "--out", out_path, *options)
            return np.load(out_path)
        finally:
            for path in (ids_path, out_path):
                if os.path.exists(path):
                    os.remove(path)

    def logits(self, model, ids, *options):
        return self.with_files("logits", model, ids, options)

    def embed(self, model, ids, *options):
        return self.with_files("embed", model, ids, options)

    def generate(self, model, ids, count, *options):
        ids_path = self.path("_ids.json")
        with open(ids_path, "w", encoding="utf-8") as file:
            json.dump(ids, file)
        try:
            return json.loads(self.call("generate", model, ids_path, "-n", count, *options))
        finally:
            os.remove(ids_path)

    def levels(self):
        """The kernel levels that this machine can run."""
        report = json.loads(self.call("inspect", "--kernels", "--json"))
        return report["available"]


class Case:
    """One golden case: what was computed, and how far one may be from it."""

    def __init__(self, name):
        self.name, self.folder = name, os.path.join(CASES, name)
        with open(os.path.join(self.folder, "expected.json"), encoding="utf-8") as file:
            self.expected = json.load(file)
        self.tensors = make_gguf.read_safetensors(
            os.path.join(self.folder, "expected.safetensors"))
        self.kind = self.expected["kind"]

    def check_rows(self, rows, wanted, what):
        """-> (largest, median) row error; raises if a tolerance is broken."""
        if rows.shape != wanted.shape:
            raise Mismatch(f"{what}: shape {rows.shape}, expected {wanted.shape}")
        errors = np.abs(rows - wanted).max(axis=1)
        if not np.isfinite(errors).all():
            raise Mismatch(f"{what}: not a number")
        limit = self.expected["tolerance"]
        largest, median = float(errors.max()), float(np.median(errors))
        if largest > limit["fp32_max_abs"] or median > limit["fp32_median_row_max_abs"]:
            raise Mismatch(f"{what}: largest {largest:.3g} (tolerance {limit['fp32_max_abs']:.3g},"
                           f" row {int(errors.argmax())}), median {median:.3g} "
                           f"(tolerance {limit['fp32_median_row_max_abs']:.3g})")
        return largest, median


def differing_bits(a, b, what):
    if a.shape != b.shape:
        raise Mismatch(f"{what}: shape {a.shape}, expected {b.shape}")
    bits = int(np.bitwise_count(np.ascontiguousarray(a).view(np.uint32) ^
                                np.ascontiguousarray(b).view(np.uint32)).sum())
    if bits:
        rows = np.flatnonzero((a != b).any(axis=1))
        raise Mismatch(f"{what}: {bits} bits differ, first in row {int(rows[0])}")


def log_softmax(rows):
    shifted = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def kl_of_rows(wanted, rows):
    """KL(softmax(wanted) || softmax(rows)) of each row."""
    p, q = log_softmax(wanted), log_softmax(rows)
    return (np.exp(p) * (p - q)).sum(axis=1)


def kl_divergence(wanted, rows):
    """Mean over the rows of KL(softmax(wanted) || softmax(rows))."""
    return float(kl_of_rows(wanted, rows).mean())


def invariance(program, model, ids, prefixes, options, quick):
    """One pass, and the same bits in every other way. -> the logits."""
    one = program.logits(model, ids, "--threads", 1, *options)
    sequences = [ids[:n] for n in prefixes] + [ids]
    wanted = np.concatenate([one[:len(s)] for s in sequences])
    same = [("split 7", ids, one, ["--split", 7, "--threads", 2]),
            ("ragged batch", sequences, wanted, ["--batch", "--threads", 2])]
    if not quick:
        same += [
            ("split 1", ids, one, ["--split", 1, "--threads", 1]),
            ("split 64", ids, one, ["--split", 64, "--threads", 1]),
            ("two threads", ids, one, ["--threads", 2]),
            ("prefixes", sequences, wanted, ["--threads", 1]),
            ("batch of 3, split 7", sequences[-3:],
             np.concatenate([one[:len(s)] for s in sequences[-3:]]),
             ["--batch", "--split", 7, "--threads", 2]),
            ("batch of 8, split 1", sequences[-8:],
             np.concatenate([one[:len(s)] for s in sequences[-8:]]),
             ["--batch", "--split", 1, "--threads", 1]),
        ]
    for what, given, rows, how in same:
        differing_bits(program.logits(model, given, *how, *options), rows, what)
    return one


def check_greedy(program, case, model, quick):
    prompts = [entry["ids"] for entry in case.expected["greedy"]]
    wanted = [entry["new_tokens"] for entry in case.expected["greedy"]]
    ways = [["--batch"]] if quick else [["--batch"], ["--threads", "1"]]
    for options in ways:
        answers = program.generate(model, prompts, len(wanted[0]), *options)
        if answers != wanted:
            raise Mismatch(f"greedy continuation {' '.join(options)}: {answers}, "
                           f"expected {wanted}")
    if program.generate(model, prompts[0], len(wanted[0])) != wanted[0]:
        raise Mismatch("greedy continuation of a single array")
    return len(prompts)


def check_text(program, case, model, arguments, levels):
    ids, prefixes = case.expected["prompt"]["ids"], case.expected["prefix_lengths"]
    wanted = case.tensors["logits"]
    exact = invariance(program, model, ids, prefixes, [], arguments.quick)
    largest, median = case.check_rows(exact, wanted, "logits")
    # Prefixes have exactly the bits of the first rows of `exact`, so their error is known as well.
    default = invariance(program, model, ids, prefixes, ["--precision", "default"],
                         arguments.quick)
    kl, yardstick = kl_divergence(wanted, default), case.expected["measured"]
    limit = BF16_YARDSTICK * yardstick["bf16_reference_vs_fp32"]["mean_kl"]
    if kl > limit:
        raise Mismatch(f"default precision: mean KL {kl:.3g}, allowed {limit:.3g}")
    for level in levels:
        rows = program.logits(model, ids, "--isa", level, "--threads", 1)
        case.check_rows(rows, wanted, f"logits at level {level}")
        split = program.logits(model, ids, "--isa", level, "--split", 7, "--threads", 2)
        differing_bits(split, rows, f"split 7 at level {level}")
    num_prompts = check_greedy(program, case, model, arguments.quick)
    limit = case.expected["tolerance"]
    return (f"max {largest:.2e} of {limit['fp32_max_abs']:.2e}, median {median:.2e} of "
            f"{limit['fp32_median_row_max_abs']:.2e}; default KL {kl:.1e}; 0 bits differ; "
            f"{num_prompts} continuations")


def check_embedding(program, case, model, arguments, levels):
    prompts, tolerance = case.expected["prompts"], case.expected["tolerance"]["fp32_max_abs"]
    sequences = [prompt["ids"] for prompt in prompts]
    short, largest = case.expected["truncated_to"], 0.0
    for options in [[]] + [["--isa", level] for level in levels]:
        whole = program.embed(model, sequences, *options)
        cut = program.embed(model, sequences, "--dimensions", short, *options)
        for i, prompt in enumerate(prompts):
            name = prompt["embedding"]
            for rows, key in ((whole, name), (cut, f"{name}.dim{short}")):
                error = float(np.abs(rows[i] - case.tensors[key]).max())
                largest = max(largest, error)
                if not error <= tolerance:
                    raise Mismatch(f"{key} {' '.join(options)}: {error:.3g}, "
                                   f"tolerance {tolerance:.3g}")
        error = float(np.abs(whole @ whole.T - case.tensors["cosine"]).max())
        if not error <= 4 * tolerance:
            raise Mismatch(f"cosines {' '.join(options)}: {error:.3g}")
    together = program.embed(model, sequences, "--threads", 2)
    for i, prompt in enumerate(prompts):
        alone = program.embed(model, prompt["ids"], "--threads", 1)
        differing_bits(alone, together[i:i + 1], f"{prompt['name']} alone")
        if arguments.quick:
            break
    return f"max {largest:.2e} of {tolerance:.2e} ({len(prompts)} texts, also {short} wide)"


def check_vision_text(program, case, model, _arguments, levels):
    largest = median = 0.0
    rows_compared = 0
    for prompt in case.expected["prompts"]:
        types = prompt["mm_token_type_ids"]
        count = next(i for i, kind in enumerate(types) if kind != 0)
        wanted = case.tensors[f"logits.{prompt['name']}"][:count]
        for options in [[]] + [["--isa", level] for level in levels]:
            rows = program.logits(model, prompt["ids"][:count], *options)
            worst, middle = case.check_rows(rows, wanted, f"{prompt['name']} {options}")
            largest, median = max(largest, worst), max(median, middle)
        rows_compared += count
    limit = case.expected["tolerance"]
    return (f"max {largest:.2e} of {limit['fp32_max_abs']:.2e}, median {median:.2e} of "
            f"{limit['fp32_median_row_max_abs']:.2e} ({rows_compared} rows of text before media)")


CHECKS = {"text": check_text, "embedding": check_embedding, "vision": check_vision_text}


def forms_of(case, work):
    """(name, path of the model) of every form of a case's checkpoint."""
    folder = os.path.join(case.folder, "model")
    forms = [("folder", folder)]
    config, tensors = make_gguf.read_checkpoint(folder)
    architecture = make_gguf.architecture_of(config)
    if architecture is None:
        return forms
    variants = [("gguf", {"pooled": case.kind == "embedding"})]
    if any(name.startswith("mtp.") for name in tensors):
        variants.append(("gguf with draft layer", {"draft_layer": True}))
    if any(name.endswith("experts.gate_up_proj") for name in tensors):
        variants.append(("gguf with fused experts", {"fused_experts": True}))
    for name, options in variants:
        path = os.path.join(work, f"{case.name}_{name.replace(' ', '_')}.gguf")
        make_gguf.convert(folder, path, **options)
        forms.append((name, path))
    return forms


def check_inspect(program, model, has_drafts):
    """What inspect says is not used: a GGUF's layers behind the last one, if it has such."""
    report = json.loads(program.call("inspect", model, "--json"))
    unused = [tensor["name"] for tensor in report["tensors"] if not tensor["used"]]
    if report["format"] == "gguf":
        first = report["layers"]["total"]
        wrong = [name for name in unused if int(name.split(".")[1]) < first]
        if wrong or bool(unused) != has_drafts:
            raise Mismatch(f"inspect: not used are {unused}")


def run_one(program, case, form, model, arguments, levels):
    """-> (passed, line)"""
    label = f"{case.name} ({form})"
    try:
        figures = CHECKS[case.kind](program, case, model, arguments, levels)
        check_inspect(program, model, "draft" in form)
    except (Mismatch, subprocess.TimeoutExpired, ValueError) as problem:
        return False, f"FAIL  {label}: {problem}"
    return True, f"ok    {label}: {figures}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--quick", action="store_true", help="fewer ways to cut each prompt")
    parser.add_argument("--case", help="only this one")
    arguments = parser.parse_args()
    begin = time.time()
    os.makedirs(arguments.work, exist_ok=True)
    levels = Program(arguments.binary, arguments.work).levels()
    print(f"kernel levels here: {', '.join(levels)}")
    names = [arguments.case] if arguments.case else sorted(os.listdir(CASES))
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for name in names:
            case = Case(name)
            for form, model in forms_of(case, arguments.work):
                work = os.path.join(arguments.work, f"{name}_{form.replace(' ', '_')}")
                os.makedirs(work, exist_ok=True)
                jobs.append(pool.submit(run_one, Program(arguments.binary, work), case, form,
                                        model, arguments, levels))
        results = [job.result() for job in jobs]
    for _, line in results:
        print(line)
    passed = sum(1 for ok, _ in results if ok)
    print(f"{passed} passed, {len(results) - passed} failed ({time.time() - begin:.0f} s)")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
