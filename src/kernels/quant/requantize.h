// Rows of the types that kernels do not compute with, as rows of those that they do. Portable code:
// the bytes are the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/block_formats.h"
#include "tensor/dtype.h"

namespace tulou::kernels {

// The type that weights of type `stored` are computed in: itself for F32, F16, BF16, Q4_0, Q4_1,
// Q5_0, Q8_0, Q4_K, Q5_K, Q6_K, IQ4_NL and IQ4_XS; for the others the smallest of these that adds
// less than 0.6 % to the root mean square error (decision 11 has the measurements). Its blocks
// divide every row that the stored type's blocks divide.
tensor::DType computed_type(tensor::DType stored);

// Writes a row of `width` values stored as `stored` (which is not its own computed type) as a row
// of computed_type(stored) to `out`, row_bytes(computed_type(stored), width) bytes. Both may lie at
// any address. The values are those of dequantize_row
//   exactly for Q3_K, IQ1_M, IQ3_XXS, TQ1_0, TQ2_0, MXFP4, Q1_0, Q2_0,
//   but for the rounding of scales to fp16 for IQ1_S, IQ2_XXS, IQ3_S,
//   rounded to 8 bits for Q2_K, Q5_1, IQ2_XS, IQ2_S, NVFP4 (see encode_q8_0),
// as long as fp16 holds the scales; larger ones become the largest, smaller ones lose bits.
void requantize_row(tensor::DType stored, const void* row, std::byte* out, int64_t width);

// Encodes x[0, width), a multiple of 32, as Q8_0. Of the scales amax / 127, amax / 126, ...
// amax / 120 the one with the least squared error: values that came from few levels often fit one
// of them much better than the others. Blocks with infinities or NaN decode to NaN.
void encode_q8_0(const float* x, int64_t width, std::byte* out);

// A scale as fp16: too large a finite one becomes the largest; infinities and NaN stay.
tensor::Word16 saturated_fp16(float value);

}  // namespace tulou::kernels
