#!/usr/bin/env python3
"""Types of weights that are converted on loading, against the same weights in F32.

usage: compare.py --binary build/release/tulou --work FOLDER
Of every GGUF type and of FP8, GPTQ and AWQ checkpoints: with --precision exact the logits of the
F32 checkpoint; with default precision as near to them as the conversion allows; the line that says
what was converted, and the same from inspect. Then damaged checkpoints: one error, no crash.
"""

import argparse
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import models  # noqa: E402

# Exact mode: both sides are sums of fp32 products of the same weights, in the same order or nearly.
EXACT = 1e-5
# What a conversion adds to the root mean square of a matrix (docs/decisions/0011): the types that
# keep all but the rounding of fp16 scales, and those that are rounded to 8 bits.
KEPT, ROUNDED = 5e-4, 6e-3
# What the rows add that a matrix in a block type is multiplied with: 32 values of a normal
# distribution have an amax of about 2.2 deviations, in 127 steps whose error is 1/sqrt(12).
ACTIVATIONS = 2.2 / 127 / np.sqrt(12) * 1.2
# Every matrix adds its share to the residual stream or to what is computed from it, and the shares
# are independent: their squares add up. The factor is for softmax, norms and gates, which pass on
# more than they get where an activation is small.
MATRICES = 7 * models.LAYERS + 2
AMPLIFICATION = 1.5
GGUF_TYPES = {"Q5_1": ("Q8_0", ROUNDED), "Q2_K": ("Q8_0", ROUNDED), "Q3_K": ("Q6_K", 0),
              "IQ1_S": ("Q4_1", KEPT), "IQ1_M": ("Q6_K", 0), "IQ2_XXS": ("Q8_0", KEPT),
              "IQ2_XS": ("Q8_0", ROUNDED), "IQ2_S": ("Q8_0", ROUNDED), "IQ3_XXS": ("Q6_K", 0),
              "IQ3_S": ("Q4_K", KEPT), "TQ1_0": ("Q4_0", 0), "TQ2_0": ("Q4_0", 0),
              "MXFP4": ("Q5_0", 0), "NVFP4": ("Q8_0", ROUNDED)}
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
       "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head"]}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}


class Mismatch(Exception):
    """Something is not as it should be."""


def check(condition, what):
    if not condition:
        raise Mismatch(what)


class Program:
    """The program under test, and one sequence of ids."""

    def __init__(self, binary, work):
        self.binary, self.work = os.path.abspath(binary), work
        self.ids = os.path.join(work, "ids.json")
        ids = np.random.default_rng(3).integers(0, models.VOCAB, 48).tolist()
        with open(self.ids, "w", encoding="utf-8") as file:
            json.dump(ids, file)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TULOU_")}
        self.environment["XDG_CONFIG_HOME"] = "/nonexistent"

    def call(self, *arguments):
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True,
                              timeout=120, check=False, env=self.environment)

    def logits(self, model, precision, *options):
        """-> (logits, standard error)"""
        out = os.path.join(self.work, "logits.npy")
        done = self.call("logits", model, self.ids, "--out", out, "--precision", precision,
                         *options)
        check(done.returncode == 0, f"{model}: {done.stderr.strip()}")
        return np.load(out), done.stderr

    def error(self, model):
        """The message of a checkpoint that must be refused."""
        done = self.call("logits", model, self.ids, "--out", os.path.join(self.work, "no.npy"))
        check(done.returncode == 1, f"{model}: exit code {done.returncode}: {done.stderr.strip()}")
        inspected = self.call("inspect", model)
        check(inspected.returncode in (0, 1), f"inspect {model}: {inspected.returncode}")
        return done.stderr.strip()


def compare(program, label, stored, plain, expected, added):
    """`expected`: {(from, to): number}; `added`: relative error of the converted matrices."""
    wanted, quiet = program.logits(plain, "exact")
    check("converted" not in quiet, f"{label}: F32 was converted: {quiet}")
    spread = float(wanted.std())
    exact, _ = program.logits(stored, "exact")
    difference = float(np.abs(exact - wanted).max()) / spread
    check(difference <= EXACT, f"{label}: exact differs by {difference:.2g} of the spread")
    default, said = program.logits(stored, "default", "--threads", "2")
    one, _ = program.logits(stored, "default", "--threads", "1")
    check(np.array_equal(default, one), f"{label}: one thread gives other bits than two")
    own = np.sqrt(np.mean((program.logits(plain, "default")[0] - wanted)**2)) / spread
    error = float(np.sqrt(np.mean((default - wanted)**2)) / spread)
    # The default precision's own rounding comes twice: in the plain run and in this one.
    bound = 2 * own + AMPLIFICATION * np.hypot(added, ACTIVATIONS) * np.sqrt(MATRICES) + EXACT
    check(error <= bound, f"{label}: default differs by {error:.2g}, allowed {bound:.2g}")
    report = json.loads(program.call("inspect", stored, "--json").stdout)
    inspected = {(c["from"], c["to"]): c["tensors"] for c in report["conversions"]}
    check(inspected == expected, f"{label}: inspect says {inspected}, expected {expected}")
    for (source, target), count in expected.items():
        line = f"{source} weights were converted to {target} for computing: {count} tensors"
        check(line in said, f"{label}: \"{line}\" is missing in: {said}")
    print(f"ok    {label}: exact {difference:.1e}, default {error:.1e} of {bound:.1e}")


