// Elementwise functions between matrix products.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

struct ActivationKernels {
  // out[i] = silu(gate[i]) * up[i]; out may be gate or up.
  void (*silu_mul)(const float* gate, const float* up, float* out, int64_t count);
  // out[i] = x[i] * sigmoid(gate[i]); out may be x.
  void (*sigmoid_mul)(const float* x, const float* gate, float* out, int64_t count);
  // out[i] += scale * x[i].
  void (*add_scaled)(const float* x, float scale, float* out, int64_t count);
  // x[i] = exp(x[i] - max) / sum, in place.
  void (*softmax)(float* x, int64_t count);
};

const ActivationKernels& activation_kernels(hardware::Level level);

}  // namespace tulou::kernels
