// RMSNorm over rows.
#pragma once

#include <vector>

#include "nn/matrix.h"
#include "nn/pass.h"

namespace tulou::nn {

// The weight of a norm [width]. `zero_centred`: the stored value is the distance from 1.
struct NormWeight {
  std::vector<float> weight;
  bool zero_centred = false;
  float eps = 1e-6f;
};

// out[r] = x[r] / rms(x[r]) * weight; rows of out may be those of x.
void rms_norm(Pass& pass, const NormWeight& norm, ConstMatrix x, Matrix out);
// Into a fresh matrix of the arena.
Matrix rms_norm(Pass& pass, const NormWeight& norm, ConstMatrix x);
// The same over one head [width], in place, on the calling thread.
void rms_norm_head(const kernels::Kernels& kernels, const NormWeight& norm, float* head);

// x += y.
void residual_add(Pass& pass, ConstMatrix y, Matrix x);

}  // namespace tulou::nn
