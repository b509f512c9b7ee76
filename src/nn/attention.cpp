#include "nn/attention.h"

#include <algorithm>
#include <cmath>

namespace tulou::nn {
namespace {

// Rows and heads that go through a KV block together, so that it is read and converted once.
constexpr int64_t kQueriesPerTask = 64;
// Up to this many of them a task may be cut into spans, whose parts take memory.
constexpr int64_t kQueriesOfSpan = 16;

// One call of attention_block.
struct Block {
  Pass& pass;
  const AttentionConfig& config;
  const AttentionWeights& weights;
  const Rope& rope;
  const RopeTable& table;
  std::span<const AttentionRows> sequences;
  Matrix query, key, value;  // query: [query | gate] for each head if there is an output gate
  Matrix context;

  int64_t query_head_stride() const {
    return config.output_gate ? 2 * config.head_dim : config.head_dim;
  }
  // Query heads of a KV head.
  int64_t group() const { return config.num_attention_heads / config.num_key_value_heads; }
  // Where a KV head's keys lie in a block; the values follow the keys of all heads.
  size_t key_offset(CacheType type, int64_t head) const {
    return static_cast<size_t>(head) * kernels::cache_plane_bytes(type, config.head_dim);
  }
  size_t value_offset(CacheType type, int64_t head) const {
    return key_offset(type, config.num_key_value_heads + head);
  }
};

// Norm and RoPE of one row's queries and keys; its keys and values into the cache.
void place_row(const Block& b, const AttentionState& state, int64_t position, int64_t r) {
  const AttentionConfig& c = b.config;
  const kernels::Kernels& kernels = b.pass.kernels();
  for (int64_t h = 0; h < c.num_attention_heads; ++h) {
    float* head = b.query.row(r) + h * b.query_head_stride();
    if (c.qk_norm) rms_norm_head(kernels, b.weights.q_norm, head);
    rotate_head(kernels, b.rope, b.table, r, head);
  }
  std::byte* block = state.block(position / kKvBlockTokens);
  const int64_t slot = position % kKvBlockTokens;
  for (int64_t h = 0; h < c.num_key_value_heads; ++h) {
    float* key = b.key.row(r) + h * c.head_dim;
    if (c.qk_norm) rms_norm_head(kernels, b.weights.k_norm, key);
    rotate_head(kernels, b.rope, b.table, r, key);
    kernels.attention.cache_store(state.type, key, c.head_dim, slot,
                                  block + b.key_offset(state.type, h));
    kernels.attention.cache_store(state.type, b.value.row(r) + h * c.head_dim, c.head_dim, slot,
                                  block + b.value_offset(state.type, h));
  }
}

void place_rows(const Block& b) {
  struct Place {
    const AttentionState* state;
    int64_t position, row;
  };
  std::vector<Place> places;
  for (const AttentionRows& s : b.sequences) {
    for (int64_t r = s.begin; r < s.end; ++r)
      places.push_back({&s.state, s.state.length + r - s.begin, r});
  }
  b.pass.parallel_for(places.size(), [&](size_t index, size_t) {
    const Place& place = places[index];
    place_row(b, *place.state, place.position, place.row);
  });
}

// Some rows of one sequence and one KV head.
struct Task {
  const AttentionRows* rows;
  int64_t begin, end, head;
};

kernels::AttentionArgs arguments(const Block& b, const Task& task, float* scratch) {
  const AttentionConfig& c = b.config;
  const AttentionState& state = task.rows->state;
  kernels::AttentionArgs args;
  args.q = b.query.row(task.begin) + task.head * b.group() * b.query_head_stride();
  args.q_stride = b.query.width;
  args.q_head_stride = b.query_head_stride();
  args.rows = task.end - task.begin;
  args.num_heads = b.group();
  args.head_dim = c.head_dim;
  args.position = state.length + task.begin - task.rows->begin;
  args.base = state.base;
  args.blocks = state.blocks.data();
  args.block_stride = state.block_stride;
  args.key_offset = b.key_offset(state.type, task.head);
  args.value_offset = b.value_offset(state.type, task.head);
  args.type = state.type;
  args.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  args.out = b.context.row(task.begin) + task.head * b.group() * c.head_dim;
  args.out_stride = b.context.width;
  args.scratch = scratch;
  return args;
}

// context *= sigmoid(gate), for the rows and heads of a task.
void apply_gate(const Block& b, const kernels::AttentionArgs& args) {
  if (!b.config.output_gate) return;
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t h = 0; h < args.num_heads; ++h) {
      float* out = args.out + r * args.out_stride + h * args.head_dim;
      const float* gate = args.q + r * args.q_stride + h * args.q_head_stride + args.head_dim;
      b.pass.kernels().activation.sigmoid_mul(out, gate, out, args.head_dim);
    }
  }
}

