// Linear attention by the gated delta rule, with a short causal convolution in front (Gated
// DeltaNet).
#pragma once

#include <span>
#include <vector>

#include "nn/layer_state.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace tulou::nn {

struct DeltaNetConfig {
  int64_t num_key_heads = 0, num_value_heads = 0;
  int64_t key_head_dim = 0, value_head_dim = 0;
  int64_t conv_kernel_dim = 0;
  // V head h uses key head h / (V heads per key head), or h mod num_key_heads if tiled (GGUF).
  bool v_heads_tiled = false;
  int64_t key_width() const { return num_key_heads * key_head_dim; }
  int64_t value_width() const { return num_value_heads * value_head_dim; }
  int64_t conv_dim() const { return 2 * key_width() + value_width(); }
};

struct DeltaNetWeights {
  Linear in_proj_qkv, in_proj_z, in_proj_b, in_proj_a, out_proj;
  std::vector<float> conv1d;          // [conv_kernel_dim][conv_dim], taps outermost
  std::vector<float> negative_decay;  // -exp(A_log), [num_value_heads]
  std::vector<float> dt_bias;         // [num_value_heads]
  NormWeight norm;                    // [value_head_dim]
};

struct DeltaRows {
  int64_t begin = 0, end = 0;  // rows of the batch that belong to one sequence
  DeltaState state;
};

// x [rows, hidden_size], normalised -> [rows, hidden_size]. Updates the sequences' states in place.
Matrix gated_delta_block(Pass& pass, const DeltaNetConfig& config, const DeltaNetWeights& weights,
                         ConstMatrix x, std::span<const DeltaRows> sequences);

}  // namespace tulou::nn
