// Rotary positions: turning the first dimensions of a head by angles that depend on the position.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

struct RopeKernels {
  // x [head_dim]; cos, sin [half]. Dimension i turns with i + half:
  // x[i] = x[i] cos[i] - x[i + half] sin[i]; x[i + half] = x[i + half] cos[i] + x[i] sin[i].
  void (*rotate_half)(float* x, const float* cos, const float* sin, int64_t half);
  // The same with dimensions 2i and 2i + 1 as pairs.
  void (*rotate_pairs)(float* x, const float* cos, const float* sin, int64_t half);
};

const RopeKernels& rope_kernels(hardware::Level level);

}  // namespace tulou::kernels
