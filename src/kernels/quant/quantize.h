// Rows of floats to the formats of weights. Portable code: the bytes are the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tulou::kernels {

// True for the types that quantize_row writes: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K,
// Q5_K, Q6_K, IQ4_NL, IQ4_XS.
bool can_quantize(tensor::DType dtype);

// The largest magnitude that a value may have: what fp16 (also the scale of a block) or the type
// itself holds.
float largest_magnitude(tensor::DType dtype);

// Encodes x[0, width) as one row of `dtype` at `out`, which has row_bytes(dtype, width) bytes and
// may lie at any address. `width` is a multiple of the type's block size; all values are finite and
// at most largest_magnitude(dtype) in size.
//
// `importance` is null or has `width` finite values >= 0, the weight of each column's squared
// error; a block of zeros counts as equal weights. F32, F16, BF16 and Q8_0 do without it.
//
// Without importance, Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 are byte for byte what llama.cpp's reference
// encoders give. All others, and those with importance, are searched: scales and minima are chosen
// for the least (weighted) squared error after decoding.
void quantize_row(tensor::DType dtype, const float* x, int64_t width, const float* importance,
                  std::byte* out);

}  // namespace tulou::kernels
