// Causal attention of query rows over a sequence's cached keys and values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

inline constexpr int64_t kAttentionBlock = 64;  // tokens in a block of the cache

// The query heads that share one KV head, for some consecutive rows of one sequence. Blocks are
// merged from position 0 on by online softmax, so a row's bits depend only on its position and on
// what it attends to: not on the other rows, nor on where the prompt was cut.
struct AttentionArgs {
  // Head h of row r at q + r * q_stride + h * head_dim.
  const float* q = nullptr;
  int64_t q_stride = 0;
  int64_t rows = 0;
  int64_t num_heads = 0;  // query heads of this KV head
  int64_t head_dim = 0;
  int64_t position = 0;  // row r attends to positions 0 .. position + r, all present in the cache
  // Keys of block i at base + blocks[i] * block_stride + key_offset, [64][head_dim]; values
  // likewise.
  const std::byte* base = nullptr;
  const int32_t* blocks = nullptr;
  size_t block_stride = 0, key_offset = 0, value_offset = 0;
  bool bf16 = false;  // else fp32
  float scale = 1;
  float* out = nullptr;  // as q
  int64_t out_stride = 0;
  float* scratch = nullptr;  // [2 * rows * num_heads]
};

struct AttentionKernels {
  void (*attention)(const AttentionArgs& args);
};

const AttentionKernels& attention_kernels(hardware::Level level);

}  // namespace tulou::kernels
