#include "kernels/quant/requantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/dequantize_grids.h"
#include "tensor/block_formats.h"

namespace tulou::kernels {
namespace {

using namespace tensor;

// The values q[32] in [-8, 7] and a scale as Q4_0.
BlockQ4_0 q4_0(Word16 d, const int8_t* q) {
  BlockQ4_0 block;
  block.d = d;
  for (size_t j = 0; j < 16; ++j)
    block.qs[j] = static_cast<uint8_t>((q[j] + 8) | (q[j + 16] + 8) << 4);
  return block;
}

// The values q[256] in [-32, 31] as Q6_K, scales left open.
BlockQ6_K q6_k(float d, const std::array<int8_t, 256>& q) {
  BlockQ6_K block = {};
  block.d = saturated_fp16(d);
  for (size_t i = 0; i < 256; ++i) {
    const size_t n = i / 128, g = i % 128 / 32, l = i % 32;
    const auto code = static_cast<uint32_t>(q[i] + 32);
    block.ql[64 * n + 32 * (g % 2) + l] |= static_cast<uint8_t>((code & 15) << (4 * (g / 2)));
    block.qh[32 * n + l] |= static_cast<uint8_t>(code >> 4 << (2 * g));
  }
  return block;
}

// One scale and a few values: Q4_0 holds them as they are.
template <typename Block>
void to_q4_0(const Block& block, std::byte* out) {
  const auto values = grid_values(block);
  for (size_t i = 0; i < values.size(); i += 32) {
    const BlockQ4_0 result = q4_0(block.d, values.data() + i);
    std::memcpy(out + i / 32 * sizeof result, &result, sizeof result);
  }
}

// The values of MXFP4 are whole numbers below 16. A scale that is no fp16 moves into them as far as
// that goes.
void to_q5_0(const BlockMXFP4& block, std::byte* out) {
  const auto values = grid_values(block);
  const int exponent = block.e - 128, stored = std::clamp(exponent, -24, 15);
  const float rest = std::ldexp(1.0f, exponent - stored);
  BlockQ5_0 result = {};
  result.d = saturated_fp16(std::ldexp(1.0f, stored));
  uint32_t high = 0;
  for (size_t i = 0; i < 32; ++i) {
    // Positive with 16.5 added, so that the conversion to a whole number rounds to the nearest.
    const float value = std::clamp(static_cast<float>(values[i]) * rest, -16.0f, 15.0f);
    const auto q = static_cast<uint32_t>(value + 16.5f);
    result.qs[i % 16] |= static_cast<uint8_t>((q & 15) << (i < 16 ? 0 : 4));
    high |= q >> 4 << i;
  }
  std::memcpy(result.qh.byte.data(), &high, sizeof high);
  std::memcpy(out, &result, sizeof result);
}

// d (2 s + 1) (g +- 1/8) = scale (g + 1) + minimum.
void to_q4_1(const BlockIQ1_S& block, std::byte* out) {
  const auto values = grid_values(block);
  for (size_t b = 0; b < 8; ++b) {
    const float scale = block.d.fp16() * static_cast<float>(2 * block.scale(b) + 1);
    BlockQ4_1 result;
    result.d = saturated_fp16(scale);
    result.m = saturated_fp16(scale * (block.delta(b) - 1));
    const int8_t* q = values.data() + 32 * b;
    for (size_t j = 0; j < 16; ++j)
      result.qs[j] = static_cast<uint8_t>((q[j] + 1) | (q[j + 16] + 1) << 4);
    std::memcpy(out + b * sizeof result, &result, sizeof result);
  }
}

// d (2 s + 1) (g +- 1/8) = d/8 (2 s + 1) (8 g +- 1).
void to_q6_k(const BlockIQ1_M& block, std::byte* out) {
  auto values = grid_values(block);
  for (size_t i = 0; i < 256; ++i)
    values[i] = static_cast<int8_t>(8 * values[i] + (block.delta(i / 8) < 0 ? -1 : 1));
  BlockQ6_K result = q6_k(block.d() / 8, values);
  for (size_t k = 0; k < 16; ++k) result.scales[k] = static_cast<int8_t>(2 * block.scale(k) + 1);
  std::memcpy(out, &result, sizeof result);
}

// d (s + 1/2) / 2 g = d/2 (2 s + 1) (g / 2), g even and at most 62.
void to_q6_k(const BlockIQ3_XXS& block, std::byte* out) {
  auto values = grid_values(block);
  for (int8_t& value : values) value = static_cast<int8_t>(value / 2);
  BlockQ6_K result = q6_k(block.d.fp16() / 2, values);
  for (size_t k = 0; k < 16; ++k)
    result.scales[k] = static_cast<int8_t>(2 * block.scale(k / 2) + 1);
  std::memcpy(out, &result, sizeof result);
}

// Groups of 16, scales of six bits: Q6_K has room for both as they are.
void to_q6_k(const BlockQ3_K& block, std::byte* out) {
  std::array<int8_t, 256> values;
  for (size_t i = 0; i < 256; ++i) {
    const int low = (block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    values[i] = static_cast<int8_t>(low - ((block.hmask[i % 32] >> (i / 32) & 1) != 0 ? 0 : 4));
  }
  BlockQ6_K result = q6_k(block.d.fp16(), values);
  result.d = block.d;
  for (size_t k = 0; k < 16; ++k) {
    const int low = (block.scales[k % 8] >> (4 * (k / 8))) & 15;
    const int high = (block.scales[8 + k % 4] >> (2 * (k / 4))) & 3;
    result.scales[k] = static_cast<int8_t>((low | high << 4) - 32);
  }
  std::memcpy(out, &result, sizeof result);
}

// d (2 s + 1) g, g odd: 2 d (2 s + 1) q - 15 d (2 s + 1) with q = (g + 15) / 2.
void to_q4_k(const BlockIQ3_S& block, std::byte* out) {
  const auto values = grid_values(block);
  BlockQ4_K result = {};
  result.d = saturated_fp16(2 * block.d.fp16());
  result.dmin = saturated_fp16(15 * block.d.fp16());
  for (size_t j = 0; j < 8; ++j) {
    const auto scale = static_cast<uint8_t>(2 * block.scale(j) + 1);  // at most 31: two high bits 0
    if (j < 4) {
      result.scales[j] = scale;
      result.scales[j + 4] = scale;
    } else {
      const auto low = static_cast<uint8_t>(scale & 15), high = static_cast<uint8_t>(scale >> 4);
      result.scales[j + 4] = static_cast<uint8_t>(low | low << 4);
      result.scales[j - 4] |= static_cast<uint8_t>(high << 6);
      result.scales[j] |= static_cast<uint8_t>(high << 6);
    }
    for (size_t l = 0; l < 32; ++l) {
      const auto q = static_cast<uint32_t>((values[32 * j + l] + 15) / 2);
      result.qs[32 * (j / 2) + l] |= static_cast<uint8_t>(q << (4 * (j % 2)));
    }
  }
  std::memcpy(out, &result, sizeof result);
}

// d (s + 1/2) / 4 g = d (2 s + 1) / 8 g, g at most 43.
void to_q8_0(const BlockIQ2_XXS& block, std::byte* out) {
  const auto values = grid_values(block);
  for (size_t b = 0; b < 8; ++b) {
    BlockQ8_0 result;
    result.d = saturated_fp16(block.d.fp16() * static_cast<float>(2 * block.scale(b) + 1) / 8);
    std::copy_n(values.data() + 32 * b, 32, result.qs.data());
    std::memcpy(out + b * sizeof result, &result, sizeof result);
  }
}

// Calls convert(block, out) for each block of a row.
template <typename Block, typename Convert>
void each_block(const void* row, DType to, std::byte* out, int64_t width, const Convert& convert) {
  const auto* blocks = static_cast<const Block*>(row);
  const int64_t size = info(Block::kType).block_size;
  const size_t bytes = row_bytes(to, size);
  DCHECK(width % size == 0);
  for (int64_t i = 0; i < width / size; ++i)
    convert(blocks[i], out + static_cast<size_t>(i) * bytes);
}

// By way of floats, a piece at a time.
void by_values(DType stored, const void* row, std::byte* out, int64_t width) {
  std::array<float, 256> values;
  const auto* from = static_cast<const std::byte*>(row);
  for (int64_t i = 0; i < width; i += 256) {
    const int64_t count = std::min<int64_t>(256, width - i);
    dequantize_row(stored, from + row_bytes(stored, i), values.data(), count);
    encode_q8_0(values.data(), count, out + row_bytes(DType::kQ8_0, i));
  }
}

// Four values at once, on any machine: conversion is most of the time that loading takes.
using Floats = float __attribute__((vector_size(16)));
using Block32 = std::array<Floats, 8>;

Floats larger(Floats a, Floats b) { return a > b ? a : b; }
Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
float sum_of(Floats v) { return (v[0] + v[1]) + (v[2] + v[3]); }

// Nearest whole numbers, ties to even, of magnitudes below 2^22.
Floats rounded(Floats value) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: the last bit left is worth 1
  return (value + kShift) - kShift;
}

// x / d as whole numbers in [-127, 127].
Floats divided(Floats x, float inverse) {
  constexpr Floats kLargest = {127, 127, 127, 127};
  return rounded(smaller(kLargest, larger(-kLargest, x * inverse)));
}

// The squared error that the scale d leaves.
float error_of(const Block32& x, float d) {
  Floats error = {};
  for (const Floats& v : x) {
    const Floats rest = v - divided(v, 1 / d) * d;
    error += rest * rest;
  }
  return sum_of(error);
}

BlockQ8_0 encode_block(const float* from) {
  Block32 x;
  std::memcpy(x.data(), from, sizeof x);
  Floats amax4 = {}, nothing = {};
  for (const Floats& v : x) {
    amax4 = larger(amax4, larger(v, -v));
    nothing += v - v;  // NaN where one is not finite
  }
  const bool finite = sum_of(nothing) == 0;
  const float amax = std::max(std::max(amax4[0], amax4[1]), std::max(amax4[2], amax4[3]));
  BlockQ8_0 best = {};
  if (!finite) best.d = Word16::of(0x7e00);
  if (!finite) return best;
  float least = INFINITY, best_d = 0;
  for (int divisor = 127; divisor >= 120; --divisor) {
    const Word16 stored = saturated_fp16(amax / static_cast<float>(divisor));
    const float d = stored.fp16();
    if (d == 0) break;
    const float error = error_of(x, d);
    if (divisor < 127 && !(error < least)) continue;
    least = error;
    best_d = d;
    best.d = stored;
  }
  for (size_t i = 0; i < 32 && best_d != 0; i += 4) {
    const Floats q = divided(x[i / 4], 1 / best_d);
    for (size_t j = 0; j < 4; ++j) best.qs[i + j] = static_cast<int8_t>(q[j]);
  }
  return best;
}

}  // namespace

Word16 saturated_fp16(float value) {
  constexpr float kLargest = 65504.0f;
  return Word16::of(
      float_to_fp16(std::isfinite(value) ? std::clamp(value, -kLargest, kLargest) : value));
}

void encode_q8_0(const float* x, int64_t width, std::byte* out) {
  DCHECK(width % 32 == 0);
  for (int64_t i = 0; i < width; i += 32) {
    const BlockQ8_0 block = encode_block(x + i);
    std::memcpy(out + row_bytes(DType::kQ8_0, i), &block, sizeof block);
  }
}

DType computed_type(DType stored) {
  switch (stored) {
    case DType::kQ2_K:
    case DType::kQ5_1:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kNVFP4:
      return DType::kQ8_0;
    case DType::kQ3_K:
    case DType::kIQ1_M:
    case DType::kIQ3_XXS:
      return DType::kQ6_K;
    case DType::kIQ3_S:
      return DType::kQ4_K;
    case DType::kIQ1_S:
      return DType::kQ4_1;
    case DType::kMXFP4:
      return DType::kQ5_0;
    case DType::kTQ1_0:
    case DType::kTQ2_0:
    case DType::kQ1_0:
    case DType::kQ2_0:
      return DType::kQ4_0;
    default:
      return stored;
  }
}

void requantize_row(DType stored, const void* row, std::byte* out, int64_t width) {
  const DType to = computed_type(stored);
  switch (stored) {
    case DType::kQ2_K:
    case DType::kQ5_1:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kNVFP4:
      return by_values(stored, row, out, width);
    case DType::kIQ2_XXS:
      return each_block<BlockIQ2_XXS>(row, to, out, width, to_q8_0);
    case DType::kQ3_K:
      return each_block<BlockQ3_K>(row, to, out, width,
                                   [](const BlockQ3_K& b, std::byte* o) { to_q6_k(b, o); });
    case DType::kIQ1_M:
      return each_block<BlockIQ1_M>(row, to, out, width,
                                    [](const BlockIQ1_M& b, std::byte* o) { to_q6_k(b, o); });
    case DType::kIQ3_XXS:
      return each_block<BlockIQ3_XXS>(row, to, out, width,
                                      [](const BlockIQ3_XXS& b, std::byte* o) { to_q6_k(b, o); });
    case DType::kIQ3_S:
      return each_block<BlockIQ3_S>(row, to, out, width, to_q4_k);
    case DType::kIQ1_S:
      return each_block<BlockIQ1_S>(row, to, out, width, to_q4_1);
    case DType::kMXFP4:
      return each_block<BlockMXFP4>(row, to, out, width, to_q5_0);
    case DType::kTQ1_0:
      return each_block<BlockTQ1_0>(row, to, out, width, to_q4_0<BlockTQ1_0>);
    case DType::kTQ2_0:
      return each_block<BlockTQ2_0>(row, to, out, width, to_q4_0<BlockTQ2_0>);
    case DType::kQ1_0:
      return each_block<BlockQ1_0>(row, to, out, width, to_q4_0<BlockQ1_0>);
    case DType::kQ2_0:
      return each_block<BlockQ2_0>(row, to, out, width, to_q4_0<BlockQ2_0>);
    default:
      ASSERT(false);
  }
}

}  // namespace tulou::kernels
