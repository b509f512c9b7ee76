// What the weights of a model are, kind by kind, and how many bytes a decoded token moves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench_report.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/state_cache.h"
#include "nn/precision.h"

namespace tulou::cli {

// The group of a matrix named as model::Weights::visit names it: "layers.3.self_attn.q_proj" is
// "attention". The router and the shared expert count as "experts".
std::string_view weight_group(std::string_view name);

// One entry for each group, type and kernel, in the order in which a token meets them.
std::vector<WeightGroup> weight_groups(const model::Model& model, const kernels::Kernels& kernels,
                                       nn::Precision precision);

// What one token of a single sequence with `depth` tokens before it moves at least: the weights
// that it uses read once, the recurrent state read and written, the keys and values of its past
// read. `sequence` is a plan for one sequence of any context.
uint64_t decode_bytes(const std::vector<WeightGroup>& groups, const model::CachePlan& sequence,
                      int64_t depth);

}  // namespace tulou::cli
