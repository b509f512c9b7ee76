"""tulou quantize and tulou imatrix from the outside: every golden text model to several types, the
tensors against those of make_gguf.py, logits against the checkpoint's, and all that must fail.

usage: compare.py --binary build/release/tulou --work FOLDER [--case NAME]
Needs numpy and gguf.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time

import gguf
import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("e2e", "golden"):  # of several compare.py, that of golden
    sys.path.insert(0, os.path.join(TOP, "tests", folder))
import compare  # noqa: E402  (tests/golden)
import fixtures  # noqa: E402
import make_gguf  # noqa: E402
import random_model  # noqa: E402
from fixtures import check  # noqa: E402

# The worst that a type may do to logits of these tiny random models, as KL divergence in nats. In a
# mixture of experts a small error may change which experts are chosen.
TYPES = {"F32": 0, "BF16": 2e-2, "F16": 2e-3, "Q8_0": 0.1, "Q6_K": 0.3, "Q4_K_M": 1.5, "IQ4_XS": 2,
         "Q4_0": 3}
SPARSE_FACTOR = 5
# Value heads or rows stand in another order there: sums are rounded otherwise.
REORDERED = ("llama_tied", "qwen3_5_moe", "qwen3_5_untied_r2", "qwen3_5_vision")


def prompt_of(case):
    return case.expected["prompt"]["ids"] if "prompt" in case.expected else list(range(3, 40))


def compare_tensors(case, path):
    """Names, shapes and values of a whole file in F32 with those of make_gguf.py."""
    config, stored = make_gguf.read_checkpoint(os.path.join(case.folder, "model"))
    architecture = make_gguf.architecture_of(config)
    if architecture is None:
        return 0
    wanted = make_gguf.gguf_tensors(config, stored, architecture, True, False)
    found = {t.name: t for t in gguf.GGUFReader(path).tensors}
    wanted = {n: v for n, v in wanted.items() if "mtp" not in n}
    check(set(found) == set(wanted), f"{case.name}: tensors differ: {set(found) ^ set(wanted)}")
    for name, values in wanted.items():
        have = found[name].data
        check(have.shape == values.shape, f"{case.name}: {name}: {have.shape}, {values.shape}")
        if name.endswith("ssm_a"):  # an exp() of another library
            check(np.allclose(have, values, rtol=3e-7), f"{case.name}: {name} differs")
        else:
            check(np.array_equal(have, values), f"{case.name}: {name} differs")
    return len(wanted)


def test_golden(p, w):
    num_tensors = num_files = 0
    for name in sorted(os.listdir(compare.CASES)):
        if w.case and name != w.case:
            continue
        case = compare.Case(name)
        folder, ids = os.path.join(case.folder, "model"), prompt_of(case)
        source = w.program.logits(folder, ids)
        for kind, limit in TYPES.items():
            out = os.path.join(w.work, f"{name}.{kind}.gguf")
            report = p.json("quantize", folder, out, "--type", kind, "--force", "--json")
            check(report["file_bytes"] == os.path.getsize(out), f"{name}: size of {kind}")
            logits = w.program.logits(out, ids)
            kl = compare.kl_divergence(source, logits)
            if "moe" in name or "next" in name:
                limit *= SPARSE_FACTOR
            if kind == "F32" and name in REORDERED:
                check(np.abs(logits - source).max() <= 1e-4 * source.std(), f"{name}: {kind}")
            elif kind == "F32":
                compare.differing_bits(logits, source, f"{name}: {kind}")
            else:
                check(kl <= limit, f"{name}: {kind}: KL divergence {kl:.3g}, limit {limit:g}")
            if kind == "F32":
                num_tensors += compare_tensors(case, out)
            num_files += 1
            os.remove(out)
    return f"{num_files} files, {num_tensors} tensors"


def test_tokenizer(p, w):
    """The tokenizer and the template go along."""
    out = os.path.join(w.work, "tokens.gguf")
    p.call("quantize", w.model, out, "--type", "Q8_0", "--force")
    text = "caf\u00e9 <|im_end|>\nx".encode()
    for options in ([], ["--special"]):
        check(p.call("tokenize", w.model, *options, stdin=text)[0] ==
              p.call("tokenize", out, *options, stdin=text)[0], f"other ids {options}")
    conversation = fixtures.write(os.path.join(w.work, "c.json"), json.dumps(
        {"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True}))
    check(p.call("render", w.model, conversation)[0] == p.call("render", out, conversation)[0],
          "another template")
    answer = p.call("run", out, "x", "-n", "2", "--temperature", "0")[0]
    check(answer is not None, "it does not run")


def test_usage(p, w):
    out = os.path.join(w.work, "usage.gguf")
    p.fails(2, "quantize", w.model, out, says=["--type"])
    p.fails(2, "quantize", w.model, out, "--type", "Q3_K_M", says=["Q3_K_M", "Q4_K_M", "BF16"])
    p.fails(2, "quantize", w.model, "--type", "F16", says=["OUT"])
    p.fails(1, "quantize", os.path.join(w.work, "nothing"), out, "--type", "F16", says=["nothing"])
    text, _ = p.call("quantize", w.model, out, "--type", "q4_k_s")
    check(b"bits a weight" in text and b"tensors: " in text, f"no summary: {text}")


def listed(folder):
    return sorted(os.listdir(folder))


def test_output(p, w):
    """OUT that is there, or that is IN, in every disguise."""
    folder = os.path.join(w.work, "output")
    os.makedirs(folder)
    model, out = os.path.join(folder, "model.gguf"), os.path.join(folder, "out.gguf")
    p.call("quantize", w.model, model, "--type", "F16")
    before = open(model, "rb").read()
    fixtures.write(out, "mine")
    p.fails(1, "quantize", model, out, "--type", "Q8_0", says=["out.gguf", "--force"])
    check(open(out, "rb").read() == b"mine", "the file was replaced")
    p.call("quantize", model, out, "--type", "Q8_0", "--force")
    os.remove(out)
    os.link(model, os.path.join(folder, "hard.gguf"))
    os.symlink(os.path.abspath(model), os.path.join(folder, "soft.gguf"))
    os.symlink(os.path.abspath(folder), os.path.join(w.work, "way"))
    for name in (model, os.path.join(folder, "hard.gguf"), os.path.join(folder, "soft.gguf"),
                 os.path.join(w.work, "way", "model.gguf"), f"{folder}/./model.gguf"):
        p.fails(1, "quantize", model, name, "--type", "Q8_0", "--force", says=["same file"])
        p.fails(1, "quantize", name, model, "--type", "Q8_0", says=["same file"])
    shard = os.path.join(w.model, next(f for f in listed(w.model) if f.endswith(".safetensors")))
    p.fails(1, "quantize", w.model, shard, "--type", "Q8_0", "--force", says=["same file"])
    p.fails(1, "quantize", w.model, os.path.join(w.model, "config.json"), "--type", "F16",
            "--force", says=["same file"])
    p.fails(1, "quantize", model, folder, "--type", "F16", "--force", says=["no regular file"])
    p.fails(1, "quantize", model, "/dev/null", "--type", "F16", "--force",
            says=["no regular file"])
    check(open(model, "rb").read() == before, "the input changed")
    check(listed(folder) == ["hard.gguf", "model.gguf", "soft.gguf"], f"left: {listed(folder)}")


def limited(size):
    def apply():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return apply


def test_full_disk(p, w):
    """A write that fails in the middle leaves nothing behind."""
    folder = os.path.join(w.work, "full")
    os.makedirs(folder)
    result = subprocess.run(
        [p.binary, "quantize", w.model, os.path.join(folder, "out.gguf"), "--type", "F32"],
        capture_output=True, env=p.environment(), preexec_fn=limited(100_000), check=False)
    check(result.returncode == 1 and b"cannot be written" in result.stderr, f"full: {result}")
    check(listed(folder) == [], f"left behind: {listed(folder)}")


def test_interrupt(p, w):
    """Ctrl-C, and a kill: nothing that looks finished."""
    folder = os.path.join(w.work, "stopped")
    os.makedirs(folder)
    big = os.path.join(w.work, "big.gguf")
    make_big_gguf(big)
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        out = os.path.join(folder, "out.gguf")
        process = subprocess.Popen([p.binary, "quantize", big, out, "--type", "Q4_K_M"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=p.environment())
        end = time.monotonic() + 60
        while not listed(folder) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(how)
        process.wait(timeout=60)
        check(process.returncode == code, f"exit code {process.returncode} after {how}")
        check(not os.path.exists(out), "a file is there")
        if how == signal.SIGINT:
            check(listed(folder) == [], f"left behind: {listed(folder)}")
        else:
            check(all(".part-" in name for name in listed(folder)), f"left: {listed(folder)}")
    os.remove(big)


def make_big_gguf(path):
    """A layer and a large vocabulary: seconds of work."""
    random_model.write(path, 1, 1024, 40_000)


def high_water(pid):
    """The most memory that a process has had so far, in bytes; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0


