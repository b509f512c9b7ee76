#!/usr/bin/env python3
"""Writes a GGUF file with the shapes, names and metadata of a model and random weights: for speed,
which does not depend on what the weights say. Needs only numpy.

usage: random_gguf.py MODEL TYPE OUT.gguf
  MODEL  qwen3-0.6b, qwen3.5-0.8b, qwen3.5-2b, qwen3.5-4b
  TYPE   q4_0, q8_0, f16, bf16 (all matrices), q4_k_m (llama.cpp's mix of Q4_K and Q6_K)

The same arguments give the same bytes. Weights are spread around 0 with a deviation of
1 / sqrt(width), so that activations stay finite, and no stored number is denormal.
"""

import itertools
import os
import struct
import sys
import zlib

import numpy as np

CONTEXT = 32768
CHUNK_BLOCKS = 1 << 16  # random blocks of a matrix before they repeat

# layers, hidden size, feed-forward size, heads, kv heads, head size, vocabulary, and for Gated
# DeltaNet the heads of keys and values, each of 128; None for full attention in every layer.
MODELS = {
    "qwen3-0.6b": (28, 1024, 3072, 16, 8, 128, 151936, None),
    "qwen3.5-0.8b": (24, 1024, 3584, 8, 2, 256, 248320, (16, 16)),
    "qwen3.5-2b": (24, 2048, 6144, 8, 2, 256, 248320, (16, 16)),
    "qwen3.5-4b": (32, 2560, 9216, 16, 4, 256, 248320, (16, 32)),
}
DELTA_HEAD = 128
FULL_ATTENTION_INTERVAL = 4

# ggml's number of a type, values in a block, bytes of a block (ggml.h, ggml-common.h).
TYPES = {"f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q8_0": (8, 32, 34),
         "q4_k": (12, 256, 144), "q6_k": (14, 256, 210), "bf16": (30, 1, 2)}
# llama.h, llama_ftype.
FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7, "q4_k_m": 15, "bf16": 32}
SMALLEST_F16 = 6.2e-5  # above the largest denormal


def more_bits(layer, layers):
    """Which layers get Q6_K in llama.cpp's Q4_K_M: the first and last eighth, and every third
    between (llama-quant.cpp, use_more_bits)."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def type_of(name, file_type, layers):
    """The type that a matrix has in a file of this type."""
    if file_type != "q4_k_m":
        return file_type
    if name == "token_embd.weight":  # it is the head as well
        return "q6_k"
    sensitive = name.endswith(("attn_v.weight", "attn_qkv.weight", "ffn_down.weight"))
    return "q6_k" if sensitive and more_bits(int(name.split(".")[1]), layers) else "q4_k"


def put_scale(blocks, offset, value):
    """The same half-precision number at a place of every block."""
    blocks[:, offset:offset + 2] = np.full(len(blocks), value, "<f2").view(np.uint8).reshape(-1, 2)


def quantised(kind, count, deviation, generator):
    """`count` random blocks whose values have about the given deviation, as rows of bytes."""
    blocks = generator.integers(0, 256, (count, TYPES[kind][2]), dtype=np.uint8)
    if kind == "q4_0":  # d, 16 bytes of nibbles: d (q - 8)
        put_scale(blocks, 0, deviation / 4.6)
    elif kind == "q8_0":  # d, 32 signed bytes
        put_scale(blocks, 0, deviation / 73.9)
    elif kind == "q4_k":  # d, dmin, 12 bytes of 6-bit factors, nibbles: d sc q - dmin m
        put_scale(blocks, 0, deviation / 63.5)
        put_scale(blocks, 2, 7.5 * deviation / 63.5)
        blocks[:, 4:12] &= 0x0F  # factors below 16, so that d is a normal number
    elif kind == "q6_k":  # low and high bits, 16 signed factors, d: d sc (q - 32)
        factors = generator.integers(-16, 16, (count, 16), dtype=np.int8)
        blocks[:, 192:208] = factors.view(np.uint8)
        put_scale(blocks, 208, deviation / (9.2 * 18.5))
    return blocks


def plain(kind, count, deviation, generator):
    """`count` random numbers as bytes."""
    values = (generator.standard_normal(count) * deviation).astype("<f4")
    if kind == "f32":
        return values.view(np.uint8)
    if kind == "f16":
        values[np.abs(values) < SMALLEST_F16] = 0
        return values.astype("<f2").view(np.uint8)
    bits = values.view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").view(np.uint8)


def write_data(out, name, kind, width, rows):
    """The tensor's bytes, padded to 32."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    _, block_values, block_bytes = TYPES[kind]
    blocks = width * rows // block_values
    left = blocks * block_bytes
    if kind == "f32" and name.endswith("norm.weight"):
        chunk = np.ones(blocks, "<f4").view(np.uint8)
    elif name.endswith("ssm_a"):
        chunk = np.full(blocks, -0.5, "<f4").view(np.uint8)
    elif block_values == 1:
        chunk = plain(kind, min(blocks, CHUNK_BLOCKS * 32), 1 / np.sqrt(width), generator)
    else:
        chunk = quantised(kind, min(blocks, CHUNK_BLOCKS), 1 / np.sqrt(width), generator)
    chunk, size = chunk.tobytes(), left
    while left > 0:
        out.write(chunk[:left])
        left -= min(left, len(chunk))
    out.write(b"\0" * (-size % 32))


