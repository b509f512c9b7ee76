// The gated feed-forward block (SwiGLU).
#pragma once

#include "nn/linear.h"

namespace tulou::nn {

struct MlpWeights {
  Linear gate_proj, up_proj, down_proj;
};

// down_proj(silu(gate_proj(x)) * up_proj(x)): x [rows, hidden_size] -> [rows, hidden_size].
Matrix mlp(Pass& pass, const MlpWeights& weights, ConstMatrix x);

}  // namespace tulou::nn