def check_gguf(program, work):
    for name, (target, added) in GGUF_TYPES.items():
        rng = np.random.default_rng(sum(map(ord, name)))
        stored, plain, count = models.gguf_models(rng, name, work)
        compare(program, f"GGUF {name}", stored, plain, {(name, target): count}, added)


def folders(work, label, rng, make, settings, **options):
    """-> (folder as stored, folder in F32)"""
    config, tensors, decoded = models.quantized_model(rng, make, settings, **options)
    plain = {k: v for k, v in config.items() if k != "quantization_config"}
    return (models.write_folder(os.path.join(work, label), config, tensors),
            models.write_folder(os.path.join(work, label + "_f32"), plain, decoded))


def check_folders(program, work):
    def fp8_f32(rng, name, shape):
        return models.fp8(rng, name, shape, scale_dtype="F32")

    def gptq(**options):
        return lambda rng, name, shape: models.gptq(rng, name, shape, **options)

    def awq64(rng, name, shape):
        return models.awq(rng, name, shape, group=64)

    def biased(rng, name, shape):
        tensors, weights = models.gptq(rng, name, shape)
        return {**tensors, name + ".bias": ("F16", np.zeros(shape[0], np.float16))}, weights

    moe = {"experts": True}
    cases = [
        ("fp8", models.fp8, FP8, {}, "FP8", "Q8_0", ROUNDED),
        ("fp8_edges", fp8_f32, FP8, {"width": 352}, "FP8", "Q8_0", ROUNDED),
        ("fp8_experts", models.fp8, FP8, {**moe, "width": 96}, "FP8", "Q8_0", ROUNDED),
        ("gptq4", gptq(), GPTQ, {}, "GPTQ 4 bit", "Q4_0", 0),
        ("gptq4_bias", biased, GPTQ, {}, "GPTQ 4 bit", "Q4_0", 0),
        ("gptq4_zeros", gptq(symmetric=False), {**GPTQ, "sym": False}, {}, "GPTQ 4 bit", "Q4_1",
         KEPT),
        ("gptq4_v2", gptq(symmetric=False, version=2),
         {**GPTQ, "sym": False, "checkpoint_format": "gptq_v2"}, {}, "GPTQ 4 bit", "Q4_1", KEPT),
        ("gptq4_row", gptq(group=4096), {**GPTQ, "group_size": -1}, {}, "GPTQ 4 bit", "Q4_0", 0),
        ("gptq4_order", gptq(act_order=True, symmetric=False),
         {**GPTQ, "sym": False, "desc_act": True}, {}, "GPTQ 4 bit", "Q8_0", ROUNDED),
        ("gptq8", gptq(bits=8), {**GPTQ, "bits": 8}, {}, "GPTQ 8 bit", "Q8_0", 0),
        ("gptq8_zeros", gptq(bits=8, symmetric=False), {**GPTQ, "bits": 8, "sym": False}, {},
         "GPTQ 8 bit", "Q8_0", ROUNDED),
        ("gptq4_experts", gptq(), GPTQ, {**moe, "width": 128}, "GPTQ 4 bit", "Q4_0", 0),
        ("awq", models.awq, AWQ, {}, "AWQ 4 bit", "Q4_1", KEPT),
        ("awq_experts", awq64, {**AWQ, "group_size": 64}, {**moe, "width": 64}, "AWQ 4 bit",
         "Q4_1", KEPT),
        ("auto_round", gptq(), {**GPTQ, "quant_method": "auto-round",
                                "packing_format": "auto_round:auto_gptq"}, {}, "GPTQ 4 bit", "Q4_0",
         0),
    ]
    for label, make, settings, options, source, target, added in cases:
        rng = np.random.default_rng(sum(map(ord, label)))
        stored, plain = folders(work, label, rng, make, settings, **options)
        count = len(models.matrices(**options))
        compare(program, label, stored, plain, {(source, target): count}, added)


