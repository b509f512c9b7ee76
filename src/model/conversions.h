// Which weights are computed in another type than they are stored in, and what that costs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/model_config.h"
#include "tensor/dtype.h"

namespace tulou::model {

// Matrices of one stored type that were converted to one other.
struct Conversion {
  std::string from;  // "IQ2_XXS", "FP8", "GPTQ 4 bit"
  tensor::DType to = tensor::DType::kF32;
  int64_t tensors = 0;  // matrices as stored; a stack of experts is one
};
using Conversions = std::vector<Conversion>;

// Adds one tensor.
void count_conversion(Conversions& conversions, std::string_view from, tensor::DType to);

// What loading will make of a checkpoint, from its headers alone.
struct WeightPlan {
  uint64_t bytes = 0;       // in memory: Weights::bytes()
  uint64_t parameters = 0;  // numbers that the stored tensors stand for
  Conversions conversions;  // GPTQ that is not symmetric after all takes Q4_1 instead of Q4_0
};
// Where GPTQ takes another type or a bias that is 0 is left out, the plan is off by that.
// `exact`: the weights keep every bit, as load_weights does with LoadOptions::exact_weights.
WeightPlan plan_weights(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                        bool exact);

}  // namespace tulou::model
