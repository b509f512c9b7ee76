// The encoders of single blocks, behind quantize_row.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "tensor/block_formats.h"

namespace tulou::kernels {

inline tensor::Word16 to_fp16(float value) {
  return tensor::Word16::of(tensor::float_to_fp16(value));
}
// A value as it will be read back.
inline float through_fp16(float value) {
  return tensor::fp16_to_float(tensor::float_to_fp16(value));
}

// llama.cpp's reference encoders, byte for byte: no search. x has 32 values.
void encode_reference(const float* x, tensor::BlockQ4_0& block);
void encode_reference(const float* x, tensor::BlockQ4_1& block);
void encode_reference(const float* x, tensor::BlockQ5_0& block);
void encode_reference(const float* x, tensor::BlockQ5_1& block);
void encode_reference(const float* x, tensor::BlockQ8_0& block);

// Searches for the least error; w has the weights (> 0) of the squared errors.
void encode(const float* x, const float* w, tensor::BlockQ4_0& block);
void encode(const float* x, const float* w, tensor::BlockQ4_1& block);
void encode(const float* x, const float* w, tensor::BlockQ5_0& block);
void encode(const float* x, const float* w, tensor::BlockQ5_1& block);
void encode(const float* x, const float* w, tensor::BlockIQ4_NL& block);
// Super-blocks: 256 values.
void encode(const float* x, const float* w, tensor::BlockQ4_K& block);
void encode(const float* x, const float* w, tensor::BlockQ5_K& block);
void encode(const float* x, const float* w, tensor::BlockQ6_K& block);
void encode(const float* x, const float* w, tensor::BlockIQ4_XS& block);

}  // namespace tulou::kernels
