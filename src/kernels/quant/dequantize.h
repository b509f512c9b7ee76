// Rows of weights to floats, in portable code: the reference that every faster decoder must equal.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace tulou::kernels {

// Decodes one row of `width` values (a multiple of the type's block size) stored as `dtype` at
// `row`, which may lie at any address, to out[0, width). For every type the result has the bits of
// the Python package `gguf`: each product and difference is rounded to float in the order written
// there. A NaN in is some NaN out.
void dequantize_row(tensor::DType dtype, const void* row, float* out, int64_t width);

}  // namespace tulou::kernels
