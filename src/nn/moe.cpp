#include "nn/moe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace tulou::nn {
namespace {

struct Share {
  int64_t row;
  float weight;
};

// For each expert the rows that chose it, rows rising.
std::vector<std::vector<Share>> route(Pass& pass, const MoeConfig& config, Matrix probabilities) {
  std::vector<std::vector<Share>> chosen(static_cast<size_t>(probabilities.width));
  std::vector<int64_t> order(chosen.size());
  for (int64_t r = 0; r < probabilities.rows; ++r) {
    float* p = probabilities.row(r);
    pass.kernels().activation.softmax(p, probabilities.width);
    std::iota(order.begin(), order.end(), 0);
    const auto middle = order.begin() + config.num_experts_per_tok;
    std::partial_sort(order.begin(), middle, order.end(),
                      [&](int64_t a, int64_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
    float sum = 0;
    for (auto expert = order.begin(); expert != middle; ++expert) sum += p[*expert];
    const float factor = config.norm_topk_prob ? 1.0f / sum : 1.0f;
    for (auto expert = order.begin(); expert != middle; ++expert)
      chosen[static_cast<size_t>(*expert)].push_back({r, p[*expert] * factor});
  }
  return chosen;
}

void add_expert(Pass& pass, const MlpWeights& expert, std::span<const Share> shares, ConstMatrix x,
                Matrix out) {
  const base::Arena::Scope scope(pass.arena());
  const Matrix in = pass.matrix(static_cast<int64_t>(shares.size()), x.width);
  for (size_t i = 0; i < shares.size(); ++i) {
    std::memcpy(in.row(static_cast<int64_t>(i)), x.row(shares[i].row),
                static_cast<size_t>(x.width) * sizeof(float));
  }
  const Matrix result = mlp(pass, expert, in);
  for (size_t i = 0; i < shares.size(); ++i) {
    pass.kernels().activation.add_scaled(result.row(static_cast<int64_t>(i)), shares[i].weight,
                                         out.row(shares[i].row), x.width);
  }
}

void add_shared_expert(Pass& pass, const MoeWeights& w, ConstMatrix x, Matrix out) {
  const Matrix gate = pass.matrix(x.rows, 1);
  w.shared_expert_gate.multiply(pass, Linear::prepare(pass, x), gate);
  const Matrix shared = mlp(pass, w.shared_expert, x);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float share = 1.0f / (1.0f + std::exp(-gate.row(r)[0]));
    pass.kernels().activation.add_scaled(shared.row(r), share, out.row(r), x.width);
  }
}

}  // namespace

Matrix moe(Pass& pass, const MoeConfig& config, const MoeWeights& w, ConstMatrix x) {
  const Matrix out = pass.matrix(x.rows, x.width);
  std::memset(out.data, 0, static_cast<size_t>(x.rows * x.width) * sizeof(float));
  const Matrix probabilities = pass.matrix(x.rows, w.gate.out_features());
  w.gate.multiply(pass, Linear::prepare(pass, x), probabilities);
  const auto chosen = route(pass, config, probabilities);
  for (size_t e = 0; e < chosen.size() && !pass.cancelled(); ++e) {
    if (!chosen[e].empty()) add_expert(pass, w.experts[e], chosen[e], x, out);
  }
  if (!w.shared_expert_gate.empty()) add_shared_expert(pass, w, x, out);
  return out;
}

}  // namespace tulou::nn
