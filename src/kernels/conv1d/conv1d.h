// Causal depthwise convolution over time, as in Gated DeltaNet layers.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

struct Conv1dKernels {
  // For t in [0, tokens) and channel c in [begin, end):
  //   out[t][c] = silu(sum over j in [0, kernel) of weight[j][c] * in[t - kernel + 1 + j][c])
  // where in[-1], in[-2], ... are state[kernel - 2], state[kernel - 3], ... Then the last
  // kernel - 1 inputs become the state. in, out: rows of `channels`, out must not overlap in.
  // weight [kernel][channels] (taps outermost), state [kernel - 1][channels], oldest first.
  void (*causal_conv_silu)(const float* in, const float* weight, float* state, float* out,
                           int64_t tokens, int64_t channels, int64_t kernel, int64_t begin,
                           int64_t end);
};

const Conv1dKernels& conv1d_kernels(hardware::Level level);

}  // namespace tulou::kernels
