// Decoders of single blocks of the formats of tensor/grid_formats.h, for dequantize.cpp.
#pragma once

#include "tensor/grid_formats.h"

namespace tulou::kernels {

// Each writes the values of one block to `out`; products are rounded in the order of the Python
// package `gguf`.
void decode(const tensor::BlockIQ1_S& block, float* out);
void decode(const tensor::BlockIQ1_M& block, float* out);
void decode(const tensor::BlockIQ2_XXS& block, float* out);
void decode(const tensor::BlockIQ2_XS& block, float* out);
void decode(const tensor::BlockIQ2_S& block, float* out);
void decode(const tensor::BlockIQ3_XXS& block, float* out);
void decode(const tensor::BlockIQ3_S& block, float* out);
void decode(const tensor::BlockTQ1_0& block, float* out);
void decode(const tensor::BlockTQ2_0& block, float* out);
void decode(const tensor::BlockMXFP4& block, float* out);
void decode(const tensor::BlockNVFP4& block, float* out);
void decode(const tensor::BlockQ1_0& block, float* out);
void decode(const tensor::BlockQ2_0& block, float* out);

// The whole numbers that the scales of a block multiply, in order. What a block's decoders and its
// conversions to other types share.
std::array<int8_t, 256> grid_values(const tensor::BlockIQ1_S& block);    // -1, 0, 1
std::array<int8_t, 256> grid_values(const tensor::BlockIQ1_M& block);    // -1, 0, 1
std::array<int8_t, 256> grid_values(const tensor::BlockIQ2_XXS& block);  // +-8, 25, 43
std::array<int8_t, 256> grid_values(const tensor::BlockIQ2_XS& block);
std::array<int8_t, 256> grid_values(const tensor::BlockIQ2_S& block);
std::array<int8_t, 256> grid_values(const tensor::BlockIQ3_XXS& block);  // +-4, 12, ... 62
std::array<int8_t, 256> grid_values(const tensor::BlockIQ3_S& block);    // +-1, 3, ... 15
std::array<int8_t, 256> grid_values(const tensor::BlockTQ1_0& block);    // -1, 0, 1
std::array<int8_t, 256> grid_values(const tensor::BlockTQ2_0& block);    // -1, 0, 1, 2
std::array<int8_t, 32> grid_values(const tensor::BlockMXFP4& block);     // of kFp4Values
std::array<int8_t, 128> grid_values(const tensor::BlockQ1_0& block);     // -1, 1
std::array<int8_t, 64> grid_values(const tensor::BlockQ2_0& block);      // -1, 0, 1, 2

}  // namespace tulou::kernels
