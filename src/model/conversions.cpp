#include "model/conversions.h"

#include <algorithm>

#include "kernels/gemm/panel.h"
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
  plan.parameters += values;
  if (width > 0)
    plan.bytes += kernels::matrix_bytes(to, static_cast<int64_t>(values) / width, width);
  count_conversion(plan.conversions, config.name(), to);
  return true;
}

// A convolution is a matrix in the file only, the gate of a shared expert only in memory.
bool becomes_matrix(const TensorEntry& entry) {
  const std::string_view name = entry.name;
  if (entry.view.shape.rank < 2) return name.ends_with("ffn_gate_inp_shexp.weight");
  return !name.ends_with("conv1d.weight");
}

// Bytes in memory of a matrix, or a stack of them, that is computed as `to`.
uint64_t packed_bytes(const ModelConfig& config, const TensorEntry& entry, DType to) {
  const tensor::Shape& shape = entry.view.shape;
  const int64_t count = shape.rank > 2 ? shape[0] : 1;
  if (count == 0) return 0;
  const int64_t rows = shape.rows() / count;
  const int64_t first = rows_of_first_part(config, entry.name, rows);
  return static_cast<uint64_t>(count) * (kernels::matrix_bytes(to, first, shape.width()) +
                                         kernels::matrix_bytes(to, rows - first, shape.width()));
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
    const auto values = static_cast<uint64_t>(entry.view.shape.values());
    plan.parameters += values;
    if (!entry.usable) {
      plan.bytes += entry.bytes;  // loading will refuse it
      continue;
    }
    if (!becomes_matrix(entry)) {
      plan.bytes += values * sizeof(float);
      continue;
    }
    const DType stored = entry.view.dtype;
    const DType to = exact ? stored : kernels::computed_type(stored);
    plan.bytes += packed_bytes(config, entry, to);
    if (to != stored) count_conversion(plan.conversions, entry.stored_dtype, to);
  }
  return plan;
}

}  // namespace tulou::model
