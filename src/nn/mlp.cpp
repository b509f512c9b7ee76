#include "nn/mlp.h"

namespace tulou::nn {

Matrix mlp(Pass& pass, const MlpWeights& w, ConstMatrix x) {
  const Matrix inner = pass.matrix(x.rows, w.gate_proj.out_features());
  multiply_gated(pass, Linear::prepare(pass, x), w.gate_proj, w.up_proj, inner);
  const Matrix out = pass.matrix(x.rows, w.down_proj.out_features());
  w.down_proj.multiply(pass, Linear::prepare(pass, inner), out);
  return out;
}

}  // namespace tulou::nn