def tensors_of(model, file_type):
    """(name, type, width, rows) of every tensor; rows are 1 for vectors."""
    layers, hidden, inner, heads, kv_heads, head, vocabulary, delta = MODELS[model]
    found = []

    def matrix(name, width, rows):
        found.append((name, type_of(name, file_type, layers), width, rows))

    def vector(name, width, rows=1):
        found.append((name, "f32", width, rows))

    matrix("token_embd.weight", hidden, vocabulary)
    vector("output_norm.weight", hidden)
    for i in range(layers):
        blk = f"blk.{i}."
        vector(blk + "attn_norm.weight", hidden)
        if delta and (i + 1) % FULL_ATTENTION_INTERVAL:
            keys, values = DELTA_HEAD * delta[0], DELTA_HEAD * delta[1]
            matrix(blk + "attn_qkv.weight", hidden, 2 * keys + values)
            matrix(blk + "attn_gate.weight", hidden, values)
            matrix(blk + "ssm_alpha.weight", hidden, delta[1])
            matrix(blk + "ssm_beta.weight", hidden, delta[1])
            matrix(blk + "ssm_out.weight", values, hidden)
            vector(blk + "ssm_conv1d.weight", 4, 2 * keys + values)
            vector(blk + "ssm_dt.bias", delta[1])
            vector(blk + "ssm_a", delta[1])
            vector(blk + "ssm_norm.weight", DELTA_HEAD)
        else:
            matrix(blk + "attn_q.weight", hidden, heads * head * (2 if delta else 1))
            matrix(blk + "attn_k.weight", hidden, kv_heads * head)
            matrix(blk + "attn_v.weight", hidden, kv_heads * head)
            matrix(blk + "attn_output.weight", heads * head, hidden)
            vector(blk + "attn_q_norm.weight", head)
            vector(blk + "attn_k_norm.weight", head)
        vector(blk + ("post_attention_norm.weight" if delta else "ffn_norm.weight"), hidden)
        matrix(blk + "ffn_gate.weight", hidden, inner)
        matrix(blk + "ffn_up.weight", hidden, inner)
        matrix(blk + "ffn_down.weight", inner, hidden)
    return found


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


class Metadata:
    """Keys and values in GGUF's form."""

    def __init__(self):
        self.count, self.data = 0, b""

    def add(self, key, kind, data):
        self.count += 1
        self.data += text(key) + struct.pack("<I", kind) + data

    def integer(self, key, value):
        self.add(key, 4, struct.pack("<I", value))

    def number(self, key, value):
        self.add(key, 6, struct.pack("<f", value))

    def string(self, key, value):
        self.add(key, 8, text(value))

    def array(self, key, kind, count, data):
        self.add(key, 9, struct.pack("<IQ", kind, count) + data)


