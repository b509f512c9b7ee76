#include "nn/norm.h"

#include "base/assert.h"

namespace tulou::nn {

void rms_norm(Pass& pass, const NormWeight& norm, ConstMatrix x, Matrix out) {
  DCHECK(static_cast<int64_t>(norm.weight.size()) == x.width);
  const float offset = norm.zero_centred ? 1.0f : 0.0f;
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    pass.kernels().norm.rms_norm(x.row(r), norm.weight.data(), offset, norm.eps, out.row(r),
                                 x.width);
  });
}

Matrix rms_norm(Pass& pass, const NormWeight& norm, ConstMatrix x) {
  const Matrix out = pass.matrix(x.rows, x.width);
  rms_norm(pass, norm, x, out);
  return out;
}

void rms_norm_head(const kernels::Kernels& kernels, const NormWeight& norm, float* head) {
  const float offset = norm.zero_centred ? 1.0f : 0.0f;
  kernels.norm.rms_norm(head, norm.weight.data(), offset, norm.eps, head,
                        static_cast<int64_t>(norm.weight.size()));
}

void residual_add(Pass& pass, ConstMatrix y, Matrix x) {
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    pass.kernels().activation.add_scaled(y.row(r), 1.0f, x.row(r), x.width);
  });
}

}  // namespace tulou::nn
