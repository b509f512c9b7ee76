// How the keys and values of a sequence are stored between steps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tulou::kernels {

// kQ8_0: whole numbers of 8 bits, with a scale for each kCacheGroup values, as in GGUF's Q8_0.
enum class CacheType { kF32, kBF16, kF16, kQ8_0 };

inline constexpr int64_t kAttentionBlock = 64;  // tokens in a block of the cache
inline constexpr int64_t kCacheGroup = 32;      // values that share a scale

// Bytes of one key or value of `head_dim` numbers.
constexpr size_t cache_row_bytes(CacheType type, int64_t head_dim) {
  const auto width = static_cast<size_t>(head_dim);
  if (type == CacheType::kF32) return 4 * width;
  if (type != CacheType::kQ8_0) return 2 * width;
  return width + 2 * static_cast<size_t>((head_dim + kCacheGroup - 1) / kCacheGroup);
}

// Bytes of a plane: the keys, or the values, of one KV head in one block. Its layout is
// [64][head_dim] numbers of the type; with kQ8_0 int8 [64][head_dim], then bfloat16 scales
// [64][ceil(head_dim / 32)], and value d of token t is number [t][d] times scale [t][d / 32].
constexpr size_t cache_plane_bytes(CacheType type, int64_t head_dim) {
  return static_cast<size_t>(kAttentionBlock) * cache_row_bytes(type, head_dim);
}

}  // namespace tulou::kernels