def add_tokenizer(meta, vocabulary, pre):
    """A byte-level vocabulary of the right size, with merges for all of it: the bytes, all pairs of
    bytes, threes of them, one special token."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    characters = [chr(b) if b in own else chr(next(rest)) for b in range(256)]
    pairs = [(a, b) for a in characters for b in characters]
    threes = ((a + b, c) for a, b in pairs for c in characters)
    merges = list(itertools.islice(itertools.chain(pairs, threes), vocabulary - 257))
    tokens = characters + [a + b for a, b in merges] + ["<|endoftext|>"]
    meta.string("tokenizer.ggml.model", "gpt2")
    meta.string("tokenizer.ggml.pre", pre)
    meta.array("tokenizer.ggml.tokens", 8, vocabulary, b"".join(map(text, tokens)))
    kinds = np.ones(vocabulary, "<i4")
    kinds[-1] = 3  # control
    meta.array("tokenizer.ggml.token_type", 5, vocabulary, kinds.tobytes())
    meta.array("tokenizer.ggml.merges", 8, len(merges),
               b"".join(text(f"{a} {b}") for a, b in merges))
    meta.integer("tokenizer.ggml.eos_token_id", vocabulary - 1)


def metadata_of(model, file_type):
    layers, hidden, inner, heads, kv_heads, head, vocabulary, delta = MODELS[model]
    arch = "qwen35" if delta else "qwen3"
    meta = Metadata()
    meta.string("general.architecture", arch)
    meta.string("general.name", f"{model} {file_type}, random weights")
    meta.integer("general.file_type", FILE_TYPES[file_type])
    for key, value in (("block_count", layers), ("context_length", CONTEXT),
                       ("embedding_length", hidden), ("feed_forward_length", inner),
                       ("attention.head_count", heads), ("attention.head_count_kv", kv_heads),
                       ("attention.key_length", head), ("attention.value_length", head)):
        meta.integer(f"{arch}.{key}", value)
    meta.number(f"{arch}.attention.layer_norm_rms_epsilon", 1e-6)
    meta.number(f"{arch}.rope.freq_base", 1e7 if delta else 1e6)
    if delta:
        meta.integer(f"{arch}.rope.dimension_count", head // 4)
        meta.array(f"{arch}.rope.dimension_sections", 5, 4, struct.pack("<4i", 11, 11, 10, 0))
        for key, value in (("conv_kernel", 4), ("inner_size", DELTA_HEAD * delta[1]),
                           ("state_size", DELTA_HEAD), ("time_step_rank", delta[1]),
                           ("group_count", delta[0])):
            meta.integer(f"{arch}.ssm.{key}", value)
        meta.integer(f"{arch}.full_attention_interval", FULL_ATTENTION_INTERVAL)
    add_tokenizer(meta, vocabulary, "qwen35" if delta else "qwen2")
    return meta


def write_gguf(model, file_type, path):
    """Writes the file, under another name until it is whole."""
    meta, tensors = metadata_of(model, file_type), tensors_of(model, file_type)
    info, offset = b"", 0
    for name, kind, width, rows in tensors:
        extents = (width,) if rows == 1 else (width, rows)
        number, block_values, block_bytes = TYPES[kind]
        info += text(name) + struct.pack(f"<I{len(extents)}Q", len(extents), *extents)
        info += struct.pack("<IQ", number, offset)
        size = width * rows // block_values * block_bytes
        offset += size + -size % 32
    with open(path + ".part", "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), meta.count) + meta.data + info)
        out.write(b"\0" * (-out.tell() % 32))
        for tensor in tensors:
            write_data(out, *tensor)
    os.replace(path + ".part", path)


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in MODELS or arguments[1] not in FILE_TYPES:
        print(__doc__, file=sys.stderr)
        return 2
    write_gguf(*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
