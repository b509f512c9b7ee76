// The gated delta rule (Yang et al., "Gated Delta Networks", 2024), in its sequential form.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

// One V head of one sequence, columns [begin, end) of its state: columns are independent of each
// other, so any split over columns gives the same bits.
struct DeltaRuleArgs {
  // Row t of q and k (already normalised, q scaled) starts at q + t * qk_stride; [key_dim].
  const float* q = nullptr;
  const float* k = nullptr;
  int64_t qk_stride = 0;
  const float* v = nullptr;  // row t at v + t * v_stride; [value_dim]
  int64_t v_stride = 0;
  const float* decay = nullptr;  // exp(g) of token t at decay[t * gate_stride]
  const float* beta = nullptr;   // likewise
  int64_t gate_stride = 0;
  float* state = nullptr;  // [key_dim][value_dim], updated in place
  float* out = nullptr;    // row t at out + t * out_stride; [value_dim]
  int64_t out_stride = 0;
  int64_t tokens = 0, key_dim = 0, value_dim = 0, begin = 0, end = 0;
};

struct DeltaRuleKernels {
  // For each token: S <- decay S; e = S^T k; S <- S + k (beta (v - e))^T; out = S^T q. Columns go
  // through all tokens in blocks that stay in the L1 cache.
  void (*gated_delta_rule)(const DeltaRuleArgs& args);
};

const DeltaRuleKernels& delta_rule_kernels(hardware::Level level);

}  // namespace tulou::kernels