def test_memory(p, w):
    """Peak memory stays below four times the largest tensor of a file whose head is most of it."""
    big, out = os.path.join(w.work, "big.gguf"), os.path.join(w.work, "small.gguf")
    make_big_gguf(big)
    process = subprocess.Popen([p.binary, "quantize", big, out, "--type", "Q4_0"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=p.environment())
    peak = 0
    while process.poll() is None:
        peak = max(peak, high_water(process.pid))
        time.sleep(0.005)
    process.communicate()
    largest = 40_000 * 1024 * 2
    check(process.returncode == 0 and peak > 0, f"exit code {process.returncode}, peak {peak}")
    check(peak <= 4 * largest, f"{peak} bytes, the tensor has {largest}")
    os.remove(big)
    os.remove(out)
    return f"{peak >> 20} MiB for a tensor of {largest >> 20} MiB"


def test_bad_files(p, w):
    out = os.path.join(w.work, "bad_out.gguf")
    whole = os.path.join(w.work, "whole.gguf")
    p.call("quantize", w.model, whole, "--type", "F16", "--force")
    cut = fixtures.write(os.path.join(w.work, "cut.gguf"), open(whole, "rb").read()[:-100])
    p.fails(1, "quantize", cut, out, "--type", "Q8_0", says=["cut.gguf"])
    no_matrix = fixtures.write(os.path.join(w.work, "no.imatrix"), b"\x05\x00\x00\x00abcde")
    p.fails(1, "quantize", w.model, out, "--type", "Q4_0", "--imatrix", no_matrix,
            says=["importance matrix"])
    p.fails(1, "quantize", w.model, out, "--type", "Q4_0", "--imatrix", whole,
            says=["importance matrix"])
    check(not os.path.exists(out), "a file is there after an error")


def read_importance(path):
    """-> the sums and counts of each matrix by the name of its tensor."""
    tensors = {t.name: np.array(t.data) for t in gguf.GGUFReader(path).tensors}
    names = [n.removesuffix(".counts") for n in tensors if n.endswith(".counts")]
    return {n: (tensors[n + ".in_sum2"], tensors[n + ".counts"]) for n in names}


def test_imatrix(p, w):
    """The sums of the first layer against numpy's; the matrix where it belongs and where not."""
    text = "The quick brown fox jumps over the lazy dog. " * 12
    path = fixtures.write(os.path.join(w.work, "text.txt"), text)
    out = os.path.join(w.work, "imatrix.gguf")
    report = p.json("imatrix", w.model, path, "--out", out, "--context", "64", "--json")
    ids = [int(i) for i in p.call("tokenize", w.model, path)[0].split()]
    check(report["tokens"] == len(ids) and report["chunks"] == -(-len(ids) // 64), f"{report}")
    config, tensors = make_gguf.read_checkpoint(w.model)
    x = tensors["model.embed_tokens.weight"][ids].astype(np.float64)
    x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + config["rms_norm_eps"])
    x *= tensors["model.layers.0.input_layernorm.weight"]
    found = read_importance(out)
    sums, counts = found["blk.0.attn_q.weight"]
    check(counts.ravel().tolist() == [len(ids)], f"counts {counts}")
    check(np.allclose(sums.ravel(), (x * x).sum(axis=0), rtol=1e-4), "other sums of squares")
    check(len(found) == 7 * config["num_hidden_layers"], f"{len(found)} tensors")
    p.fails(1, "imatrix", w.model, path, "--out", out, says=["--force"])
    p.fails(1, "imatrix", w.model, path, "--out", path, "--force", says=["same file"])
    small = os.path.join(w.work, "weighted.gguf")
    made = p.json("quantize", w.model, small, "--type", "Q4_0", "--imatrix", out, "--json")
    check(made["with_importance"] == len(found), f"with importance: {made}")
    p.fails(1, "quantize", small, out, "--type", "Q4_0", "--imatrix", out, "--force",
            says=["same file"])
    for other in ("qwen3_5_tied_r1", "llama_tied"):
        p.fails(1, "quantize", os.path.join(fixtures.GOLDEN, other, "model"), small, "--type",
                "Q4_0", "--force", "--imatrix", out, says=["another model"])


def test_imatrix_of_experts(p, w):
    """Each expert has its own sums; a folder and its GGUF give the same matrix."""
    path = fixtures.write(os.path.join(w.work, "short.txt"), "abc def " * 8)
    for case in ("qwen3_moe", "qwen3_5_moe", "qwen3_5_untied_r2"):
        folder = fixtures.make_model(os.path.join(w.work, case), case)
        file = os.path.join(w.work, case + ".gguf")
        p.call("quantize", folder, file, "--type", "F32", "--force")
        matrices = []
        for model in (folder, file):
            out = os.path.join(w.work, "m.gguf")
            p.call("imatrix", model, path, "--out", out, "--force", "--precision", "exact")
            matrices.append(read_importance(out))
        check(set(matrices[0]) == set(matrices[1]), f"{case}: other tensors")
        for name, (sums, counts) in matrices[0].items():
            check(np.array_equal(counts, matrices[1][name][1]), f"{case}: counts of {name}")
            check(np.allclose(sums, matrices[1][name][0], rtol=1e-3, atol=1e-4),
                  f"{case}: sums of {name}")
        for kind in ("Q4_0", "Q4_K_M"):
            p.call("quantize", folder, file, "--type", kind, "--force", "--imatrix", out)


class World:
    """What the tests share: a work folder, a model with a tokenizer."""

    def __init__(self, binary, work, case):
        self.work, self.case = work, case
        self.model = fixtures.make_model(os.path.join(work, "model"))
        self.program = compare.Program(binary, work)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--case", help="only this golden case")
    arguments = parser.parse_args()
    work = os.path.join(arguments.work, "quantize")
    subprocess.run(["rm", "-rf", work], check=True)
    os.makedirs(work)
    program = fixtures.Program(arguments.binary)
    world = World(program.binary, work, arguments.case)
    tests = [(n[5:], f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    failed = 0
    for name, test in tests:
        try:
            told = test(program, world)
            print(f"quantize: {name}: ok{': ' + told if told else ''}", flush=True)
        except (fixtures.Failure, compare.Mismatch, subprocess.SubprocessError) as error:
            failed += 1
            print(f"quantize: {name}: FAILED: {error}", flush=True)
    print(f"quantize: {len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
