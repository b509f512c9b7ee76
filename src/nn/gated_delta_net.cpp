#include "nn/gated_delta_net.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"

namespace tulou::nn {
namespace {

constexpr float kL2Eps = 1e-6f;         // inside the square root, as in the reference
constexpr int64_t kConvChannels = 256;  // channels of one task: a few cache lines of each row

void clear_empty_states(const DeltaNetConfig& c, std::span<const DeltaRows> sequences) {
  const auto recurrent = static_cast<size_t>(c.num_value_heads * c.key_head_dim * c.value_head_dim);
  const auto conv = static_cast<size_t>((c.conv_kernel_dim - 1) * c.conv_dim());
  for (const DeltaRows& rows : sequences) {
    if (!rows.state.empty) continue;
    std::memset(rows.state.recurrent, 0, recurrent * sizeof(float));
    std::memset(rows.state.conv, 0, conv * sizeof(float));
  }
}

void convolve(Pass& pass, const DeltaNetConfig& c, const DeltaNetWeights& w, ConstMatrix in,
              std::span<const DeltaRows> sequences, Matrix out) {
  const int64_t channels = c.conv_dim();
  const auto pieces = static_cast<size_t>((channels + kConvChannels - 1) / kConvChannels);
  pass.parallel_for(sequences.size() * pieces, [&](size_t index, size_t) {
    const DeltaRows& rows = sequences[index / pieces];
    const int64_t begin = static_cast<int64_t>(index % pieces) * kConvChannels;
    pass.kernels().conv1d.causal_conv_silu(in.row(rows.begin), w.conv1d.data(), rows.state.conv,
                                           out.row(rows.begin), rows.end - rows.begin, channels,
                                           c.conv_kernel_dim, begin,
                                           std::min(channels, begin + kConvChannels));
  });
}

// q and k of every row, in place: to length 1, q also times 1 / sqrt(key_head_dim).
void normalise_heads(Pass& pass, const DeltaNetConfig& c, Matrix qkv) {
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.key_head_dim)));
  pass.parallel_for(static_cast<size_t>(qkv.rows), [&](size_t index, size_t) {
    float* q = qkv.row(static_cast<int64_t>(index));
    float* k = q + c.key_width();
    for (int64_t d = 0; d < c.key_width(); d += c.key_head_dim) {
      pass.kernels().norm.l2_norm(q + d, kL2Eps, scale, q + d, c.key_head_dim);
      pass.kernels().norm.l2_norm(k + d, kL2Eps, 1.0f, k + d, c.key_head_dim);
    }
  });
}

float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

// b -> beta = sigmoid(b); a -> decay = exp(-exp(A_log) softplus(a + dt_bias)); in place.
void gates(const DeltaNetWeights& w, Matrix beta, Matrix decay) {
  for (int64_t r = 0; r < beta.rows; ++r) {
    for (int64_t h = 0; h < beta.width; ++h) {
      const auto i = static_cast<size_t>(h);
      beta.row(r)[h] = 1.0f / (1.0f + std::exp(-beta.row(r)[h]));
      decay.row(r)[h] = std::exp(w.negative_decay[i] * softplus(decay.row(r)[h] + w.dt_bias[i]));
    }
  }
}

void delta_rule(Pass& pass, const DeltaNetConfig& c, ConstMatrix qkv, ConstMatrix beta,
                ConstMatrix decay, std::span<const DeltaRows> sequences, Matrix out) {
  constexpr int64_t kColumns = kernels::kDeltaRuleColumns;
  const int64_t per_key_head = c.num_value_heads / c.num_key_heads;
  const auto pieces = static_cast<size_t>((c.value_head_dim + kColumns - 1) / kColumns);
  const auto per_sequence = static_cast<size_t>(c.num_value_heads) * pieces;
  pass.parallel_for(sequences.size() * per_sequence, [&](size_t index, size_t) {
    const DeltaRows& rows = sequences[index / per_sequence];
    const auto head = static_cast<int64_t>(index % per_sequence / pieces);
    const int64_t key_head = c.v_heads_tiled ? head % c.num_key_heads : head / per_key_head;
    kernels::DeltaRuleArgs args;
    args.q = qkv.row(rows.begin) + key_head * c.key_head_dim;
    args.k = args.q + c.key_width();
    args.qk_stride = qkv.width;
    args.v = qkv.row(rows.begin) + 2 * c.key_width() + head * c.value_head_dim;
    args.v_stride = qkv.width;
    args.decay = decay.row(rows.begin) + head;
    args.beta = beta.row(rows.begin) + head;
    args.gate_stride = beta.width;
    args.state = rows.state.recurrent + head * c.key_head_dim * c.value_head_dim;
    args.out = out.row(rows.begin) + head * c.value_head_dim;
    args.out_stride = out.width;
    args.tokens = rows.end - rows.begin;
    args.key_dim = c.key_head_dim;
    args.value_dim = c.value_head_dim;
    args.begin = static_cast<int64_t>(index % pieces) * kColumns;
    args.end = std::min(c.value_head_dim, args.begin + kColumns);
    pass.kernels().delta_rule.gated_delta_rule(args);
  });
}

}  // namespace

Matrix gated_delta_block(Pass& pass, const DeltaNetConfig& c, const DeltaNetWeights& w,
                         ConstMatrix x, std::span<const DeltaRows> sequences) {
  clear_empty_states(c, sequences);
  const Matrix raw = pass.matrix(x.rows, c.conv_dim());
  const Matrix z = pass.matrix(x.rows, c.value_width());
  const Matrix beta = pass.matrix(x.rows, c.num_value_heads);
  const Matrix decay = pass.matrix(x.rows, c.num_value_heads);
  const Linear* linears[] = {&w.in_proj_qkv, &w.in_proj_z, &w.in_proj_b, &w.in_proj_a};
  const Matrix results[] = {raw, z, beta, decay};
  multiply_group(pass, Linear::prepare(pass, x), linears, results);

  const Matrix qkv = pass.matrix(x.rows, c.conv_dim());
  convolve(pass, c, w, raw, sequences, qkv);
  normalise_heads(pass, c, qkv);
  gates(w, beta, decay);
  const Matrix core = pass.matrix(x.rows, c.value_width());
  delta_rule(pass, c, qkv, beta, decay, sequences, core);
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    for (int64_t d = 0; d < c.value_width(); d += c.value_head_dim) {
      pass.kernels().norm.gated_rms_norm(core.row(r) + d, w.norm.weight.data(), z.row(r) + d,
                                         w.norm.eps, core.row(r) + d, c.value_head_dim);
    }
  });
  const Matrix out = pass.matrix(x.rows, w.out_proj.out_features());
  w.out_proj.multiply(pass, Linear::prepare(pass, core), out);
  return out;
}

}  // namespace tulou::nn
