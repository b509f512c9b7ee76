// The output matrix: hidden states to logits. Apart from Linear because everything that chooses a
// token needs all logits of a row first: masks, biases and penalties come before any selection.
#pragma once

#include <cstdint>
#include <span>

#include "nn/linear.h"

namespace tulou::nn {

// The head of a model; a tied one is the embedding itself. Refers to the weight.
class Head {
 public:
  explicit Head(const Linear& weight) : weight_(&weight) {}
  int64_t vocab_size() const { return weight_->out_features(); }
  // hidden [rows, hidden_size], after the final norm -> logits [rows, vocab_size].
  void logits(Pass& pass, ConstMatrix hidden, Matrix out) const;

 private:
  const Linear* weight_;
};

// log(sum(exp(logits))), in fp64: log-probability of id i is logits[i] minus this.
double log_sum_exp(std::span<const float> logits);

}  // namespace tulou::nn
