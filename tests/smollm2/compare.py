"""Compares a real model's greedy tokens (SmolLM2-135M-Instruct, Q4_1) with what transformers
computes in fp32 from the dequantised weights (reference.json, by make_reference.py).

usage: compare.py --binary build/release/tulou --work FOLDER [--model PATH]
At both precisions: where the best token of any position differs from the reference's (read with the
reference's own tokens before it), the reference's two best logits must lie closer than 0.02; and
`tulou generate` is the reference's text up to such a place. The file is fetched by
tools/demo_model, unless --model gives it.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Logits by which the reference's choice may lead where ours differs: rounding of fp32 sums; and of
# activations to 8 bits.
SMALL_MARGIN = {"exact": 0.02, "default": 0.3}


class Failure(Exception):
    """What was compared differs, or could not be computed."""


def call(command):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600,
                            check=False)
    if result.returncode != 0:
        raise Failure(f"exit code {result.returncode} of {' '.join(map(str, command))}: "
                      f"{result.stderr.strip()}")
    return result.stdout


def check_generated(prompt, tokens, precision):
    """-> how many tokens equal the reference's before a legitimate difference."""
    wanted, margins = prompt["new_tokens"], prompt["margins"]
    if len(tokens) != len(wanted):
        raise Failure(f"{prompt['name']}: {len(tokens)} tokens generated, expected {len(wanted)}")
    for i, (token, expected) in enumerate(zip(tokens, wanted)):
        if token != expected:
            if margins[i] >= SMALL_MARGIN[precision]:
                raise Failure(f"{prompt['name']}: token {i} is {token}, expected {expected} "
                              f"(margin {margins[i]})")
            return i
    return len(wanted)


def check_positions(prompt, rows, precision):
    """rows: logits of the prompt and the reference's tokens. -> (differences, largest margin)."""
    first = len(prompt["ids"]) - 1
    best = rows[first:].argmax(axis=1)
    differences = np.flatnonzero(best != np.array(prompt["new_tokens"]))
    margins = [prompt["margins"][i] for i in differences]
    if margins and max(margins) >= SMALL_MARGIN[precision]:
        at = int(differences[int(np.argmax(margins))])
        raise Failure(f"{prompt['name']}: position {at} has {int(best[at])}, expected "
                      f"{prompt['new_tokens'][at]} (margin {max(margins)})")
    return len(margins)


def check_precision(binary, model, prompts, precision, work):
    """-> lines of figures"""
    ids_path = os.path.join(work, "ids.json")
    out_path = os.path.join(work, "logits.npy")
    with open(ids_path, "w", encoding="utf-8") as file:
        json.dump([p["ids"] + p["new_tokens"][:-1] for p in prompts], file)
    call([binary, "logits", model, ids_path, "--out", out_path, "--precision", precision])
    logits = np.load(out_path, mmap_mode="r")
    with open(ids_path, "w", encoding="utf-8") as file:
        json.dump([p["ids"] for p in prompts], file)
    count = len(prompts[0]["new_tokens"])
    answers = json.loads(call([binary, "generate", model, ids_path, "-n", count, "--batch",
                               "--precision", precision]))
    begin, problems, figures = 0, [], []
    for prompt, answer in zip(prompts, answers):
        rows = logits[begin:begin + len(prompt["ids"]) + count - 1]
        begin += len(rows)
        try:
            differences = check_positions(prompt, rows, precision)
            equal = check_generated(prompt, answer, precision)
            figures.append(f"{prompt['name']} {differences} of {count} positions differ, "
                           f"{equal} tokens the same")
        except Failure as problem:
            problems.append(str(problem))
    del logits
    os.remove(out_path)
    if problems:
        raise Failure("; ".join(problems))
    return "; ".join(figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    begin = time.time()
    os.makedirs(arguments.work, exist_ok=True)
    model = arguments.model or call([os.path.join(TOP, "tools", "demo_model")]).strip()
    with open(os.path.join(TOP, "tests", "smollm2", "reference.json"), encoding="ascii") as file:
        prompts = json.load(file)["prompts"]
    passed = failed = 0
    for precision in ("exact", "default"):
        try:
            figures = check_precision(arguments.binary, model, prompts, precision, arguments.work)
            print(f"ok    {precision}: {figures} (allowed only where the margin is below "
                  f"{SMALL_MARGIN[precision]})")
            passed += 1
        except (Failure, ValueError, subprocess.TimeoutExpired) as problem:
            print(f"FAIL  {precision}: {problem}")
            failed += 1
    print(f"{passed} passed, {failed} failed ({time.time() - begin:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
