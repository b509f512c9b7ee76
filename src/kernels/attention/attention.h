// Causal attention of query rows over a sequence's cached keys and values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hardware/cpu_features.h"
#include "kernels/attention/cache_type.h"

namespace tulou::kernels {

// Tokens whose part of the result is summed up on its own, before it is merged with what came
// before. Spans are counted from position 0, so that who computes them makes no difference.
inline constexpr int64_t kAttentionSpan = 512;

// The query heads that share one KV head, for some consecutive rows of one sequence. Inside a span
// blocks are merged in rising order by online softmax, and so are the spans: a row's bits depend
// only on its position and on what it attends to, not on the other rows, nor on where the prompt
// was cut or the work was split.
struct AttentionArgs {
  // Head h of row r at q + r * q_stride + h * q_head_stride.
  const float* q = nullptr;
  int64_t q_stride = 0, q_head_stride = 0;
  int64_t rows = 0;
  int64_t num_heads = 0;  // query heads of this KV head
  int64_t head_dim = 0;
  int64_t position = 0;  // row r attends to positions 0 .. position + r, all present in the cache
  // Keys of block i at base + blocks[i] * block_stride + key_offset, a plane as in cache_type.h;
  // values likewise.
  const std::byte* base = nullptr;
  const int32_t* blocks = nullptr;
  size_t block_stride = 0, key_offset = 0, value_offset = 0;
  CacheType type = CacheType::kF32;
  float scale = 1;
  float* out = nullptr;  // head h of row r at out + r * out_stride + h * head_dim
  int64_t out_stride = 0;
  float* scratch = nullptr;  // attention_scratch(rows * num_heads, head_dim) floats

  int64_t queries() const { return rows * num_heads; }
  int64_t spans() const { return (position + rows + kAttentionSpan - 1) / kAttentionSpan; }
};

// Tokens whose keys or values are converted to fp32 at a time, where many queries use them.
inline constexpr int64_t kAttentionTokens = 16;

// Floats of one span's part of the result for `queries` rows and heads: sums [queries][head_dim],
// then for each query its largest score and the sum of its weights.
constexpr int64_t attention_partial(int64_t queries, int64_t head_dim) {
  return queries * (head_dim + 2);
}
// Scores, converted keys or values, a part, and the running state of the merged parts.
constexpr int64_t attention_scratch(int64_t queries, int64_t head_dim) {
  return queries * kAttentionBlock + kAttentionTokens * head_dim +
         attention_partial(queries, head_dim) + 2 * queries;
}

struct AttentionKernels {
  // All spans of all rows.
  void (*attention)(const AttentionArgs& args);
  // One span into `partial`; rows that end before it leave their part alone.
  void (*attention_span)(const AttentionArgs& args, int64_t span, float* partial);
  // Parts of all spans, one behind the other, into out: the bits of `attention`.
  void (*attention_merge)(const AttentionArgs& args, const float* partials);
  // Stores a key or a value [head_dim] as token `slot` of a plane. Numbers are rounded to nearest;
  // finite ones beyond the range of kF16 become its largest, 65,504, and what is not finite comes
  // back as not finite; the scale of a group of kQ8_0 is its largest |x| / 127 rounded up to a
  // bfloat16, so that the error is at most half a scale, and a group with an infinity or a NaN
  // comes back as NaN.
  void (*cache_store)(CacheType type, const float* x, int64_t head_dim, int64_t slot,
                      std::byte* plane);
};

const AttentionKernels& attention_kernels(hardware::Level level);

}  // namespace tulou::kernels
