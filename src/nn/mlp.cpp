#include "nn/mlp.h"

namespace tulou::nn {

Matrix mlp(Pass& pass, const MlpWeights& w, ConstMatrix x) {
  const Matrix gate = pass.matrix(x.rows, w.gate_proj.out_features());
  const Matrix up = pass.matrix(x.rows, w.up_proj.out_features());
  const Linear* linears[] = {&w.gate_proj, &w.up_proj};
  const Matrix results[] = {gate, up};
  multiply_group(pass, Linear::prepare(pass, x), linears, results);
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    pass.kernels().activation.silu_mul(gate.row(r), up.row(r), gate.row(r), gate.width);
  });
  const Matrix out = pass.matrix(x.rows, w.down_proj.out_features());
  w.down_proj.multiply(pass, Linear::prepare(pass, gate), out);
  return out;
}

}  // namespace tulou::nn
