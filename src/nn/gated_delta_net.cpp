#include "nn/gated_delta_net.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tulou::nn {
namespace {

constexpr float kL2Eps = 1e-6f;  // inside the square root, as in the reference
// Tokens whose convolved q, k and v a task holds at a time: they fit into the L2 cache.
constexpr int64_t kChunk = 32;

// One call of gated_delta_block after its projections.
struct Block {
  Pass& pass;
  const DeltaNetConfig& config;
  const DeltaNetWeights& weights;
  ConstMatrix raw, z, b, a;  // [q | k | v] before the convolution; output gate; beta and decay
  Matrix core;               // [rows, value_width]
};

// Memory of one task: rows of convolved q and k, then v, then beta and decay of each token.
struct Memory {
  float *q, *k, *v, *beta, *decay;
  Memory(float* floats, const DeltaNetConfig& c)
      : q(floats),
        k(q + kChunk * c.key_head_dim),
        v(k + kChunk * c.key_head_dim),
        beta(v + kChunk * c.value_head_dim),
        decay(beta + kChunk) {}
  static int64_t size(const DeltaNetConfig& c) {
    const int64_t floats = kChunk * (2 * c.key_head_dim + c.value_head_dim + 2);
    return (floats + 15) / 16 * 16;
  }
};

// Rows [begin, end) of one sequence.
struct Chunk {
  int64_t begin, end;
  const DeltaState* state;
};

void convolve(const Block& b, const Chunk& chunk, int64_t channel, int64_t count, float* out) {
  kernels::ConvArgs args;
  args.in = b.raw.row(chunk.begin) + channel;
  args.in_stride = args.weight_stride = b.raw.width;
  args.weight = b.weights.conv1d.data() + channel;
  args.state = chunk.state->conv + channel;
  args.out = out;
  args.out_stride = args.channels = count;
  args.tokens = chunk.end - chunk.begin;
  args.kernel = b.config.conv_kernel_dim;
  b.pass.kernels().conv1d.causal_conv_silu(args);
}

// q and k of a key head: to length 1, q also times 1 / sqrt(key_head_dim).
void query_and_key(const Block& b, const Chunk& chunk, int64_t key_head, const Memory& memory) {
  const DeltaNetConfig& c = b.config;
  const int64_t width = c.key_head_dim;
  convolve(b, chunk, key_head * width, width, memory.q);
  convolve(b, chunk, c.key_width() + key_head * width, width, memory.k);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width)));
  for (int64_t t = 0; t < chunk.end - chunk.begin; ++t) {
    float *q = memory.q + t * width, *k = memory.k + t * width;
    b.pass.kernels().norm.l2_norm(q, kL2Eps, scale, q, width);
    b.pass.kernels().norm.l2_norm(k, kL2Eps, 1.0f, k, width);
  }
}

float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

// beta = sigmoid(b); decay = exp(-exp(A_log) softplus(a + dt_bias)).
void gates(const Block& b, const Chunk& chunk, int64_t head, const Memory& memory) {
  const auto i = static_cast<size_t>(head);
  for (int64_t t = 0; t < chunk.end - chunk.begin; ++t) {
    const float in_b = b.b.row(chunk.begin + t)[head], in_a = b.a.row(chunk.begin + t)[head];
    memory.beta[t] = 1.0f / (1.0f + std::exp(-in_b));
    memory.decay[t] = std::exp(b.weights.negative_decay[i] * softplus(in_a + b.weights.dt_bias[i]));
  }
}

