// Views of what one layer of one sequence keeps between steps; the owner is model::StateCache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/attention/cache_type.h"

namespace tulou::nn {

using kernels::CacheType;

inline constexpr int64_t kKvBlockTokens = kernels::kAttentionBlock;

// Keys and values of one full-attention layer. A block holds 64 tokens: a plane of keys for each
// KV head, then planes of values (kernels/attention/cache_type.h).
struct AttentionState {
  CacheType type = CacheType::kF32;
  int64_t length = 0;               // tokens before this step
  std::span<const int32_t> blocks;  // position p lies in block number blocks[p / 64]
  std::byte* base = nullptr;        // this layer's part of block number 0
  size_t block_stride = 0;          // bytes from a block to the next one
  std::byte* block(int64_t i) const {
    return base + static_cast<size_t>(blocks[static_cast<size_t>(i)]) * block_stride;
  }
};

// State of one Gated DeltaNet layer, read and written in place.
struct DeltaState {
  bool empty = true;           // nothing came before: both are to be taken as zero
  float* recurrent = nullptr;  // [num_value_heads][key_head_dim][value_head_dim]
  float* conv = nullptr;       // [kernel - 1][channels], oldest first: raw inputs
};

}  // namespace tulou::nn
