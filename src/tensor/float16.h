// The 16-bit floats that files store, to float and back: portable and exact, for cold code and for
// the references that vector kernels are tested against.
#pragma once

#include <bit>
#include <cstdint>

namespace tulou::tensor {

// IEEE 754 binary16. A NaN keeps its sign and payload.
constexpr float fp16_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  // Zero and the subnormals: fraction * 2^-24 is exact.
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// Rounds to nearest, ties to even; overflows to infinity; NaN becomes a quiet NaN.
constexpr uint16_t float_to_fp16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 2^16
  if (magnitude < 0x33000000u) return static_cast<uint16_t>(sign);             // below 2^-25
  const uint32_t exponent = magnitude >> 23;
  // The bits that stay are the top ones of a 24-bit significand; how many go depends on whether the
  // result is subnormal.
  const uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
  const uint32_t dropped = exponent < 113 ? 126 - exponent : 13;
  const uint32_t base = exponent < 113 ? 0 : (exponent - 113) << 10;  // the hidden bit adds one
  const uint32_t kept = significand >> dropped;
  const uint32_t rest = significand & ((1u << dropped) - 1);
  const uint32_t half = 1u << (dropped - 1);
  const uint32_t up = rest > half || (rest == half && (kept & 1)) ? 1 : 0;
  return static_cast<uint16_t>(sign | (base + kept + up));
}

// bfloat16: the upper half of a float.
constexpr float bf16_to_float(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

// Rounds to nearest, ties to even; NaN becomes a quiet NaN.
constexpr uint16_t float_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace tulou::tensor