// The last rows of a sequence first: they look at most tokens, and little work is to come last.
std::vector<Task> make_tasks(const Block& b) {
  const int64_t rows = std::max<int64_t>(1, kQueriesPerTask / b.group());
  std::vector<Task> tasks;
  for (const AttentionRows& sequence : b.sequences) {
    for (int64_t end = sequence.end; end > sequence.begin; end -= rows) {
      for (int64_t head = 0; head < b.config.num_key_value_heads; ++head)
        tasks.push_back({&sequence, std::max(sequence.begin, end - rows), end, head});
    }
  }
  return tasks;
}

// For a few tasks with long pasts: their spans are spread over the threads and merged afterwards.
void attend_by_spans(const Block& b, std::span<const Task> tasks, Matrix scratch) {
  struct Part {
    size_t task;
    int64_t span;
    float* sums;
  };
  std::vector<Part> parts;
  std::vector<float*> first;  // of each task
  for (size_t i = 0; i < tasks.size(); ++i) {
    const kernels::AttentionArgs args = arguments(b, tasks[i], nullptr);
    const int64_t size = kernels::attention_partial(args.queries(), args.head_dim);
    float* sums = b.pass.matrix(args.spans(), size).data;
    first.push_back(sums);
    for (int64_t span = 0; span < args.spans(); ++span)
      parts.push_back({i, span, sums + span * size});
  }
  const kernels::AttentionKernels& attention = b.pass.kernels().attention;
  b.pass.parallel_for(parts.size(), [&](size_t index, size_t worker) {
    const Part& part = parts[index];
    float* memory = scratch.row(static_cast<int64_t>(worker));
    attention.attention_span(arguments(b, tasks[part.task], memory), part.span, part.sums);
  });
  b.pass.parallel_for(tasks.size(), [&](size_t index, size_t) {
    const kernels::AttentionArgs args = arguments(b, tasks[index], nullptr);
    attention.attention_merge(args, first[index]);
    apply_gate(b, args);
  });
}

void attend(const Block& b) {
  const std::vector<Task> tasks = make_tasks(b);
  int64_t queries = 0;
  bool long_past = false;
  for (const Task& task : tasks) {
    const kernels::AttentionArgs args = arguments(b, task, nullptr);
    queries = std::max(queries, args.queries());
    long_past |= args.spans() > 1;
  }
  const int64_t floats = (kernels::attention_scratch(queries, b.config.head_dim) + 15) / 16 * 16;
  const Matrix scratch = b.pass.matrix(static_cast<int64_t>(b.pass.num_threads()), floats);
  if (long_past && queries <= kQueriesOfSpan && b.pass.num_threads() > 1 &&
      tasks.size() < 4 * b.pass.num_threads())
    return attend_by_spans(b, tasks, scratch);
  b.pass.parallel_for(tasks.size(), [&](size_t index, size_t worker) {
    const kernels::AttentionArgs args =
        arguments(b, tasks[index], scratch.row(static_cast<int64_t>(worker)));
    b.pass.kernels().attention.attention(args);
    apply_gate(b, args);
  });
}

}  // namespace

Matrix attention_block(Pass& pass, const AttentionConfig& c, const AttentionWeights& w,
                       const Rope& rope, const RopeTable& table, ConstMatrix x,
                       std::span<const AttentionRows> sequences) {
  const int64_t query_width = c.num_attention_heads * c.head_dim;
  const int64_t kv_width = c.num_key_value_heads * c.head_dim;
  Block b = {pass, c, w, rope, table, sequences, {}, {}, {}, {}};
  b.query = pass.matrix(x.rows, c.output_gate ? 2 * query_width : query_width);
  b.key = pass.matrix(x.rows, kv_width);
  b.value = pass.matrix(x.rows, kv_width);
  const Activations in = Linear::prepare(pass, x);
  const Linear* linears[] = {&w.q_proj, &w.k_proj, &w.v_proj};
  const Matrix results[] = {b.query, b.key, b.value};
  multiply_group(pass, in, linears, results);
  place_rows(b);
  b.context = pass.matrix(x.rows, query_width);
  attend(b);
  const Matrix out = pass.matrix(x.rows, w.o_proj.out_features());
  w.o_proj.multiply(pass, Linear::prepare(pass, b.context), out);
  return out;
}

}  // namespace tulou::nn