void value_head(const Block& b, const Chunk& chunk, int64_t head, const Memory& memory) {
  const DeltaNetConfig& c = b.config;
  const int64_t width = c.value_head_dim;
  convolve(b, chunk, 2 * c.key_width() + head * width, width, memory.v);
  gates(b, chunk, head, memory);
  kernels::DeltaRuleArgs args;
  args.q = memory.q;
  args.k = memory.k;
  args.qk_stride = c.key_head_dim;
  args.v = memory.v;
  args.v_stride = width;
  args.decay = memory.decay;
  args.beta = memory.beta;
  args.gate_stride = 1;
  args.state = chunk.state->recurrent + head * c.key_head_dim * width;
  args.out = b.core.row(chunk.begin) + head * width;
  args.out_stride = b.core.width;
  args.tokens = chunk.end - chunk.begin;
  args.key_dim = c.key_head_dim;
  args.value_dim = args.end = width;
  b.pass.kernels().delta_rule.gated_delta_rule(args);
  for (int64_t r = chunk.begin; r < chunk.end; ++r) {
    float* out = b.core.row(r) + head * width;
    b.pass.kernels().norm.gated_rms_norm(out, b.weights.norm.weight.data(),
                                         b.z.row(r) + head * width, b.weights.norm.eps, out, width);
  }
}

void clear_channels(const DeltaNetConfig& c, const DeltaState& state, int64_t channel,
                    int64_t count) {
  for (int64_t j = 0; j + 1 < c.conv_kernel_dim; ++j)
    std::memset(state.conv + j * c.conv_dim() + channel, 0,
                static_cast<size_t>(count) * sizeof(float));
}

// A key head with its value heads, all tokens of one sequence: no other task touches its channels
// and states.
void run_head(const Block& b, const DeltaRows& rows, int64_t key_head, const Memory& memory) {
  const DeltaNetConfig& c = b.config;
  const int64_t per_key_head = c.num_value_heads / c.num_key_heads;
  const auto head_of = [&](int64_t i) {
    return c.v_heads_tiled ? key_head + i * c.num_key_heads : key_head * per_key_head + i;
  };
  if (rows.state.empty) {
    clear_channels(c, rows.state, key_head * c.key_head_dim, c.key_head_dim);
    clear_channels(c, rows.state, c.key_width() + key_head * c.key_head_dim, c.key_head_dim);
    const int64_t floats = c.key_head_dim * c.value_head_dim;
    for (int64_t i = 0; i < per_key_head; ++i) {
      clear_channels(c, rows.state, 2 * c.key_width() + head_of(i) * c.value_head_dim,
                     c.value_head_dim);
      std::memset(rows.state.recurrent + head_of(i) * floats, 0,
                  static_cast<size_t>(floats) * sizeof(float));
    }
  }
  for (int64_t begin = rows.begin; begin < rows.end; begin += kChunk) {
    const Chunk chunk = {begin, std::min(rows.end, begin + kChunk), &rows.state};
    query_and_key(b, chunk, key_head, memory);
    for (int64_t i = 0; i < per_key_head; ++i) value_head(b, chunk, head_of(i), memory);
  }
}

}  // namespace

Matrix gated_delta_block(Pass& pass, const DeltaNetConfig& c, const DeltaNetWeights& w,
                         ConstMatrix x, std::span<const DeltaRows> sequences) {
  const Matrix raw = pass.matrix(x.rows, c.conv_dim());
  const Matrix z = pass.matrix(x.rows, c.value_width());
  const Matrix beta = pass.matrix(x.rows, c.num_value_heads);
  const Matrix decay = pass.matrix(x.rows, c.num_value_heads);
  const Linear* linears[] = {&w.in_proj_qkv, &w.in_proj_z, &w.in_proj_b, &w.in_proj_a};
  const Matrix results[] = {raw, z, beta, decay};
  multiply_group(pass, Linear::prepare(pass, x), linears, results);

  const Block block = {pass, c, w, raw, z, beta, decay, pass.matrix(x.rows, c.value_width())};
  const Matrix memory = pass.matrix(static_cast<int64_t>(pass.num_threads()), Memory::size(c));
  const auto heads = static_cast<size_t>(c.num_key_heads);
  pass.parallel_for(sequences.size() * heads, [&](size_t index, size_t worker) {
    run_head(block, sequences[index / heads], static_cast<int64_t>(index % heads),
             Memory(memory.row(static_cast<int64_t>(worker)), c));
  });
  const Matrix out = pass.matrix(x.rows, w.out_proj.out_features());
  w.out_proj.multiply(pass, Linear::prepare(pass, block.core), out);
  return out;
}

}  // namespace tulou::nn
