#!/usr/bin/env python3
"""Writes blocks.bin: blocks of every type, and what the Python package gguf decodes them to.

usage: make_blocks.py [OUT]      needs: pip install gguf numpy

Layout, little-endian, for each type: name (8 bytes, zero-padded), u32 blocks, u32 block bytes, u32
values of a block, u32 CRC-32 (see below), the blocks, their values as float32. Half of the blocks
have scales of ordinary size, the others any bits at all: zeros, subnormals, infinities, NaN.
CRC-32: over the float32 values of 1 MiB of more blocks whose bytes come from splitmix64, NaN
replaced by 0x7fc00000; so that many blocks are compared in little room.
"""

import pathlib
import struct
import sys
import zlib

import gguf
import numpy as np

TYPES = [
    "F32",
    "F16",
    "BF16",
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q8_0",
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_NL",
    "IQ4_XS",
    "IQ1_S",
    "IQ1_M",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
    "IQ3_XXS",
    "IQ3_S",
    "TQ1_0",
    "TQ2_0",
    "MXFP4",
    "NVFP4",
    "Q1_0",
    "Q2_0",
]
# Types that the package cannot decode: values and bytes of a block. They are decoded below.
OWN_SIZES = {"Q1_0": (128, 18), "Q2_0": (64, 18)}
# Where the fp16 scales of a block lie.
SCALES = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q2_K": [80, 82],
    "Q3_K": [108],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
    "IQ4_NL": [0],
    "IQ4_XS": [0],
    "IQ1_S": [0],
    "IQ2_XXS": [0],
    "IQ2_XS": [0],
    "IQ2_S": [0],
    "IQ3_XXS": [0],
    "IQ3_S": [0],
    "TQ1_0": [52],
    "TQ2_0": [64],
    "Q1_0": [0],
    "Q2_0": [0],
}
EXTREME = [
    0x0000,
    0x8000,
    0x0001,
    0x8001,
    0x03FF,
    0x0400,
    0x7BFF,
    0xFBFF,
    0x7C00,
    0xFC00,
    0x7E00,
    0x3555,
]
LONG_BYTES = 1 << 20


def splitmix64(count: int, seed: int) -> np.ndarray:
    """`count` numbers of the splitmix64 sequence as uint64."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def decode_own(blocks: np.ndarray, name: str) -> np.ndarray:
    """Q1_0: a bit is +d or -d; Q2_0: two bits are -d, 0, d, 2 d. An fp16 d, then the bits."""
    d = blocks[:, :2].copy().view("<f2").astype(np.float32)
    bits = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little").astype(np.float32)
    if name == "Q1_0":
        return d * (2 * bits - 1)
    return d * (bits[:, 0::2] + 2 * bits[:, 1::2] - 1)


def decode(blocks: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        if name in OWN_SIZES:
            return np.ascontiguousarray(decode_own(blocks, name), dtype=np.float32)
        values = gguf.dequantize(blocks, gguf.GGMLQuantizationType[name])
    return np.ascontiguousarray(values, dtype=np.float32)


def main(out: pathlib.Path) -> None:
    rng = np.random.default_rng(20)
    content = b""
    for number, name in enumerate(TYPES):
        if name in OWN_SIZES:
            block_values, block_bytes = OWN_SIZES[name]
        else:
            block_values, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        num_blocks = 256 if block_values == 1 else 48 if block_values <= 64 else 12
        blocks = rng.integers(0, 256, (num_blocks, block_bytes), dtype=np.uint8)
        for place in SCALES.get(name, []):
            ordinary = (rng.standard_normal(num_blocks) * 0.02).astype("<f2")
            ordinary.view("<u2")[num_blocks // 2 :] = rng.choice(
                EXTREME, num_blocks - num_blocks // 2
            )
            blocks[:, place : place + 2] = ordinary.view(np.uint8).reshape(num_blocks, 2)
        if name in ("F16", "BF16"):
            blocks.view("<u2")[: len(EXTREME), 0] = EXTREME
        count = LONG_BYTES // block_bytes
        long_blocks = splitmix64((count * block_bytes + 7) // 8, number).view(np.uint8)[
            : count * block_bytes
        ]
        bits = decode(long_blocks.reshape(count, block_bytes), name).view(np.uint32)
        bits[np.isnan(bits.view(np.float32))] = 0x7FC00000
        crc = zlib.crc32(bits.tobytes())
        content += struct.pack("<8sIIII", name.encode(), num_blocks, block_bytes, block_values, crc)
        content += blocks.tobytes() + decode(blocks, name).tobytes()
    out.write_bytes(content)


if __name__ == "__main__":
    main(
        pathlib.Path(sys.argv[1])
        if len(sys.argv) > 1
        else pathlib.Path(__file__).parent / "blocks.bin"
    )
