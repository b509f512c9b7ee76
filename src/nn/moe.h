// Sparse mixture of experts: a router chooses a few small feed-forward blocks for each row.
#pragma once

#include <vector>

#include "nn/mlp.h"

namespace tulou::nn {

struct MoeConfig {
  int64_t num_experts_per_tok = 0;
  bool norm_topk_prob = true;  // chosen probabilities are divided by their sum
};

struct MoeWeights {
  Linear gate;  // the router, [num_experts, hidden_size]
  std::vector<MlpWeights> experts;
  MlpWeights shared_expert;   // empty if the model has none
  Linear shared_expert_gate;  // [1, hidden_size]
};

// x [rows, hidden_size] -> [rows, hidden_size]. Experts add to a row in rising order of their
// number; of equal probabilities the lower number is chosen.
Matrix moe(Pass& pass, const MoeConfig& config, const MoeWeights& weights, ConstMatrix x);

}  // namespace tulou::nn
