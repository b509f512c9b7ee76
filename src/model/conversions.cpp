#include "model/conversions.h"

#include <algorithm>

#include "kernels/quant/requantize.h"
#include "model/stored_tensors.h"

namespace tulou::model {
namespace {

using checkpoint::TensorEntry;
using tensor::DType;

// What a matrix of rows of `width` is computed in if its checkpoint stores it in several tensors.
DType planned_type(const QuantizationConfig& config, int64_t width, bool exact) {
  if (exact || width % 32 != 0) return DType::kF32;
  const bool blocks = config.group_size % 32 == 0 && !config.desc_act;
  if (config.bits != 4 || !blocks) return DType::kQ8_0;
  return config.symmetric ? DType::kQ4_0 : DType::kQ4_1;
}

// Adds one tensor of a checkpoint that has a quantization_config; false if it is an ordinary one.
bool add_quantized(const QuantizationConfig& config, const TensorEntry& entry, bool exact,
                   WeightPlan& plan) {
  const bool fp8 = config.method == QuantizationMethod::kFp8;
  const std::string_view name = entry.name;
  for (const char* helper : {".weight_scale_inv", ".scales", ".qzeros", ".g_idx"}) {
    if (name.ends_with(helper)) return true;
  }
  const bool packed = name.ends_with(".qweight");
  if (!packed && !(fp8 && entry.stored_dtype == "F8_E4M3")) return false;
  const tensor::Shape& shape = entry.view.shape;
  const int64_t per_word = packed ? 32 / config.bits : 1;
  // GPTQ's words run along the input, which is the first extent; AWQ's along the output.
  const int64_t width = fp8                                          ? shape.width()
                        : config.method == QuantizationMethod::kGptq ? shape[0] * per_word
                                                                     : shape[0];
  const auto values = static_cast<uint64_t>(shape.values()) * static_cast<uint64_t>(per_word);
  const DType to = planned_type(config, width, exact);
  const tensor::DTypeInfo& type = tensor::info(to);
  plan.parameters += values;
  plan.bytes +=
      values / static_cast<uint64_t>(type.block_size) * static_cast<uint64_t>(type.block_bytes);
  count_conversion(plan.conversions, config.name(), to);
  return true;
}

}  // namespace

void count_conversion(Conversions& conversions, std::string_view from, DType to) {
  const auto same = [&](const Conversion& c) { return c.from == from && c.to == to; };
  const auto found = std::find_if(conversions.begin(), conversions.end(), same);
  if (found == conversions.end()) {
    conversions.push_back({std::string(from), to, 1});
  } else {
    ++found->tensors;
  }
}

WeightPlan plan_weights(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                        bool exact) {
  WeightPlan plan;
  for (const TensorEntry& entry : checkpoint.tensors()) {
    if (is_skipped_tensor(checkpoint.format(), config, entry.name)) continue;
    if (config.quantization.method != QuantizationMethod::kNone &&
        add_quantized(config.quantization, entry, exact, plan))
      continue;
    const tensor::Shape& shape = entry.view.shape;
    plan.parameters += static_cast<uint64_t>(shape.values());
    const DType stored = entry.view.dtype;
    const DType computed = entry.usable ? kernels::computed_type(stored) : stored;
    if (computed == stored || shape.rank < 2) {
      plan.bytes += entry.bytes;
      continue;
    }
    const DType to = exact ? DType::kF32 : computed;  // what Linear packs a type without panels as
    plan.bytes += tensor::row_bytes(to, shape.width()) * static_cast<uint64_t>(shape.rows());
    if (!exact) count_conversion(plan.conversions, entry.stored_dtype, to);
  }
  return plan;
}

}  // namespace tulou::model
