// Full attention: grouped query heads, optional q/k norms, optional output gate, cached keys and
// values.
#pragma once

#include <span>

#include "nn/layer_state.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/rope.h"

namespace tulou::nn {

struct AttentionConfig {
  int64_t num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  bool qk_norm = false;
  bool output_gate = false;  // q_proj yields [query | gate] for each head
};

struct AttentionWeights {
  Linear q_proj, k_proj, v_proj, o_proj;
  NormWeight q_norm, k_norm;
};

// Rows [begin, end) of the batch belong to one sequence.
struct AttentionRows {
  int64_t begin = 0, end = 0;
  AttentionState state;
};

// x [rows, hidden_size], normalised -> [rows, hidden_size]. Writes the rows' keys (after norm and
// RoPE) and values behind state.length; the blocks must be there.
Matrix attention_block(Pass& pass, const AttentionConfig& config, const AttentionWeights& weights,
                       const Rope& rope, const RopeTable& table, ConstMatrix x,
                       std::span<const AttentionRows> sequences);

}  // namespace tulou::nn
