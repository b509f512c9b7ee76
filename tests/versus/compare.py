"""Tests of bench/: the arithmetic of comparisons, the random files, and bench/versus/versus.py as a
whole with a stand-in for llama.cpp, so that nothing is fetched and no speed is judged.

usage: compare.py --binary build/release/tulou --work FOLDER
Needs numpy and gguf (tools/setup --test).
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import unittest

import gguf
import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "bench"), os.path.join(TOP, "bench", "versus")]
import fill  # noqa: E402
import random_gguf  # noqa: E402
import ratios  # noqa: E402

OPTIONS = None
TINY = {"tiny": (4, 256, 512, 2, 1, 256, 512, (2, 4)),
        "tiny-full": (2, 256, 256, 4, 2, 64, 512, None)}

# A peer as bench/versus/versus.py calls it, slower than anything.
FAKE_PEER = """#!/bin/sh
echo "load_backend: loaded CPU backend from $2/libggml-cpu-$4.so" >&2
[ "$1" = bench ] || exit 1
echo '{"tokens_per_second": 0.001, "seconds": 1, "others": 0.0, "load_seconds": 0.5,'
echo '"first_token_seconds": 0.7, "peak_memory_bytes": 1048576}'
"""


def sample(speed, others=0.0):
    return {"tokens_per_second": speed, "others": others}


class Cells(unittest.TestCase):
    def test_names(self):
        cell = ratios.Cell("tg64@4096")
        self.assertEqual((cell.prefill, cell.tokens, cell.depth, cell.batch), (False, 64, 4096, 1))
        cell = ratios.Cell("pp512")
        self.assertEqual((cell.prefill, cell.tokens, cell.depth, cell.batch), (True, 512, 0, 1))
        cell = ratios.Cell("batch16@128")
        self.assertEqual((cell.prefill, cell.tokens, cell.depth, cell.batch), (False, 32, 128, 16))
        self.assertEqual(cell.text(), "decode 32 at depth 128, 16 sequences")

    def test_what_is_none(self):
        for name in ("", "pp", "pp0", "tg-1", "tg64@", "pp512@4096", "batch", "xx5", "tg64 "):
            with self.assertRaises(ValueError, msg=name):
                ratios.Cell(name)


    def test_models_with_cells_of_their_own(self):
        def tasks(argument):
            found = ratios.tasks_of(argument, "pp512,tg64", {"a.gguf", "b:tg1"}.__contains__)
            return [(model, cell.name) for model, cell in found]

        self.assertEqual(tasks("a.gguf"), [("a.gguf", "pp512"), ("a.gguf", "tg64")])
        self.assertEqual(tasks("a.gguf:tg8@9"), [("a.gguf", "tg8@9")])
        self.assertEqual(tasks("b:tg1"), [("b:tg1", "pp512"), ("b:tg1", "tg64")])
        for bad in ("c.gguf", "c.gguf:tg8", "a.gguf:xx", "a.gguf:"):
            with self.assertRaises(ValueError, msg=bad):
                tasks(bad)


class Intervals(unittest.TestCase):
    def test_equal_ratios_have_no_width(self):
        self.assertEqual(ratios.interval([2.0] * 7), (2.0, 2.0, 2.0))

    def test_covers_the_median_nine_times_of_ten(self):
        generator = np.random.default_rng(7)
        inside = 0
        for _ in range(300):
            values = list(np.exp(generator.normal(np.log(2), 0.2, 15)))
            middle, low, high = ratios.interval(values, resamples=300)
            self.assertEqual(middle, statistics.median(values))
            self.assertTrue(min(values) <= low <= middle <= high <= max(values))
            inside += low <= 2 <= high
        self.assertTrue(0.82 <= inside / 300 <= 0.98, inside)

    def test_is_the_same_every_time(self):
        values = [1.9, 2.1, 2.0, 2.4, 1.7, 2.2, 2.05]
        self.assertEqual(ratios.interval(values), ratios.interval(values))


class Collecting(unittest.TestCase):
    def test_order_is_abba(self):
        order = []

        def taker(name, speed):
            return lambda: (order.append(name), sample(speed))[1]

        pairs, dropped = ratios.collect(taker("a", 4), taker("b", 2), 4, 0.1)
        self.assertEqual("".join(order), "abbaabba")
        self.assertEqual(pairs, [(sample(4), sample(2))] * 4)
        self.assertEqual(dropped, 0)

    def test_disturbed_samples_are_taken_again(self):
        ours = iter([sample(9, 0.5), sample(1), sample(2), sample(9, 0.11), sample(9, 3),
                     sample(3)])
        pairs, dropped = ratios.collect(lambda: next(ours), lambda: sample(1), 3, 0.1)
        self.assertEqual([p[0]["tokens_per_second"] for p in pairs], [1, 2, 3])
        self.assertEqual(dropped, 3)

    def test_a_busy_machine_ends_it(self):
        calls = []
        pairs, dropped = ratios.collect(lambda: (calls.append(1), sample(1, 1.0))[1],
                                        lambda: sample(1), 7, 0.1)
        # The first pair begins with ours, the second with the peer.
        self.assertEqual((pairs, dropped, len(calls)), ([], 6, 6))


class Gates(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(TOP, "bench", "versus", "gates.json"), encoding="utf-8") as file:
            self.gates = json.load(file)

    def test_table_is_well_formed(self):
        seen = set()
        for row in self.gates:
            ratios.Cell(row["cell"])
            for level in {"amx", "avx512", "avx2"} & set(row):
                gate, goal = row[level]
                self.assertTrue(1 < gate <= goal, row)
            self.assertNotIn((row["model"], row["cell"]), seen)
            seen.add((row["model"], row["cell"]))
        self.assertGreaterEqual(len(seen), 14)

    def test_lookup_by_level(self):
        def gate(level, model="Qwen3.5-0.8B-Q4_0", cell="tg64"):
            return ratios.gate_of(self.gates, model, cell, level)

        self.assertEqual(gate("amx"), (1.7, 2.2))
        self.assertEqual(gate("avx512"), gate("avx512_vnni"))
        self.assertEqual(gate("avx512"), (1.9, 2.4))
        self.assertEqual(gate("avx2"), (1.7, 2.2))
        self.assertIsNone(gate("portable"))
        self.assertIsNone(gate("avx2", cell="tg65"))
        self.assertIsNone(gate("avx2", model="qwen3.5-2b-q4_0", cell="pp512"))

    def test_verdicts(self):
        self.assertEqual(ratios.verdict(2.0, 7, (1.5, 2.0)), "goal reached")
        self.assertEqual(ratios.verdict(1.5, 7, (1.5, 2.0)), "reached")
        self.assertEqual(ratios.verdict(1.49, 7, (1.5, 2.0)), "MISSED")
        self.assertEqual(ratios.verdict(9, 6, (1.5, 2.0)), "too few pairs")
        self.assertEqual(ratios.verdict(None, 0, (1.5, 2.0)), "too few pairs")
        self.assertEqual(ratios.verdict(0.1, 7, None), "")


class Filling(unittest.TestCase):
    def test_only_between_its_marks(self):
        before = "a\n<!-- results x -->\nold\n<!-- end x -->\n<!-- results y -->\n<!-- end y -->\n"
        after = fill.filled(before, "x", "\nnew \\1\n\n")
        self.assertEqual(after, before.replace("old", "new \\1"))
        self.assertEqual(fill.filled(after, "x", "old"), before)
        with self.assertRaises(ValueError):
            fill.filled(before, "z", "new")


class Tables(unittest.TestCase):
    def test_ratios_are_paired(self):
        pairs = [(sample(10), sample(5)), (sample(30), sample(10)), (sample(4), sample(4))]
        row = ratios.summarise("m", ratios.Cell("tg64"), pairs, 2, (1.5, 2.5))
        self.assertEqual((row["ratio"], row["ours"]["median"], row["ours"]["best"]), (2, 10, 30))
        table = ratios.speed_table([row], "llama.cpp")
        self.assertIn("| m | decode 64 | 2.00 |", table)
        self.assertIn("10.0 (30.0) | 5.0 (10.0) | 3 | 1.5, 2.5 | too few pairs |", table)
        widths = {line.count("|") for line in table.split("\n")}
        self.assertEqual(len(widths), 1, table)

    def test_nothing_measured(self):
        row = ratios.summarise("m", ratios.Cell("tg64"), [], 6, None)
        self.assertIn("not measured", ratios.speed_table([row], "x"))
        self.assertEqual(ratios.memory_table([row], "x").count("\n"), 1)


class RandomFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        random_gguf.MODELS.update(TINY)

    def path(self, model, kind):
        path = os.path.join(OPTIONS.work, f"{model}-{kind}.gguf")
        random_gguf.write_gguf(model, kind, path)
        return path

    def test_all_types_load_and_stay_finite(self):
        ids = os.path.join(OPTIONS.work, "ids.json")
        with open(ids, "w", encoding="ascii") as file:
            json.dump([1, 500, 7, 300] * 8, file)
        for model in TINY:
            for kind in random_gguf.FILE_TYPES:
                out = os.path.join(OPTIONS.work, "logits.npy")
                subprocess.run([OPTIONS.binary, "logits", self.path(model, kind), ids, "--out",
                                out], check=True, capture_output=True)
                logits = np.load(out)
                self.assertEqual(logits.shape, (32, 512))
                self.assertTrue(np.isfinite(logits).all() and 0.1 < logits.std() < 10,
                                f"{model} {kind}: {logits.std()}")

    def test_numbers_are_spread_as_they_should_be_and_never_denormal(self):
        for kind in random_gguf.FILE_TYPES:
            for tensor in gguf.GGUFReader(self.path("tiny", kind)).tensors:
                values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
                sizes = np.abs(values[values != 0])
                self.assertGreater(sizes.min(), 1e-30, tensor.name)
                if tensor.tensor_type.name == "F32" or values.size < 10000:
                    continue
                wanted = 1 / np.sqrt(int(tensor.shape[0]))
                self.assertTrue(0.8 < values.std() / wanted < 1.25,
                                f"{tensor.name} {kind}: {values.std() / wanted}")
                self.assertLess(abs(values.mean()), 0.15 * wanted, f"{tensor.name} {kind}")

    def test_the_same_bytes_every_time(self):
        digests = set()
        for _ in range(2):
            with open(self.path("tiny", "q4_k_m"), "rb") as file:
                digests.add(hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(len(digests), 1)

    def test_mix_of_q4_k_m(self):
        kinds = {t.name: t.tensor_type.name
                 for t in gguf.GGUFReader(self.path("tiny", "q4_k_m")).tensors}
        self.assertEqual(kinds["token_embd.weight"], "Q6_K")
        self.assertEqual(kinds["blk.0.ffn_gate.weight"], "Q4_K")
        many = [i for i in range(24) if random_gguf.more_bits(i, 24)]
        self.assertEqual(many, [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23])
        self.assertEqual(random_gguf.type_of("blk.5.attn_qkv.weight", "q4_k_m", 24), "q6_k")
        self.assertEqual(random_gguf.type_of("blk.4.ffn_down.weight", "q4_k_m", 24), "q4_k")


class Whole(unittest.TestCase):
    def call(self, *more, code=0):
        folder = os.path.join(OPTIONS.work, "libraries")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "libllama.v0.5.0.so"), "wb"):
            pass
        peer = os.path.join(OPTIONS.work, "peer")
        with open(peer, "w", encoding="ascii") as file:
            file.write(FAKE_PEER)
        os.chmod(peer, 0o755)
        # The stand-in for the model of the gates: a tiny one under its name.
        model = os.path.join(OPTIONS.work, "qwen3.5-0.8b-q4_0.gguf")
        random_gguf.MODELS.update(TINY)
        random_gguf.write_gguf("tiny", "q4_0", model)
        done = subprocess.run(
            [sys.executable, os.path.join(TOP, "bench", "versus", "versus.py"), "--tulou",
             OPTIONS.binary, "--peer", peer, "--libraries", folder, "--package", "9.9.9",
             "--quiet", "0", "--limit", "99", "--threads", "1", model, *more],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout, done.stderr

    def test_report(self):
        paths = [os.path.join(OPTIONS.work, name) for name in ("versus.json", "versus.md")]
        out, _ = self.call("--pairs", "2", "--cells", "pp8,tg4,tg4@70,batch3", "--json", paths[0],
                           "--markdown", paths[1])
        with open(paths[1], encoding="utf-8") as file:
            self.assertEqual(file.read(), out)
        with open(paths[0], encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual([row["cell"] for row in report["rows"]],
                         ["pp8", "tg4", "tg4@70", "batch3"])
        self.assertEqual(report["peer"], "llama.cpp v0.5.0 (npm 9.9.9)")
        for row in report["rows"]:
            self.assertEqual(len(row["samples"]), 2)
            self.assertGreater(row["ratio"], 1)
            self.assertEqual(row["peer"]["median"], 0.001)
        self.assertIn("decode 32, 3 sequences", out)
        self.assertIn(f"kernel level {report['level']}", out)

    def test_avx2_is_compared_with_the_library_for_it(self):
        levels = json.loads(subprocess.run([OPTIONS.binary, "inspect", "--kernels", "--json"],
                                           check=True, capture_output=True).stdout)["available"]
        out, _ = self.call("--pairs", "1", "--cells", "tg4", "--isa", "portable")
        self.assertIn("level portable; llama.cpp v0.5.0 (npm 9.9.9), library auto", out)
        if "avx2" in levels:
            out, _ = self.call("--pairs", "1", "--cells", "tg4", "--isa", "avx2")
            self.assertIn("level avx2; llama.cpp v0.5.0 (npm 9.9.9), library haswell", out)
        out, _ = self.call("--pairs", "1", "--cells", "tg4", "--peer-cpu", "x64")
        self.assertIn("library x64", out)

    def test_gates(self):
        # One pair is too few for the gate of this cell; without --gate that is no failure.
        if self.call("--pairs", "1", "--cells", "tg64")[0].count("too few pairs") == 1:
            self.call("--pairs", "1", "--cells", "tg64", "--gate", code=1)
        self.call("--pairs", "1", "--cells", "tg4", "--gate")  # there is none for this one

    def test_wrong_usage(self):
        for more in (["--cells", "pp"], ["--pairs", "0"], ["no-such-file.gguf"]):
            _, errors = self.call(*more, code=2)
            self.assertIn("error:", errors)
        _, errors = self.call("--cells", "tg99999", "--pairs", "1", code=1)
        self.assertIn("99999", errors)

    def test_against_itself(self):
        out, _ = self.call("--pairs", "1", "--cells", "tg4", "--against", OPTIONS.binary)
        self.assertIn("other: median (best)", out)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    OPTIONS = parser.parse_args()
    OPTIONS.binary, OPTIONS.work = map(os.path.abspath, (OPTIONS.binary, OPTIONS.work))
    os.makedirs(OPTIONS.work, exist_ok=True)
    return 0 if unittest.main(argv=[sys.argv[0]], exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
