#include "nn/head.h"

#include <algorithm>
#include <cmath>

namespace tulou::nn {

void Head::logits(Pass& pass, ConstMatrix hidden, Matrix out) const {
  weight_->multiply(pass, Linear::prepare(pass, hidden), out);
}

double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

}  // namespace tulou::nn
