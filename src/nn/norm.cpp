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

void rms_norm_heads(Pass& pass, const NormWeight& norm, Matrix x) {
  const auto width = static_cast<int64_t>(norm.weight.size());
  const Matrix heads = {x.data, x.rows * (x.width / width), width};
  const float offset = norm.zero_centred ? 1.0f : 0.0f;
  const int64_t per_row = x.width / width;
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    for (int64_t h = 0; h < per_row; ++h) {
      float* head = heads.row(static_cast<int64_t>(index) * per_row + h);
      pass.kernels().norm.rms_norm(head, norm.weight.data(), offset, norm.eps, head, width);
    }
  });
}

void residual_add(Pass& pass, ConstMatrix y, Matrix x) {
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    pass.kernels().activation.add_scaled(y.row(r), 1.0f, x.row(r), x.width);
  });
}

}  // namespace tulou::nn
