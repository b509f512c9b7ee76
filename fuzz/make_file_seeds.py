#!/usr/bin/env python3
"""Writes the seeds of the targets that read files.

usage: make_file_seeds.py [CORPUS]      needs only Python

The targets are safetensors, safetensors_index, gguf, config, ids_json, npy and prefix_file. Their
seeds are right files of every kind, and each way of being wrong that has broken a reader somewhere:
counts at 2^31 and beyond, overlaps, holes, duplicates, wrong types.
"""

import json
import pathlib
import struct
import sys

# Golden cases whose config.json is a seed: each family, and YaRN.
CONFIG_CASES = (
    "llama_tied qwen2_bias qwen3_5_moe qwen3_5_vision qwen3_5_yarn qwen3_moe qwen3_next qwen3_vl "
    "qwen3_yarn"
).split()
COUNTS = [1 << 31, 1 << 32, 1 << 61, (1 << 63) - 1, (1 << 64) - 1]


def safetensors(header: str, data: bytes) -> bytes:
    text = header.encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def entry(name: str, dtype: str, shape: list, begin: int, end: int) -> str:
    return (
        f'"{name}":{{"dtype":"{dtype}","shape":{json.dumps(shape)},"data_offsets":[{begin},{end}]}}'
    )


def safetensors_seeds() -> dict:
    a, b = entry("model.embed_tokens.weight", "BF16", [2, 3], 0, 12), entry(
        "lm_head.weight", "F32", [1, 2], 12, 20
    )
    data = bytes(range(20))
    seeds = {
        "two": safetensors("{" + a + "," + b + "}", data),
        "metadata": safetensors('{"__metadata__":{"format":"pt"},' + a + "," + b + "}", data),
        "reversed": safetensors("{" + b + "," + a + "}", data),
        "none": safetensors("{}", b""),
        "escapes": safetensors(
            '{"\\u00e9\\n\\ud83d\\ude00":' + a.split(":", 1)[1] + "}", data[:12]
        ),
        "overlap": safetensors("{" + a + "," + entry("x", "U8", [10], 2, 12) + "}", data[:12]),
        "hole": safetensors("{" + a + "," + entry("x", "U8", [4], 16, 20) + "}", data),
        "duplicate": safetensors("{" + a + "," + a + "}", data),
        "empty_alias": safetensors(
            "{" + entry("x", "F32", [0], 0, 0) + "," + entry("y", "F32", [0], 0, 0) + "}", b""
        ),
        "conv": safetensors(
            "{" + entry("patch_embed.proj.weight", "F16", [2, 3, 2, 2, 2], 0, 96) + "}", bytes(96)
        ),
        "fp8": safetensors(
            "{" + entry("w", "F8_E4M3", [4], 0, 4) + "," + entry("s", "F64", [], 4, 12) + "}",
            bytes(12),
        ),
        "many": safetensors(
            "{" + ",".join(entry(f"t{i}", "I8", [1], i, i + 1) for i in range(40)) + "}", bytes(40)
        ),
        "truncated": safetensors("{" + a + "}", b"")[:40],
    }
    for i, count in enumerate(COUNTS):
        seeds[f"count{i}"] = safetensors(
            "{" + entry("x", "F32", [count, 4], 0, count) + "}", bytes(16)
        )
        seeds[f"header{i}"] = struct.pack("<Q", count) + b"{}"
    return seeds


