// Causal depthwise convolution over time, as in Gated DeltaNet layers.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

// Some neighbouring channels of one sequence. Pointers are to the first of them: rows of a wider
// matrix are `stride` floats apart.
struct ConvArgs {
  const float* in = nullptr;  // row t at in + t * in_stride
  int64_t in_stride = 0;
  const float* weight = nullptr;  // [kernel][weight_stride], taps outermost
  float* state = nullptr;         // [kernel - 1][weight_stride]: inputs before in[0], oldest first
  int64_t weight_stride = 0;
  float* out = nullptr;  // row t at out + t * out_stride; must not overlap in
  int64_t out_stride = 0;
  int64_t tokens = 0, channels = 0, kernel = 0;
};

struct Conv1dKernels {
  // For t in [0, tokens) and each channel c:
  //   out[t][c] = silu(sum over j in [0, kernel) of weight[j][c] * in[t - kernel + 1 + j][c])
  // where in[-1], in[-2], ... are state[kernel - 2], state[kernel - 3], ... Then the last
  // kernel - 1 inputs become the state.
  void (*causal_conv_silu)(const ConvArgs& args);
};

const Conv1dKernels& conv1d_kernels(hardware::Level level);

}  // namespace tulou::kernels
