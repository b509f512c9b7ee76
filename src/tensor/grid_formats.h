// The block formats of GGML that this program decodes but does not compute with: grids of values
// (IQ1 to IQ3), three values (TQ, Q2_0), one bit (Q1_0), four-bit floats (MXFP4, NVFP4). Byte for
// byte as files hold them; conventions as in block_formats.h. What the grids hold is the affair of
// the decoder.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "tensor/block_formats.h"

namespace tulou::tensor {

// Eight groups of 32. Of each: four indices into the grid of 256 x 8, then 32 bits: four fields of
// 7 signs, and the scale s in the highest 4. x = d * (0.5 + s) * 0.25 * value.
struct BlockIQ2_XXS {
  static constexpr DType kType = DType::kIQ2_XXS;
  struct Group {
    std::array<uint8_t, 4> index;
    Word32 signs_scale;
  };
  Word16 d;
  std::array<Group, 8> groups;

  int scale(size_t group) const { return static_cast<int>(groups[group].signs_scale.bits() >> 28); }
};

// Each of qs: 9 bits of index into the grid of 512 x 8, and 7 signs. A nibble of scales for 16
// values, scaled as in IQ2_XXS.
struct BlockIQ2_XS {
  static constexpr DType kType = DType::kIQ2_XS;
  Word16 d;
  std::array<Word16, 32> qs;
  std::array<uint8_t, 8> scales;

  int scale(size_t k) const { return scales[k / 2] >> (4 * (k % 2)) & 15; }  // of 16 values
};

// 10 bits of index into the grid of 1024 x 8: qs and two bits of qh; all 8 signs; scales as in
// IQ2_XS.
struct BlockIQ2_S {
  static constexpr DType kType = DType::kIQ2_S;
  Word16 d;
  std::array<uint8_t, 32> qs, signs;
  std::array<uint8_t, 8> qh, scales;

  int scale(size_t k) const { return scales[k / 2] >> (4 * (k % 2)) & 15; }  // of 16 values
};

// Eight groups of 32: eight indices into the grid of 256 x 4; signs and scale as in IQ2_XXS.
// x = d * (0.5 + s) * 0.5 * value.
struct BlockIQ3_XXS {
  static constexpr DType kType = DType::kIQ3_XXS;
  Word16 d;
  std::array<uint8_t, 64> qs;
  std::array<Word32, 8> signs_scale;

  int scale(size_t group) const { return static_cast<int>(signs_scale[group].bits() >> 28); }
};

// 9 bits of index into the grid of 512 x 4: qs and a bit of qh. A nibble s of scales for 32 values:
// x = d * (1 + 2 * s) * value.
struct BlockIQ3_S {
  static constexpr DType kType = DType::kIQ3_S;
  Word16 d;
  std::array<uint8_t, 64> qs;
  std::array<uint8_t, 8> qh;
  std::array<uint8_t, 32> signs;
  std::array<uint8_t, 4> scales;

  int scale(size_t group) const { return scales[group / 2] >> (4 * (group % 2)) & 15; }
};

// Eight groups of 32, each with a word of qh: four times 3 high bits of an index into the grid of
// 2048 x 8, then the scale s of 3 bits and the sign of the offset of 1/8.
// x = d * (2 * s + 1) * (value +- 1/8).
struct BlockIQ1_S {
  static constexpr DType kType = DType::kIQ1_S;
  Word16 d;
  std::array<uint8_t, 32> qs;
  std::array<Word16, 8> qh;

  int scale(size_t group) const { return qh[group].bits() >> 12 & 7; }
  float delta(size_t group) const { return (qh[group].bits() & 0x8000) != 0 ? -0.125f : 0.125f; }
};

// As IQ1_S with a scale of 3 bits for 16 values and an offset for 8 (bit 3 of a nibble of qh). The
// fp16 d lies in the highest nibbles of the four scales.
struct BlockIQ1_M {
  static constexpr DType kType = DType::kIQ1_M;
  std::array<uint8_t, 32> qs;
  std::array<uint8_t, 16> qh;
  std::array<Word16, 4> scales;

  int scale(size_t k) const { return scales[k / 4].bits() >> (3 * (k % 4)) & 7; }  // of 16 values
  // The nibble of qh for values [8 part, 8 part + 8).
  int high(size_t part) const { return qh[part / 2] >> (4 * (part % 2)) & 15; }
  float delta(size_t part) const { return (high(part) & 8) != 0 ? -0.125f : 0.125f; }
  float d() const {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) bits |= (scales[i].bits() >> 12 & 15u) << (4 * i);
    return fp16_to_float(static_cast<uint16_t>(bits));
  }
};

// x = d * (digit - 1), digits to the base of three: five in a byte of qs, four in one of qh. Byte b
// holds round-up(value * 256 / 243); digit n is (b * 3^n mod 256) * 3 / 256.
struct BlockTQ1_0 {
  static constexpr DType kType = DType::kTQ1_0;
  std::array<uint8_t, 48> qs;
  std::array<uint8_t, 4> qh;
  Word16 d;
};

// x = d * (q - 1); the 2-bit q of value i lies as in Q2_K.
struct BlockTQ2_0 {
  static constexpr DType kType = DType::kTQ2_0;
  std::array<uint8_t, 64> qs;
  Word16 d;
};

// x = 2^(e - 128) * kFp4Values[nibble], nibbles ordered as in Q4_0 (OCP Microscaling Formats 1.0).
struct BlockMXFP4 {
  static constexpr DType kType = DType::kMXFP4;
  uint8_t e;
  std::array<uint8_t, 16> qs;

  // 2^(e - 128), also where that is subnormal.
  float d() const {
    return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
  }
};

// Four groups of 16 with a scale in unsigned e4m3 each; nibbles of a group ordered as in Q4_0.
struct BlockNVFP4 {
  static constexpr DType kType = DType::kNVFP4;
  std::array<uint8_t, 4> d;
  std::array<uint8_t, 32> qs;
};

// x = d where bit i is set, else -d.
struct BlockQ1_0 {
  static constexpr DType kType = DType::kQ1_0;
  Word16 d;
  std::array<uint8_t, 16> qs;
};

// x = d * (q - 1), q of value i at bit 2 * (i % 4) of qs[i / 4].
struct BlockQ2_0 {
  static constexpr DType kType = DType::kQ2_0;
  Word16 d;
  std::array<uint8_t, 16> qs;
};

// Twice the values of the four-bit float e2m1.
inline constexpr std::array<int8_t, 16> kFp4Values = {0, 1,  2,  3,  4,  6,  8,  12,
                                                      0, -1, -2, -3, -4, -6, -8, -12};

static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82 &&
              sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110 && sizeof(BlockIQ1_S) == 50 &&
              sizeof(BlockIQ1_M) == 56 && sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66 &&
              sizeof(BlockMXFP4) == 17 && sizeof(BlockNVFP4) == 36 && sizeof(BlockQ1_0) == 18 &&
              sizeof(BlockQ2_0) == 18);

}  // namespace tulou::tensor