def check_damage(program, work):
    """Each change to a good checkpoint, and what the error must name."""
    rng = np.random.default_rng(9)
    q_proj, v_proj = "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj"
    groups = np.zeros(models.HIDDEN, np.int32)

    def without(name):
        return lambda config, tensors: tensors.pop(name)

    def replaced(name, value):
        return lambda config, tensors: tensors.update({name: value})

    def setting(**values):
        return lambda config, tensors: config["quantization_config"].update(values)

    def no_config(config, _):
        del config["quantization_config"]

    def missing_weight(config, tensors):
        del tensors[q_proj + ".qweight"], tensors[q_proj + ".qzeros"], tensors[q_proj + ".scales"]
        del tensors[q_proj + ".g_idx"]

    def too_far(config, tensors):
        tensors[q_proj + ".g_idx"] = ("I32", np.where(np.arange(models.HIDDEN) == 7, 2, groups))

    wrong = np.zeros((1, 2), np.uint16)
    cases = {
        "fp8": (models.fp8, FP8, [
            (without(q_proj + ".weight_scale_inv"), f"{q_proj}.weight_scale_inv\" is missing"),
            (replaced(q_proj + ".weight_scale_inv", ("BF16", wrong)), "[1, 2]"),
            (replaced(q_proj + ".weight_scale_inv", ("I32", wrong.astype(np.int32))), "I32"),
            (replaced(q_proj + ".weight", ("F8_E4M3", np.zeros((256, 128), np.uint8))),
             "[256, 128]"),
            (replaced(q_proj + ".weight_scale", np.zeros(1, np.float32)), "weight_scale\""),
            (setting(weight_block_size=None), "weight_block_size"),
            (setting(weight_block_size=[0, 128]), "weight_block_size"),
            (setting(weight_block_size=[128]), "weight_block_size"),
            (setting(weight_block_size=[64, 64]), "[2, 2]"),
            (setting(activation_scheme="static"), "static"),
            (setting(fmt="e5m2"), "e5m2"),
            (no_config, "F8_E4M3"),
        ]),
        "gptq": (models.gptq, GPTQ, [
            (without(v_proj + ".scales"), f"{v_proj}.scales\" is missing"),
            (without(v_proj + ".qzeros"), f"{v_proj}.qzeros\" is missing"),
            (missing_weight, f"{q_proj}.weight\" is missing"),
            (replaced(v_proj + ".scales", ("F16", np.zeros((2, 64), np.float16))), "[2, 64]"),
            (replaced(v_proj + ".qzeros", ("I32", np.zeros((1, 16), np.int32))), "[1, 16]"),
            (replaced(v_proj + ".qweight", ("F16", np.zeros((32, 128), np.float16))), "F16"),
            (replaced(q_proj + ".g_idx", ("I32", groups - 1)), "column 0 into group -1"),
            (too_far, "column 7 into group 2, there are 2 groups"),
            (replaced(q_proj + ".g_idx", ("I32", groups[:8])), "[8]"),
            (setting(bits=3), "bits"), (setting(bits=8), "[32, 256]"),
            (setting(group_size=0), "group_size"), (setting(group_size=-2), "group_size"),
            (setting(group_size=64), "[2, "),
            (setting(checkpoint_format="marlin"), "marlin"),
            (setting(quant_method="compressed-tensors"), "compressed-tensors"),
            (setting(quant_method="bitsandbytes"), "bitsandbytes"),
            (setting(quant_method="nvfp4"), "supported are fp8"),
            (setting(quant_method="auto-round"), "auto-round"),
            (no_config, f"{q_proj}.weight\" is missing"),
        ]),
        "awq": (models.awq, AWQ, [
            (setting(version="gemv"), "gemv"), (setting(bits=8), "bits"),
            (setting(zero_point=False), "zero_point"),
            (without(q_proj + ".qzeros"), f"{q_proj}.qzeros\" is missing"),
        ]),
    }
    count = 0
    for kind, (make, settings, changes) in cases.items():
        for number, (change, named) in enumerate(changes):
            config, tensors, _ = models.quantized_model(rng, make, dict(settings))
            change(config, tensors)
            folder = os.path.join(work, f"damaged_{kind}_{number}")
            message = program.error(models.write_folder(folder, config, tensors))
            check(named in message, f"{folder}: \"{named}\" is not in: {message}")
            check(len(message.splitlines()) <= 2, f"{folder}: {message}")
            count += 1
    config, tensors, _ = models.quantized_model(rng, models.gptq, {**GPTQ, "desc_act": True})
    del tensors[q_proj + ".g_idx"]
    message = program.error(models.write_folder(os.path.join(work, "no_index"), config, tensors))
    check(f"{q_proj}.g_idx\" is missing" in message, message)
    print(f"ok    {count + 1} damaged checkpoints are refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    arguments = parser.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    program = Program(arguments.binary, arguments.work)
    failed = 0
    for part in (check_gguf, check_folders, check_damage):
        try:
            part(program, arguments.work)
        except Mismatch as problem:
            print(f"FAIL  {part.__name__}: {problem}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
