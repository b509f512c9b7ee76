// Masks over a vocabulary: bit i % 32 of word i / 32 is token i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tulou::grammar {

inline bool is_allowed(std::span<const uint32_t> mask, int32_t token) {
  return (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
}

inline void allow(std::span<uint32_t> mask, int32_t token) {
  mask[static_cast<size_t>(token) / 32] |= uint32_t{1} << (token % 32);
}

inline void forbid(std::span<uint32_t> mask, int32_t token) {
  mask[static_cast<size_t>(token) / 32] &= ~(uint32_t{1} << (token % 32));
}

}  // namespace tulou::grammar
