"""Writes tests/quant/encoded.bin: blocks as the reference encoders of the package gguf make them.

usage: make_encoded.py > tests/quant/encoded.bin

For each of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: 64 blocks of 32 values that quantize_test.cpp makes the
same way (values()).
"""

import sys

import gguf
import numpy as np
from make_blocks import splitmix64

TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
NUM_BLOCKS = 64


def values():
    """Whole numbers of 16 bits times a power of two for each block, and some special blocks."""
    words = np.frombuffer(splitmix64(NUM_BLOCKS * 8, 11).tobytes(), "<i2").reshape(NUM_BLOCKS, 32)
    x = words.astype(np.float32)
    for block in range(NUM_BLOCKS):
        x[block] *= np.float32(2.0 ** (block % 24 - 27))
    x[1] = 0
    x[2] = 0.75
    x[3] = -0.75
    x[4] = np.abs(x[4])
    x[5] = -np.abs(x[5])
    x[6, :31] = 0
    x[7] *= np.float32(2.0 ** -20)
    return x


def main():
    x = values()
    for name in TYPES:
        out = gguf.quants.quantize(x, gguf.GGMLQuantizationType[name])
        sys.stdout.buffer.write(out.tobytes())


if __name__ == "__main__":
    main()
