"""tulou quantize against llama.cpp's quantiser: errors, choice of types, and files that run there.

usage: quantize.py TULOU QUANTIZE_TOOL PEER LIBRARIES SMOLLM2.gguf WORK_FOLDER
"""

import ctypes
import json
import os
import subprocess
import sys

import gguf
import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))
sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(2, os.path.join(TOP, "tests", "quantize"))
import compare  # noqa: E402
import random_model  # noqa: E402
from golden import peer_logits  # noqa: E402

ERROR_LIMIT = 1.02
# An error below this share of the values' root mean square is none: both quantisers are exact.
EXACT = 1e-6
WIDTH, ROWS = 1536, 256
TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS")
# Types that are converted on loading.
CONVERTED = ("Q2_K", "Q3_K", "Q5_1", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS",
             "IQ3_S", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4")
ADDED_LIMIT = 0.006
FILE_TYPES = {"Q4_0": 2, "Q4_1": 3, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18, "Q8_0": 7,
              "IQ4_NL": 25, "IQ4_XS": 30, "F16": 1, "BF16": 32, "F32": 0}
# Golden models in llama.cpp, KL divergence in nats from our exact logits of the same file. It
# rounds activations to 16 bits where weights have 16, which may change the choice of experts.
KL_LIMITS = {"F32": 1e-6, "BF16": 0.05}
SMOLLM2_KL_LIMIT = 0.02


class Comparison:
    def __init__(self, arguments):
        self.tulou, self.tool, self.peer, self.libraries, self.model, self.work = arguments
        self.program = compare.Program(self.tulou, self.work, timeout=600)
        self.ggml = ctypes.CDLL(os.path.join(self.libraries, "libggml-base.so"))
        self.ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                                                  *[ctypes.c_int64] * 3, ctypes.c_void_p]
        self.failed = self.total = 0

    def count(self, good):
        self.total += 1
        self.failed += not good
        return "" if good else " **failed**"

    def start_peer(self, source, out, number, *options):
        """llama.cpp's quantiser, which has one thread, while ours works."""
        return subprocess.Popen([self.peer, "quantize", self.libraries, source, out, str(number),
                                 *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    @staticmethod
    def finish(process):
        _, errors = process.communicate()
        if process.returncode != 0:
            raise compare.Mismatch(f"exit code {process.returncode} of the peer: {errors}")

    def encoded(self, kind, rows, importance):
        """The rows after ggml_quantize_chunk."""
        number = gguf.GGMLQuantizationType[kind]
        block, size = gguf.GGML_QUANT_SIZES[number]
        out = np.zeros((rows.shape[0], rows.shape[1] // block * size), np.uint8)
        weights = None if importance is None else importance.ctypes.data
        self.ggml.ggml_quantize_chunk(int(number), rows.ctypes.data, out.ctypes.data, 0,
                                      *rows.shape, weights)
        return out

    def theirs(self, kind, rows, importance):
        """The rows after ggml_quantize_chunk and back."""
        return gguf.quants.dequantize(self.encoded(kind, rows, importance),
                                      gguf.GGMLQuantizationType[kind])

    def converted(self, kind, stored, width):
        """What loading makes of stored rows: the type's name and the values."""
        paths = [os.path.join(self.work, name) for name in ("stored.bin", "out.f32")]
        stored.tofile(paths[0])
        result = subprocess.run([self.tool, "convert", kind, str(width), *paths], check=True,
                                capture_output=True, text=True)
        return result.stdout.strip(), np.fromfile(paths[1], np.float32).reshape(-1, width)

    def ours(self, kind, rows, importance):
        paths = [os.path.join(self.work, name) for name in ("rows.f32", "out.f32", "weights.f32")]
        rows.tofile(paths[0])
        if importance is None:
            paths.pop()
        else:
            importance.tofile(paths[2])
        subprocess.run([self.tool, kind, str(rows.shape[1]), *paths], check=True,
                       capture_output=True)
        return np.fromfile(paths[1], np.float32).reshape(rows.shape)


def ratio(rows, ours, theirs, weights):
    """Our root mean square error over theirs; 1 where both are exact."""
    def error(decoded):
        squares = (decoded.astype(np.float64) - rows) ** 2
        return np.sqrt((squares * weights).mean() / weights.mean())
    exact = EXACT * np.sqrt((rows.astype(np.float64) ** 2).mean())
    mine, other = error(ours), error(theirs)
    return 1.0 if mine <= exact and other <= exact else mine / max(other, exact)


def real_tensors(path):
    """Feed-forward tensors of the first, the middle and the last layer, as rows of WIDTH."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    for layer in (0, 14, 29):
        for part in ("ffn_gate", "ffn_up", "ffn_down"):
            tensor = tensors[f"blk.{layer}.{part}.weight"]
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            yield f"blk.{layer}.{part}", values.reshape(-1, WIDTH)[:ROWS].astype(np.float32)


def compare_errors(c):
    rng = np.random.default_rng(1)
    shape = (ROWS, WIDTH)
    kinds = {"normal": rng.standard_normal(shape), "Laplace": rng.laplace(size=shape),
             "Student t, 3": rng.standard_t(3, shape), "Student t, 1.5": rng.standard_t(1.5, shape)}
    groups = {name: [np.ascontiguousarray(values * 0.02, np.float32)]
              for name, values in kinds.items()}
    groups["SmolLM2, 9 feed-forward tensors"] = [np.ascontiguousarray(rows)
                                                 for _, rows in real_tensors(c.model)]
    importance = rng.lognormal(0, 1.5, WIDTH).astype(np.float32)
    equal = np.ones(WIDTH, np.float32)
    print("## Errors\n\nOur root mean square error over that of `ggml_quantize_chunk` on the same "
          f"rows (the worst tensor), limit {ERROR_LIMIT}. With importance (log-normal, sigma 1.5, "
          "a number for each column): the error weighted with it, and the plain one.\n")
    print("| type | values | without | with, weighted | with, plain |\n|---|---|---|---|---|")
    for kind in TYPES:
        for name, tensors in groups.items():
            worst = np.zeros(3)
            for rows in tensors:
                plain = (c.ours(kind, rows, None), c.theirs(kind, rows, None))
                weighted = (c.ours(kind, rows, importance), c.theirs(kind, rows, importance))
                worst = np.maximum(worst, [ratio(rows, *plain, equal),
                                           ratio(rows, *weighted, importance),
                                           ratio(rows, *weighted, equal)])
            mark = c.count(bool((worst <= ERROR_LIMIT).all()))
            print(f"| {kind} | {name} | {worst[0]:.3f} | {worst[1]:.3f} | {worst[2]:.3f} |{mark}",
                  flush=True)


def root_mean_square(values):
    return np.sqrt((values.astype(np.float64) ** 2).mean())


def compare_conversions(c):
    """The table of docs/decisions/0011: types that are converted on loading."""
    rng = np.random.default_rng(2)
    shape = (256, 4096)
    groups = [np.ascontiguousarray(values * 0.02, np.float32)
              for values in (rng.standard_normal(shape), rng.standard_t(6, shape))]
    print("\n## Conversions on loading\n\nOf weights that `ggml_quantize_chunk` quantised "
          "with an importance of 1 for each column, normal and Student-t with 6 degrees of "
          "freedom: how far the stored values are from the weights, and what the conversion adds, "
          "in % of the root mean square; limit of what is "
          f"added {100 * ADDED_LIMIT:.1f}.\n\n| stored | own | becomes | added |\n"
          "|---|---|---|---|")
    for kind in CONVERTED:
        own, added = [], []
        for rows in groups:
            stored = c.encoded(kind, rows, np.ones(shape[1], np.float32))
            values = gguf.quants.dequantize(stored, gguf.GGMLQuantizationType[kind])
            target, ours = c.converted(kind, stored, shape[1])
            own.append(root_mean_square(values - rows) / root_mean_square(rows))
            added.append(root_mean_square(ours - values) / root_mean_square(values))
        mark = c.count(max(added) <= ADDED_LIMIT)
        print(f"| {kind} | {', '.join(f'{100 * x:.1f}' for x in own)} | {target} | "
              f"{', '.join(f'{100 * x:.2f}' for x in added)} |{mark}", flush=True)


def types_of(path):
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


def write_importance(source, path):
    """An importance matrix of ones for every matrix of a file."""
    writer = gguf.GGUFWriter(path, "none")
    writer.add_type("imatrix")
    for tensor in gguf.GGUFReader(source).tensors:
        shape = [int(n) for n in tensor.shape]
        if tensor.name.startswith("blk.") and len(shape) > 1 and tensor.name.endswith("weight"):
            stack = shape[2] if len(shape) == 3 else 1
            writer.add_tensor(tensor.name + ".in_sum2", np.ones((stack, shape[0]), np.float32))
            writer.add_tensor(tensor.name + ".counts", np.ones((stack, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def compare_types(c, sources):
    print("\n## Types\n\nTensors of a type that differ from what `llama_model_quantize` makes of "
          "the same file, over all mixes, with and without an importance matrix.\n\n"
          "| model | files | tensors | differing |\n|---|---|---|---|")
    out, other = (os.path.join(c.work, name) for name in ("ours.gguf", "theirs.gguf"))
    matrix = os.path.join(c.work, "ones.gguf")
    for name, source in sources.items():
        write_importance(source, matrix)
        files = tensors = 0
        differing = []
        for kind, number in FILE_TYPES.items():
            for weighted in (False, True):
                options = ["--imatrix", matrix] if weighted else []
                peer = c.start_peer(source, other, number, *(["weighted"] if weighted else []))
                c.program.call("quantize", source, out, "--type", kind, "--force", *options)
                c.finish(peer)
                mine, theirs = types_of(out), types_of(other)
                files, tensors = files + 1, tensors + len(mine)
                differing += [f"{kind}: {n} {mine.get(n)} {theirs.get(n)}"
                              for n in sorted(set(mine) | set(theirs))
                              if mine.get(n) != theirs.get(n)]
        mark = c.count(not differing)
        print(f"| {name} | {files} | {tensors} | {len(differing)} |{mark}", flush=True)
        for line in differing[:5]:
            print(f"  - {line}", file=sys.stderr)


def run_golden(c):
    print("\n## Golden models in llama.cpp\n\nMean KL divergence in nats between llama.cpp's "
          "logits of our file and our exact ones, every position of the prompt. Files without a "
          f"tokenizer; limits {KL_LIMITS}.\n\n| case | F32 | BF16 | Q8_0 | Q4_K_M |\n"
          "|---|---|---|---|---|")
    sources = {}
    for name in sorted(os.listdir(compare.CASES)):
        case = compare.Case(name)
        ids = case.expected["prompt"]["ids"] if "prompt" in case.expected else list(range(3, 40))
        row, good = [], True
        for kind in ("F32", "BF16", "Q8_0", "Q4_K_M"):
            path = os.path.join(c.work, f"{name}.{kind}.gguf")
            c.program.call("quantize", os.path.join(case.folder, "model"), path, "--type", kind,
                           "--force")
            ours = c.program.logits(path, ids)
            theirs = peer_logits(c.peer, c.libraries, path, ids, c.work, ours.shape[1])
            kl = compare.kl_divergence(ours, theirs)
            good = good and np.isfinite(kl) and kl <= KL_LIMITS.get(kind, np.inf)
            row.append(f"{kl:.1e}")
            if kind == "F32":
                sources[name] = path
        print(f"| {name} | {' | '.join(row)} |{c.count(good)}", flush=True)
    return sources


def run_smollm2(c):
    """Requantised SmolLM2 in both programs, and how far either quantiser's file strays."""
    with open(os.path.join(TOP, "docs", "cli.md"), encoding="utf-8") as file:
        text = file.read()[:3000]
    result = subprocess.run([c.tulou, "tokenize", c.model], input=text.encode(), check=True,
                            capture_output=True)
    ids = [int(word) for word in result.stdout.split()][:400]
    wanted = c.program.logits(c.model, ids)
    matrix = os.path.join(c.work, "smollm2.imatrix.gguf")
    text_path = os.path.join(c.work, "text.txt")
    with open(text_path, "w", encoding="utf-8") as file:
        file.write(text)
    c.program.call("imatrix", c.model, text_path, "--out", matrix, "--force")
    print("\n## SmolLM2, requantised from Q4_1\n\n400 tokens of a text. `runs`: KL divergence of "
          f"llama.cpp's logits of our file from our exact ones, limit {SMOLLM2_KL_LIMIT}. The "
          "others: divergence of the file's exact logits from those of its source.\n\n"
          "| type | bits a weight | runs | ours | llama.cpp's quantiser | ours with imatrix |\n"
          "|---|---|---|---|---|---|")
    out, other = (os.path.join(c.work, name) for name in ("ours.gguf", "theirs.gguf"))
    for kind in ("Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS"):
        number = FILE_TYPES[kind]
        peer = c.start_peer(c.model, other, number)
        report = json.loads(c.program.call("quantize", c.model, out, "--type", kind, "--force",
                                           "--json"))
        c.finish(peer)
        ours = c.program.logits(out, ids)
        theirs = peer_logits(c.peer, c.libraries, out, ids, c.work, ours.shape[1])
        runs = compare.kl_divergence(ours, theirs)
        divergences = [compare.kl_divergence(wanted, ours),
                       compare.kl_divergence(wanted, c.program.logits(other, ids))]
        c.program.call("quantize", c.model, out, "--type", kind, "--force", "--imatrix", matrix)
        divergences.append(compare.kl_divergence(wanted, c.program.logits(out, ids)))
        print(f"| {kind} | {report['bits_per_weight']:.2f} | {runs:.1e} | "
              + " | ".join(f"{kl:.2e}" for kl in divergences)
              + f" |{c.count(runs <= SMOLLM2_KL_LIMIT)}", flush=True)


def main():
    c = Comparison(sys.argv[1:])
    os.makedirs(c.work, exist_ok=True)
    compare_errors(c)
    compare_conversions(c)
    sources = run_golden(c)
    deep = {f"random, {n} layers": os.path.join(c.work, f"deep{n}.gguf") for n in (24, 29, 36)}
    for layers, path in zip((24, 29, 36), deep.values()):
        random_model.write(path, layers, 256, 512, np.float32)
    compare_types(c, {**sources, **deep})
    run_smollm2(c)
    print(f"\n{c.total - c.failed} passed, {c.failed} failed")
    return 1 if c.failed or not c.total else 0


if __name__ == "__main__":
    sys.exit(main())