def index_seeds() -> dict:
    def index(weight_map: dict, **more) -> bytes:
        return json.dumps({**more, "weight_map": weight_map}).encode()

    return {
        "two": index(
            {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
            metadata={"total_size": 20},
        ),
        "none": index({}),
        "parent": index({"a": "../secret"}),
        "slash": index({"a": "/etc/passwd"}),
        "nul": index({"a": "x\0y"}),
        "escapes": index({"\u00e9\n": "\u00e9.safetensors"}),
        "duplicate": b'{"weight_map":{"a":"x","a":"y"}}',
        "number": index({"a": 1}),
        "list": b'{"weight_map":[]}',
        "no_map": b"{}",
        "many": index({f"t{i}": f"s{i % 7}.safetensors" for i in range(60)}),
    }


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, items: list) -> bytes:
    packed = b"".join(
        text(i) if kind == 8 else struct.pack("<" + "BbHhIif?__QqdQ"[kind], i) for i in items
    )
    return struct.pack("<IQ", kind, len(items)) + packed


def tensor(name: str, dims: list, kind: int, offset: int) -> bytes:
    return (
        text(name)
        + struct.pack("<I", len(dims))
        + struct.pack(f"<{len(dims)}Q", *dims)
        + struct.pack("<IQ", kind, offset)
    )


def gguf(
    keys: list, tensors: list, data: bytes = b"", version: int = 3, counts: tuple = None
) -> bytes:
    counts = counts or (len(tensors), len(keys))
    header = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(tensors)
    return header + b"\0" * (-len(header) % 32) + data


def gguf_seeds() -> dict:
    arch = key("general.architecture", 8, text("qwen35"))
    scalars = [arch] + [
        key(f"k{i}", i, struct.pack("<" + "BbHhIif?__Qqd"[i], 1))
        for i in (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)
    ]
    arrays = [key(f"a{i}", 9, array(i, [1, 0, 1])) for i in (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)]
    words = key("tokenizer.ggml.tokens", 9, array(8, ["a", "", "\u0120the", "<|im_end|>"]))
    sizes = {0: 4, 1: 2, 2: 18, 8: 34, 12: 144, 16: 66, 30: 2, 39: 17}
    blocks = {0: 1, 1: 1, 2: 32, 8: 32, 12: 256, 16: 256, 30: 1, 39: 32}
    kinds = [tensor(f"blk.{k}.w", [blocks[k], 2], k, 288 * i) for i, k in enumerate(sizes)]
    seeds = {
        "scalars": gguf(scalars, []),
        "arrays": gguf(arrays + [words], []),
        "tensors": gguf([arch], kinds, bytes(288 * len(kinds))),
        "version2": gguf([arch], [tensor("w", [4], 0, 0)], bytes(16), version=2),
        "version1": gguf([arch], [], version=1),
        "big_endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "aligned64": gguf(
            [key("general.alignment", 4, struct.pack("<I", 64))],
            [tensor("w", [2], 0, 64)],
            bytes(128),
        ),
        "overlap": gguf([], [tensor("a", [16], 0, 0), tensor("b", [4], 0, 32)], bytes(64)),
        "duplicate": gguf(
            [arch, arch], [tensor("a", [4], 0, 0), tensor("a", [4], 0, 32)], bytes(64)
        ),
        "nested": gguf([key("n", 9, struct.pack("<IQIQ", 9, 1, 4, 0))], []),
        "split": gguf(
            [
                key("split.no", 2, b"\0\0"),
                key("split.count", 2, b"\2\0"),
                key("split.tensors.count", 5, struct.pack("<i", 2)),
            ],
            [],
        ),
    }
    for i, count in enumerate(COUNTS):
        seeds[f"keys{i}"] = gguf([arch], [], counts=(0, count))
        seeds[f"tensors{i}"] = gguf([arch], [], counts=(count, 1))
        seeds[f"dims{i}"] = gguf([arch], [tensor("w", [count, count], 0, 0)], bytes(32))
        seeds[f"offset{i}"] = gguf([arch], [tensor("w", [4], 0, count & ~31)], bytes(32))
        seeds[f"strings{i}"] = gguf([key("t", 9, struct.pack("<IQ", 8, count))], [])
        seeds[f"length{i}"] = gguf([key("t", 8, struct.pack("<Q", count))], [])
    return seeds


