"""The files that the tidy rules look at, and the table of what a folder may include."""

import os
import re
import subprocess

# What a folder of src/ may include besides itself. "cli" stands above all of them.
MAY_INCLUDE = {
    "base": set(),
    "tensor": {"base"},
    "hardware": {"base"},
    "text": {"base"},
    "net": {"base"},
    "grammar": {"base"},
    "kernels": {"tensor", "hardware", "base"},
    "checkpoint": {"tensor", "base"},
    "nn": {"kernels", "tensor", "base"},
    "model": {"nn", "checkpoint", "kernels", "tensor", "base"},
    "store": {"checkpoint", "net", "base"},
    "engine": {"model", "nn", "grammar", "base"},
    "train": {"model", "nn", "kernels", "checkpoint", "base"},
    "quantize": {"model", "nn", "kernels", "checkpoint", "tensor", "base"},
    "completion": {"engine", "model", "checkpoint", "text", "grammar", "base"},
}
MAY_INCLUDE["evaluate"] = {"completion"} | MAY_INCLUDE["completion"]
MAY_INCLUDE["serve"] = {"completion", "store", "net"} | MAY_INCLUDE["completion"]
MAY_INCLUDE["cli"] = set(MAY_INCLUDE)

# Outside headers that only some folders may see.
OUTSIDE = {
    "simdjson": {"base", "checkpoint", "text"},
    "nlohmann/": {"base"},
    "boost/": {"net"},
    "CLI/": {"cli"},
    "histedit.h": {"cli"},
    "editline/": {"cli"},
    "immintrin.h": {"kernels", "base"},
    "arm_neon.h": {"kernels"},
    "cpuid.h": {"hardware"},
    "openssl/": {"base", "net"},
}

# Banned names, and functions over the limit, that are right where they stand; with the reason.
ALLOWED = {
    ("src/base/assert.cpp", "abort"): "what an assertion does",
    ("src/base/file.cpp", "_exit"): "the only safe end of a signal handler",
    ("src/cli/interrupt.cpp", "_exit"): "the only safe end of a signal handler",
    ("src/grammar/helper_process.cpp", "_exit"): "a forked child must not run the program's exits",
    ("fuzz/tokenizer_encode.cpp", "abort"): "how a fuzz target reports a finding",
    ("src/cli/line_reader.cpp", "setlocale"): "libedit needs LC_CTYPE; numbers stay as they are",
    ("src/cli/answer_options.cpp", "random_device"): "a new seed where none is given",
    ("src/text/template_value.h", "new"): "the counted reference of the template interpreter",
    ("src/text/template_value.h", "delete"): "the counted reference of the template interpreter",
    ("src/base/catalogue.cpp", "model_messages"): "one table of messages, however long",
    ("src/base/catalogue_requests.cpp", "request_messages"): "one table of messages, however long",
}

# Sources without a test beside them, and the tests that do run them.
TESTED_ELSEWHERE = {
    "src/model/families/": "tests/golden has a checkpoint of each family; model_test reads them",
    "src/model/load_weights.cpp": "model_test: missing, extra and misshapen tensors",
    "src/model/weight_reader.cpp": "model_test: missing, extra and misshapen tensors",
    "src/model/conversions.cpp": "quantization_test: what was planned is what was done",
    "src/model/quantization_config.cpp": "quantization_test: every method and option",
    "src/model/quantized_matrix.cpp": "quantization_test and tests/formats: known weights",
    "src/kernels/quant/dequantize_grids.cpp": "dequantize_test: the types of grid_formats.h",
    "src/model/batch.cpp": "tests/golden: batches, splits and prefixes",
    "src/nn/gated_delta_net.cpp": "tests/golden: the output of each part, recurrent states",
    "src/nn/mlp.cpp": "tests/golden: the output of each part of each layer",
    "src/nn/norm.cpp": "tests/golden: the output of each part of each layer",
    "src/cli/serve.cpp": "tests/server: everything that the program does when it serves",
    "src/cli/served_models.cpp": "tests/server: names, budgets, structured output",
    "src/grammar/ebnf.cpp": "schema_test: Ebnf; tests/grammar",
    "src/grammar/grammar.cpp": "compiler_test: masks, forks, stop tokens",
    "src/grammar/helper.cpp": "compiler_test: limits, a dead helper",
    "src/grammar/helper_process.cpp": "compiler_test: limits, a dead helper",
    "src/engine/prefix_file.cpp": "prefix_store_test: heads, truncation, flipped bits",
    "src/engine/prefix_folder.cpp": "prefix_store_test: links, modes, torn and foreign files",
    "src/cli/cache.cpp": "tests/server: list and clear",
    "src/engine/scheduler.cpp": "engine_test: batches, the bound of the queue, cancelled streams",
}

SCRIPTS = (".py", ".sh")
CPP = (".cpp", ".h", ".inc")


class Tree:
    """Paths (relative to the top, with /) and their texts; None for a file that is not UTF-8."""

    def __init__(self, files):
        self.files = files

    @classmethod
    def of_checkout(cls, top):
        try:
            listed = subprocess.run(
                ["git", "ls-files", "-co", "--exclude-standard", "-z"],
                cwd=top, check=True, capture_output=True).stdout.decode().split("\0")
        except (OSError, subprocess.CalledProcessError):
            listed = [os.path.relpath(os.path.join(folder, name), top)
                      for folder, _, names in os.walk(top) for name in names]
            listed = [path for path in listed if not path.startswith(("build/", ".git/"))]
        files = {}
        for path in sorted(set(filter(None, listed))):
            full = os.path.join(top, path)
            if not os.path.isfile(full) or os.path.islink(full):
                continue
            with open(full, "rb") as file:
                data = file.read()
            try:
                files[path] = data.decode("utf-8")
            except UnicodeDecodeError:
                files[path] = None
        return cls(files)

    def select(self, prefixes=("",), endings=("",)):
        """(path, text) of the files below a prefix with one of the endings."""
        for path, text in self.files.items():
            if text is not None and path.startswith(prefixes) and path.endswith(endings):
                yield path, text

    def cpp(self, prefixes=("src/", "fuzz/", "bench/", "tests/")):
        return self.select(prefixes, CPP)

    def sources(self):
        """Everything that a person wrote as code: C++, CMake, Python, shell."""
        for path, text in self.select():
            is_code = path.endswith(CPP + SCRIPTS + (".cmake", "CMakeLists.txt"))
            if (is_code or text.startswith("#!")) and not is_data(path):
                yield path, text


def is_data(path):
    return path.startswith("fuzz/corpus/") or "/data/" in path


def is_generated(text):
    """Tables made by a script say so in their opening comment."""
    return any(re.match(r"// generated\b", line, re.I) for line in text.split("\n")[:6])


def is_test(path):
    beside = path.endswith(("_test.cpp", "_test.h", "_test-inl.h", "_bench.cpp"))
    return beside or path.startswith(("tests/", "bench/", "fuzz/"))


def folder_of(path):
    """The folder of src/ that a path lies in, or None."""
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None
