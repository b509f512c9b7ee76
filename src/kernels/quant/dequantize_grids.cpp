#include "kernels/quant/dequantize_grids.h"

#include "kernels/quant/iq_grids.h"

namespace tulou::kernels {
namespace {

using namespace tensor;

// Seven stored signs and the eighth, which makes the number of minus signs even.
uint32_t with_parity(uint32_t signs) {
  return signs | (static_cast<uint32_t>(std::popcount(signs) & 1) << 7);
}

// Eight values of an entry with two bits a level; bit j of `signs` negates value j.
template <typename Levels>
void put8(uint32_t entry, const Levels& levels, uint32_t signs, int8_t* out) {
  for (uint32_t j = 0; j < 8; ++j) {
    const int level = levels[entry >> (2 * j) & 3];
    out[j] = static_cast<int8_t>((signs >> j & 1) != 0 ? -level : level);
  }
}

// Four values of an entry with three bits a level.
template <typename Levels>
void put4(uint32_t entry, const Levels& levels, uint32_t signs, int8_t* out) {
  for (uint32_t j = 0; j < 4; ++j) {
    const int level = levels[entry >> (3 * j) & 7];
    out[j] = static_cast<int8_t>((signs >> j & 1) != 0 ? -level : level);
  }
}

// d * (0.5 + s) * factor, rounded in this order.
float scaled(float d, int s, float factor) { return d * (0.5f + static_cast<float>(s)) * factor; }

// Multiplies values[begin, begin + count) by a scale.
void multiply(float scale, const int8_t* values, size_t begin, size_t count, float* out) {
  for (size_t i = begin; i < begin + count; ++i) out[i] = scale * static_cast<float>(values[i]);
}

// Unsigned e4m3 with bias 7, halved; code 0x7f stands for zero.
float half_of_ue4m3(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  if (code == 0x7f) return 0;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
  const auto bits = static_cast<uint32_t>(exponent - 7 - 1 + 127) << 23;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(mantissa) << 20);
}

// A digit to the base of three: `power` is 3^n.
int8_t ternary(uint8_t byte, int power) {
  const auto shifted = static_cast<uint8_t>(byte * power);
  return static_cast<int8_t>((shifted * 3 >> 8) - 1);
}

constexpr std::array<int, 5> kPowersOf3 = {1, 3, 9, 27, 81};

}  // namespace

