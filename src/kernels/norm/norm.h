// Normalisation of rows: RMSNorm, its gated form, and the L2 norm of the delta rule's keys.
#pragma once

#include <cstdint>

#include "hardware/cpu_features.h"

namespace tulou::kernels {

struct NormKernels {
  // out[i] = x[i] / sqrt(mean(x^2) + eps) * (offset + weight[i]); offset is 1 for zero-centred
  // weights, else 0. x, out, weight [width]; out may be x. The sum of squares is taken in fp32.
  void (*rms_norm)(const float* x, const float* weight, float offset, float eps, float* out,
                   int64_t width);
  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i] * silu(gate[i]); out may be x or gate.
  void (*gated_rms_norm)(const float* x, const float* weight, const float* gate, float eps,
                         float* out, int64_t width);
  // out[i] = x[i] / sqrt(sum(x^2) + eps) * scale; out may be x.
  void (*l2_norm)(const float* x, float eps, float scale, float* out, int64_t width);
};

const NormKernels& norm_kernels(hardware::Level level);

}  // namespace tulou::kernels
