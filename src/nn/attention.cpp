#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "tensor/float16.h"

namespace tulou::nn {
namespace {

// Query rows that go through a KV block together, so that it is read from memory once.
constexpr int64_t kRowsPerTask = 16;

// Where a KV head's keys lie in a block; the values follow the keys of all heads.
size_t key_offset(const AttentionConfig& c, CacheType type, int64_t head) {
  return static_cast<size_t>(head * kKvBlockTokens * c.head_dim) * value_bytes(type);
}
size_t value_offset(const AttentionConfig& c, CacheType type, int64_t head) {
  return key_offset(c, type, c.num_key_value_heads + head);
}

void write_values(const float* values, CacheType type, std::byte* out, int64_t count) {
  if (type == CacheType::kF32) {
    std::memcpy(out, values, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  auto* bf16 = reinterpret_cast<uint16_t*>(out);
  for (int64_t i = 0; i < count; ++i) bf16[i] = tensor::float_to_bf16(values[i]);
}

// Keys and values of one row into its block.
void write_row(const AttentionConfig& c, const AttentionState& state, int64_t position,
               const float* key, const float* value) {
  std::byte* block = state.block(position / kKvBlockTokens);
  const size_t slot =
      static_cast<size_t>(position % kKvBlockTokens * c.head_dim) * value_bytes(state.type);
  for (int64_t h = 0; h < c.num_key_value_heads; ++h) {
    write_values(key + h * c.head_dim, state.type, block + key_offset(c, state.type, h) + slot,
                 c.head_dim);
    write_values(value + h * c.head_dim, state.type, block + value_offset(c, state.type, h) + slot,
                 c.head_dim);
  }
}

// [query | gate] per head -> queries of all heads, gates of all heads.
void split_gate(Pass& pass, const AttentionConfig& c, ConstMatrix both, Matrix query, Matrix gate) {
  const auto bytes = static_cast<size_t>(c.head_dim) * sizeof(float);
  pass.parallel_for(static_cast<size_t>(both.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    for (int64_t h = 0; h < c.num_attention_heads; ++h) {
      const float* from = both.row(r) + 2 * h * c.head_dim;
      std::memcpy(query.row(r) + h * c.head_dim, from, bytes);
      std::memcpy(gate.row(r) + h * c.head_dim, from + c.head_dim, bytes);
    }
  });
}

// A task: some rows of one sequence and one KV head.
struct Task {
  const AttentionRows* rows;
  int64_t begin, end, head;
};

void attend(Pass& pass, const AttentionConfig& c, ConstMatrix query,
            std::span<const AttentionRows> sequences, Matrix out) {
  std::vector<Task> tasks;
  for (const AttentionRows& sequence : sequences) {
    for (int64_t begin = sequence.begin; begin < sequence.end; begin += kRowsPerTask) {
      for (int64_t head = 0; head < c.num_key_value_heads; ++head)
        tasks.push_back({&sequence, begin, std::min(sequence.end, begin + kRowsPerTask), head});
    }
  }
  const int64_t group = c.num_attention_heads / c.num_key_value_heads;
  DCHECK(2 * kRowsPerTask * group <= kernels::kGemmScratch);
  pass.parallel_for(tasks.size(), [&](size_t index, size_t worker) {
    const Task& task = tasks[index];
    const AttentionState& state = task.rows->state;
    kernels::AttentionArgs args;
    args.q = query.row(task.begin) + task.head * group * c.head_dim;
    args.q_stride = query.width;
    args.rows = task.end - task.begin;
    args.num_heads = group;
    args.head_dim = c.head_dim;
    args.position = state.length + task.begin - task.rows->begin;
    args.base = state.base;
    args.blocks = state.blocks.data();
    args.block_stride = state.block_stride;
    args.key_offset = key_offset(c, state.type, task.head);
    args.value_offset = value_offset(c, state.type, task.head);
    args.bf16 = state.type == CacheType::kBF16;
    args.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
    args.out = out.row(task.begin) + task.head * group * c.head_dim;
    args.out_stride = out.width;
    args.scratch = pass.scratch(worker);
    pass.kernels().attention.attention(args);
  });
}

}  // namespace

Matrix attention_block(Pass& pass, const AttentionConfig& c, const AttentionWeights& w,
                       const Rope& rope, const RopeTable& table, ConstMatrix x,
                       std::span<const AttentionRows> sequences) {
  const int64_t query_width = c.num_attention_heads * c.head_dim;
  const int64_t kv_width = c.num_key_value_heads * c.head_dim;
  Matrix query = pass.matrix(x.rows, c.output_gate ? 2 * query_width : query_width);
  const Matrix key = pass.matrix(x.rows, kv_width), value = pass.matrix(x.rows, kv_width);
  const Activations in = Linear::prepare(pass, x);
  const Linear* linears[] = {&w.q_proj, &w.k_proj, &w.v_proj};
  const Matrix results[] = {query, key, value};
  multiply_group(pass, in, linears, results);

  Matrix gate;
  if (c.output_gate) {
    const Matrix both = query;
    query = pass.matrix(x.rows, query_width);
    gate = pass.matrix(x.rows, query_width);
    split_gate(pass, c, both, query, gate);
  }
  if (c.qk_norm) {
    rms_norm_heads(pass, w.q_norm, query);
    rms_norm_heads(pass, w.k_norm, key);
  }
  apply_rope(pass, rope, table, query, c.head_dim);
  apply_rope(pass, rope, table, key, c.head_dim);
  for (const AttentionRows& sequence : sequences) {
    pass.parallel_for(static_cast<size_t>(sequence.end - sequence.begin), [&](size_t i, size_t) {
      const auto row = sequence.begin + static_cast<int64_t>(i);
      write_row(c, sequence.state, sequence.state.length + static_cast<int64_t>(i), key.row(row),
                value.row(row));
    });
  }
  const Matrix context = pass.matrix(x.rows, query_width);
  attend(pass, c, query, sequences, context);
  if (c.output_gate) {
    pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
      const auto r = static_cast<int64_t>(index);
      pass.kernels().activation.sigmoid_mul(context.row(r), gate.row(r), context.row(r),
                                            query_width);
    });
  }
  const Matrix out = pass.matrix(x.rows, w.o_proj.out_features());
  w.o_proj.multiply(pass, Linear::prepare(pass, context), out);
  return out;
}

}  // namespace tulou::nn