std::array<int8_t, 256> grid_values(const BlockIQ1_S& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const uint32_t high = block.qh[p / 4].bits() >> (3 * (p % 4)) & 7;
    put8(kGrid1S[block.qs[p] | high << 8], kLevels1S, 0, values.data() + 8 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ1_M& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const auto high = static_cast<uint32_t>(block.high(p) & 7);
    put8(kGrid1S[block.qs[p] | high << 8], kLevels1S, 0, values.data() + 8 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ2_XXS& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const auto& group = block.groups[p / 4];
    const uint32_t signs = with_parity(group.signs_scale.bits() >> (7 * (p % 4)) & 127);
    put8(kGrid2XXS[group.index[p % 4]], kLevels2XXS, signs, values.data() + 8 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ2_XS& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const uint32_t word = block.qs[p].bits();
    put8(kGrid2XS[word & 511], kLevels2XS, with_parity(word >> 9), values.data() + 8 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ2_S& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const uint32_t high = block.qh[p / 4] >> (2 * (p % 4)) & 3;
    put8(kGrid2S[block.qs[p] | high << 8], kLevels2S, block.signs[p], values.data() + 8 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ3_XXS& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 32; ++p) {
    const uint32_t signs = with_parity(block.signs_scale[p / 4].bits() >> (7 * (p % 4)) & 127);
    put4(kGrid3XXS[block.qs[2 * p]], kLevels3XXS, signs, values.data() + 8 * p);
    put4(kGrid3XXS[block.qs[2 * p + 1]], kLevels3XXS, signs >> 4, values.data() + 8 * p + 4);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockIQ3_S& block) {
  std::array<int8_t, 256> values;
  for (size_t p = 0; p < 64; ++p) {
    const uint32_t high = block.qh[p / 8] >> (p % 8) & 1;
    const uint32_t signs = block.signs[p / 2] >> (4 * (p % 2));
    put4(kGrid3S[block.qs[p] | high << 8], kLevels3S, signs, values.data() + 4 * p);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockTQ1_0& block) {
  std::array<int8_t, 256> values;
  for (size_t n = 0; n < 5; ++n) {
    for (size_t i = 0; i < 32; ++i) values[32 * n + i] = ternary(block.qs[i], kPowersOf3[n]);
    for (size_t i = 0; i < 16; ++i)
      values[160 + 16 * n + i] = ternary(block.qs[32 + i], kPowersOf3[n]);
  }
  for (size_t n = 0; n < 4; ++n) {
    for (size_t i = 0; i < 4; ++i) values[240 + 4 * n + i] = ternary(block.qh[i], kPowersOf3[n]);
  }
  return values;
}

std::array<int8_t, 256> grid_values(const BlockTQ2_0& block) {
  std::array<int8_t, 256> values;
  for (size_t i = 0; i < 256; ++i)
    values[i] =
        static_cast<int8_t>((block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3) - 1);
  return values;
}

std::array<int8_t, 32> grid_values(const BlockMXFP4& block) {
  std::array<int8_t, 32> values;
  for (size_t j = 0; j < 16; ++j) {
    values[j] = kFp4Values[block.qs[j] & 15];
    values[j + 16] = kFp4Values[block.qs[j] >> 4];
  }
  return values;
}

std::array<int8_t, 128> grid_values(const BlockQ1_0& block) {
  std::array<int8_t, 128> values;
  for (size_t i = 0; i < 128; ++i) values[i] = (block.qs[i / 8] >> (i % 8) & 1) != 0 ? 1 : -1;
  return values;
}

std::array<int8_t, 64> grid_values(const BlockQ2_0& block) {
  std::array<int8_t, 64> values;
  for (size_t i = 0; i < 64; ++i)
    values[i] = static_cast<int8_t>((block.qs[i / 4] >> (2 * (i % 4)) & 3) - 1);
  return values;
}

void decode(const BlockIQ1_S& block, float* out) {
  const auto values = grid_values(block);
  for (size_t i = 0; i < 256; ++i) {
    const float dl = block.d.fp16() * static_cast<float>(2 * block.scale(i / 32) + 1);
    out[i] = dl * (static_cast<float>(values[i]) + block.delta(i / 32));
  }
}

void decode(const BlockIQ1_M& block, float* out) {
  const auto values = grid_values(block);
  for (size_t i = 0; i < 256; ++i) {
    const float dl = block.d() * static_cast<float>(2 * block.scale(i / 16) + 1);
    out[i] = dl * (static_cast<float>(values[i]) + block.delta(i / 8));
  }
}

void decode(const BlockIQ2_XXS& block, float* out) {
  const auto values = grid_values(block);
  for (size_t b = 0; b < 8; ++b)
    multiply(scaled(block.d.fp16(), block.scale(b), 0.25f), values.data(), 32 * b, 32, out);
}

void decode(const BlockIQ2_XS& block, float* out) {
  const auto values = grid_values(block);
  for (size_t k = 0; k < 16; ++k)
    multiply(scaled(block.d.fp16(), block.scale(k), 0.25f), values.data(), 16 * k, 16, out);
}

void decode(const BlockIQ2_S& block, float* out) {
  const auto values = grid_values(block);
  for (size_t k = 0; k < 16; ++k)
    multiply(scaled(block.d.fp16(), block.scale(k), 0.25f), values.data(), 16 * k, 16, out);
}

void decode(const BlockIQ3_XXS& block, float* out) {
  const auto values = grid_values(block);
  for (size_t b = 0; b < 8; ++b)
    multiply(scaled(block.d.fp16(), block.scale(b), 0.5f), values.data(), 32 * b, 32, out);
}

void decode(const BlockIQ3_S& block, float* out) {
  const auto values = grid_values(block);
  for (size_t b = 0; b < 8; ++b) {
    const float scale = block.d.fp16() * static_cast<float>(1 + 2 * block.scale(b));
    multiply(scale, values.data(), 32 * b, 32, out);
  }
}

void decode(const BlockTQ1_0& block, float* out) {
  multiply(block.d.fp16(), grid_values(block).data(), 0, 256, out);
}

void decode(const BlockTQ2_0& block, float* out) {
  multiply(block.d.fp16(), grid_values(block).data(), 0, 256, out);
}

void decode(const BlockMXFP4& block, float* out) {
  multiply(block.d(), grid_values(block).data(), 0, 32, out);
}

void decode(const BlockNVFP4& block, float* out) {
  for (size_t i = 0; i < 64; ++i) {
    const uint8_t pair = block.qs[8 * (i / 16) + i % 8];
    const int8_t value = kFp4Values[i % 16 < 8 ? pair & 15 : pair >> 4];
    out[i] = half_of_ue4m3(block.d[i / 16]) * static_cast<float>(value);
  }
}

void decode(const BlockQ1_0& block, float* out) {
  multiply(block.d.fp16(), grid_values(block).data(), 0, 128, out);
}

void decode(const BlockQ2_0& block, float* out) {
  multiply(block.d.fp16(), grid_values(block).data(), 0, 64, out);
}

}  // namespace tulou::kernels
