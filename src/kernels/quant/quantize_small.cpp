// Blocks of 32 values: the reference encoders, and those that search.
#include <algorithm>
#include <cmath>

#include "kernels/quant/dequantize.h"
#include "kernels/quant/quantize_blocks.h"
#include "kernels/quant/quantize_fit.h"

namespace tulou::kernels {
namespace {

using namespace tensor;

constexpr size_t kSize = kSmallBlock;

// The value farthest from 0, with its sign; the first of equals.
float farthest(const float* x) {
  float largest = 0, value = 0;
  for (size_t i = 0; i < kSize; ++i) {
    if (std::fabs(x[i]) > largest) {
      largest = std::fabs(x[i]);
      value = x[i];
    }
  }
  return value;
}

// 0 where there is none: the scale is 0 in fp16 then, whatever the codes.
float inverse_of(float scale) {
  const float inverse = 1 / scale;
  return std::isfinite(inverse) ? inverse : 0;
}

// Code i of a block of 4 bits, or the low part of 5.
void set_nibble(std::array<uint8_t, 16>& qs, size_t i, int code) {
  const int shifted = i < 16 ? code & 15 : (code & 15) << 4;
  qs[i % 16] = static_cast<uint8_t>(qs[i % 16] | shifted);
}
void set_fifth_bit(Word32& qh, size_t i, int code) {
  qh.byte[i / 8] = static_cast<uint8_t>(qh.byte[i / 8] | ((code >> 4) & 1) << (i % 8));
}

void set_code(BlockQ4_0& block, size_t i, int code) { set_nibble(block.qs, i, code); }
void set_code(BlockQ4_1& block, size_t i, int code) { set_nibble(block.qs, i, code); }
void set_code(BlockQ5_0& block, size_t i, int code) {
  set_nibble(block.qs, i, code);
  set_fifth_bit(block.qh, i, code);
}
void set_code(BlockQ5_1& block, size_t i, int code) {
  set_nibble(block.qs, i, code);
  set_fifth_bit(block.qh, i, code);
}

// Scale alone, codes are `half` above the whole numbers they stand for. The value farthest from 0
// becomes code 0; the division is by the scale before it is rounded to fp16, as the reference has
// it.
template <int half, typename Block>
void reference_symmetric(const float* x, Block& block) {
  const float scale = farthest(x) / static_cast<float>(-half);
  const float inverse = inverse_of(scale);
  block.d = to_fp16(scale);
  for (size_t i = 0; i < kSize; ++i) {
    const auto code = static_cast<int>(x[i] * inverse + (static_cast<float>(half) + 0.5f));
    set_code(block, i, std::min(2 * half - 1, code));
  }
}

// Scale and minimum, codes from 0 to max.
template <int max, typename Block>
void reference_affine(const float* x, Block& block) {
  const float low = *std::min_element(x, x + kSize), high = *std::max_element(x, x + kSize);
  const float scale = (high - low) / static_cast<float>(max);
  const float inverse = inverse_of(scale);
  block.d = to_fp16(scale);
  block.m = to_fp16(low);
  for (size_t i = 0; i < kSize; ++i) {
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): as ggml rounds, to the bit.
    set_code(block, i, std::min(max, static_cast<int>((x[i] - low) * inverse + 0.5f)));
  }
}

// The weighted error of a block once it is decoded.
template <typename Block>
double error_of(const Block& block, const float* x, const float* w) {
  std::array<float, kSize> decoded;
  dequantize_row(Block::kType, &block, decoded.data(), kSize);
  double error = 0;
  for (size_t i = 0; i < kSize; ++i) {
    const double difference = double{x[i]} - double{decoded[i]};
    error += double{w[i]} * difference * difference;
  }
  return error;
}

// The reference encoder's block where the search has nothing better: it hits values exactly that
// lie on its grid already.
template <typename Block>
void keep_better(const float* x, const float* w, Block& block) {
  Block reference = {};
  encode_reference(x, reference);
  if (error_of(reference, x, w) < error_of(block, x, w)) block = reference;
}

template <int half, typename Block>
void search_symmetric(const float* x, const float* w, const fit::Levels& levels, Block& block) {
  const fit::Group group = {x, w, kSize};
  const float scale = through_fp16(fit::best_scale(group, levels));
  alignas(16) float l[kSize];
  assign(group, levels, scale, l);
  block.d = to_fp16(scale);
  for (size_t i = 0; i < kSize; ++i) set_code(block, i, static_cast<int>(l[i]) + half);
  keep_better(x, w, block);
}

template <int max, typename Block>
void search_affine(const float* x, const float* w, Block& block) {
  const fit::Group group = {x, w, kSize};
  fit::Affine affine = fit::best_affine(group, max, false);
  affine = {through_fp16(affine.scale), through_fp16(affine.minimum)};
  alignas(16) float q[kSize];
  assign(group, max, affine, q);
  block.d = to_fp16(affine.scale);
  block.m = to_fp16(-affine.minimum);
  for (size_t i = 0; i < kSize; ++i) set_code(block, i, static_cast<int>(q[i]));
  keep_better(x, w, block);
}

}  // namespace

void encode_reference(const float* x, BlockQ4_0& block) { reference_symmetric<8>(x, block); }
void encode_reference(const float* x, BlockQ5_0& block) { reference_symmetric<16>(x, block); }
void encode_reference(const float* x, BlockQ4_1& block) { reference_affine<15>(x, block); }
void encode_reference(const float* x, BlockQ5_1& block) { reference_affine<31>(x, block); }

void encode_reference(const float* x, BlockQ8_0& block) {
  const float scale = std::fabs(farthest(x)) / 127;
  const float inverse = inverse_of(scale);
  block.d = to_fp16(scale);
  for (size_t i = 0; i < kSize; ++i)
    block.qs[i] = static_cast<int8_t>(std::round(x[i] * inverse));  // halves away from zero
}

void encode(const float* x, const float* w, BlockQ4_0& block) {
  search_symmetric<8>(x, w, fit::kLevelsQ4_0, block);
}
void encode(const float* x, const float* w, BlockQ5_0& block) {
  search_symmetric<16>(x, w, fit::kLevelsQ5_0, block);
}
void encode(const float* x, const float* w, BlockQ4_1& block) { search_affine<15>(x, w, block); }
void encode(const float* x, const float* w, BlockQ5_1& block) { search_affine<31>(x, w, block); }

void encode(const float* x, const float* w, BlockIQ4_NL& block) {
  const fit::Group group = {x, w, kSize};
  const float scale = through_fp16(fit::best_scale(group, fit::kLevelsIQ4));
  alignas(16) float l[kSize];
  assign(group, fit::kLevelsIQ4, scale, l);
  block.d = to_fp16(scale);
  for (size_t i = 0; i < kSize; ++i) set_nibble(block.qs, i, fit::iq4_code(l[i]));
}

}  // namespace tulou::kernels
