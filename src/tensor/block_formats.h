// The block formats of GGML as plain structs, byte for byte as files hold them (little-endian).
// x[i] below is value i of a block; lo and hi are the nibbles of a byte; scales named d and m are
// fp16. All members are bytes or read through memcpy, so a block may lie at any address.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"
#include "tensor/float16.h"

namespace tulou::tensor {

// A little-endian 16-bit word without alignment; fp16 where the formats say d, m or dmin.
struct Word16 {
  std::array<uint8_t, 2> byte;
  uint16_t bits() const {
    uint16_t value;
    std::memcpy(&value, byte.data(), sizeof value);
    return value;
  }
  float fp16() const { return fp16_to_float(bits()); }
  static constexpr Word16 of(uint16_t bits) {
    return {{static_cast<uint8_t>(bits & 255), static_cast<uint8_t>(bits >> 8)}};
  }
};

// A little-endian 32-bit word without alignment.
struct Word32 {
  std::array<uint8_t, 4> byte;
  uint32_t bits() const {
    uint32_t value;
    std::memcpy(&value, byte.data(), sizeof value);
    return value;
  }
};

inline constexpr int kSmallBlock = 32;   // values of a block of the older formats
inline constexpr int kSuperBlock = 256;  // values of a block of the K formats and IQ4_XS

// x[j] = d * (lo(qs[j]) - 8), x[j + 16] = d * (hi(qs[j]) - 8)
struct BlockQ4_0 {
  static constexpr DType kType = DType::kQ4_0;
  Word16 d;
  std::array<uint8_t, 16> qs;
};

// x[j] = d * lo(qs[j]) + m, x[j + 16] = d * hi(qs[j]) + m
struct BlockQ4_1 {
  static constexpr DType kType = DType::kQ4_1;
  Word16 d, m;
  std::array<uint8_t, 16> qs;
};

// As Q4_0 with a fifth bit, bit i of qh for value i, and 16 subtracted.
struct BlockQ5_0 {
  static constexpr DType kType = DType::kQ5_0;
  Word16 d;
  Word32 qh;
  std::array<uint8_t, 16> qs;
};

// As Q4_1 with a fifth bit.
struct BlockQ5_1 {
  static constexpr DType kType = DType::kQ5_1;
  Word16 d, m;
  Word32 qh;
  std::array<uint8_t, 16> qs;
};

// x[i] = d * qs[i]
struct BlockQ8_0 {
  static constexpr DType kType = DType::kQ8_0;
  Word16 d;
  std::array<int8_t, 32> qs;
};

// 16 groups of 16: x = d * lo(scale) * q - dmin * hi(scale). The 2-bit q of value i lies in
// qs[32 * (i / 128) + i % 32] at bit 2 * (i % 128 / 32).
struct BlockQ2_K {
  static constexpr DType kType = DType::kQ2_K;
  std::array<uint8_t, 16> scales;
  std::array<uint8_t, 64> qs;
  Word16 d, dmin;
};

// 16 groups of 16: x = d * (scale - 32) * (q - (high ? 0 : 4)); q as in Q2_K; high is bit i / 32 of
// hmask[i % 32]. Scale k: four low bits in a nibble of scales[k % 8] (k / 8 chooses it), two high
// ones in scales[8 + k % 4] at bit 2 * (k / 4).
struct BlockQ3_K {
  static constexpr DType kType = DType::kQ3_K;
  std::array<uint8_t, 32> hmask;
  std::array<uint8_t, 64> qs;
  std::array<uint8_t, 12> scales;
  Word16 d;
};

// 8 groups j of 32: x = d * sc * q - dmin * mn, sc and mn of six bits (see scale_and_min). q is a
// nibble of qs[32 * (j / 2) + i % 32], the low one for even j.
struct BlockQ4_K {
  static constexpr DType kType = DType::kQ4_K;
  Word16 d, dmin;
  std::array<uint8_t, 12> scales;
  std::array<uint8_t, 128> qs;
};

// As Q4_K with a fifth bit, bit j of qh[i % 32].
struct BlockQ5_K {
  static constexpr DType kType = DType::kQ5_K;
  Word16 d, dmin;
  std::array<uint8_t, 12> scales;
  std::array<uint8_t, 32> qh;
  std::array<uint8_t, 128> qs;
};

// 16 groups of 16: x = d * scale * (q - 32). With n = i / 128, g = i % 128 / 32, l = i % 32: the
// low four bits are a nibble (g / 2) of ql[64 * n + 32 * (g % 2) + l], the high two are in qh[32 *
// n + l] at bit 2 * g.
struct BlockQ6_K {
  static constexpr DType kType = DType::kQ6_K;
  std::array<uint8_t, 128> ql;
  std::array<uint8_t, 64> qh;
  std::array<int8_t, 16> scales;
  Word16 d;
};

// As Q4_0, but a nibble chooses a value of kIq4Values.
struct BlockIQ4_NL {
  static constexpr DType kType = DType::kIQ4_NL;
  Word16 d;
  std::array<uint8_t, 16> qs;
};

// 8 groups b of 32: x = d * (scale - 32) * kIq4Values[nibble], nibbles of qs[16 * b ...] ordered as
// in IQ4_NL. Scale b: four low bits in a nibble of scales_l[b / 2], two high ones in scales_h at
// bit 2 * b.
struct BlockIQ4_XS {
  static constexpr DType kType = DType::kIQ4_XS;
  Word16 d;
  Word16 scales_h;
  std::array<uint8_t, 4> scales_l;
  std::array<uint8_t, 128> qs;
};

inline constexpr std::array<int8_t, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};

// Scale and minimum of group j (0..7) of Q4_K and Q5_K, unpacked from their twelve bytes.
struct ScaleAndMin {
  uint8_t scale, min;
};
constexpr ScaleAndMin scale_and_min(const std::array<uint8_t, 12>& packed, size_t j) {
  if (j < 4)
    return {static_cast<uint8_t>(packed[j] & 63), static_cast<uint8_t>(packed[j + 4] & 63)};
  return {static_cast<uint8_t>((packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4)),
          static_cast<uint8_t>((packed[j + 4] >> 4) | ((packed[j] >> 6) << 4))};
}

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 &&
              sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ2_K) == 84 &&
              sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 &&
              sizeof(BlockQ6_K) == 210 && sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136);
static_assert(alignof(BlockQ4_K) == 1 && alignof(BlockQ6_K) == 1 && alignof(BlockIQ4_XS) == 1);

}  // namespace tulou::tensor