def config_seeds() -> dict:
    layer_types = ["linear_attention", "linear_attention", "linear_attention", "full_attention"]
    text_config = {
        "model_type": "qwen3_5_text",
        "hidden_size": 64,
        "layer_types": layer_types,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "mrope_section": [11, 11, 10]},
    }
    cases = pathlib.Path(__file__).parent.parent / "tests/golden/cases"
    families = {
        name: json.dumps(
            json.loads((cases / name / "model/config.json").read_text()), separators=(",", ":")
        ).encode()
        for name in CONFIG_CASES
    }
    return families | {
        "nested": json.dumps(
            {
                "architectures": ["Qwen3_5ForConditionalGeneration"],
                "text_config": text_config,
                "tie_word_embeddings": True,
            }
        ).encode(),
        "flat": json.dumps(
            {"model_type": "qwen3", "head_dim": 128, "rope_scaling": None, "vocab_size": 1e6}
        ).encode(),
        "numbers": b'{"a":-1,"b":18446744073709551615,"c":1e400,"d":-0.0,"e":1.5}',
        "deep": b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        "duplicate": b'{"a":1,"a":2}',
        "scalar": b"true",
        "text": '{"\u00e9":"\\ud83d\\ude00\\u0000"}'.encode(),
        "fp8": json.dumps(
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
        ).encode(),
    }


def ids_seeds() -> dict:
    texts = [
        "[]",
        "[1,2,3]",
        "[[1,2],[3]]",
        "[[],[5]]",
        " [ 2147483647 ]\n",
        "[2147483648]",
        "[-1]",
        "[1,[2]]",
        "[1.0]",
        "{}",
        "[[[1]]]",
        "[1,]",
        '["a"]',
        "[" + ",".join(map(str, range(200))) + "]",
    ]
    return {f"ids{i}": t.encode() for i, t in enumerate(texts)}


def npy_seeds() -> dict:
    def npy(dictionary: str, data: bytes, version: int = 1) -> bytes:
        length = struct.pack("<H" if version == 1 else "<I", len(dictionary) + 1)
        return b"\x93NUMPY" + bytes([version, 0]) + length + dictionary.encode() + b"\n" + data

    good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    return {
        "matrix": npy(good, bytes(24)),
        "vector": npy(good.replace("(2, 3)", "(6,)"), bytes(24)),
        "version2": npy(good, bytes(24), 2),
        "version3": npy(good, bytes(24), 3),
        "none": npy(good.replace("2", "0"), b""),
        "double": npy(good.replace("f4", "f8"), bytes(48)),
        "fortran": npy(good.replace("False", "True"), bytes(24)),
        "huge": npy(good.replace("2", str(1 << 62)), bytes(24)),
        "short": npy(good, bytes(20)),
        "empty": b"",
    }


def prefix_file_seeds() -> dict:
    """A head without its code, then the file's size."""
    def head(length=40, payload=100, size=None, version=1, zero=0, magic=b"TlPrefix"):
        size = 224 + 4 * length + payload if size is None else size
        return (magic + struct.pack("<II", version, zero) + bytes(range(128))
                + struct.pack("<QQQ", length, payload, size))

    return {
        "right": head(),
        "version": head(version=2),
        "size": head(size=5),
        "long": head(1 << 24, 0),
        "longer": head(1 << 25, 0),
        "overflow": head(10, (1 << 64) - 100, 164),
        "magic": head(magic=b"TlState1"),
        "reserved": head(zero=1),
        "none": head(0),
    }


def main(corpus: pathlib.Path) -> None:
    for target, seeds in (
        ("safetensors", safetensors_seeds()),
        ("safetensors_index", index_seeds()),
        ("gguf", gguf_seeds()),
        ("config", config_seeds()),
        ("ids_json", ids_seeds()),
        ("npy", npy_seeds()),
        ("prefix_file", prefix_file_seeds()),
    ):
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(
        pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus"
    )
