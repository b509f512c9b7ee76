// What everyone who reads a checkpoint's tensors into a model, or converts them, knows of them:
// where the decoder's names begin, which tensors stay unused, what is fused, and how a wrong one is
// told.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/model_config.h"

namespace tulou::model {

// What stands before "embed_tokens" and "layers" in the names of a checkpoint folder: multimodal
// ones put the decoder below model.language_model, embedding models have nothing. "model." if
// `has` knows none of them, so that an error names the tensor that everyone expects.
std::string decoder_prefix(const std::function<bool(const std::string&)>& has);

// Whether the weights leave a tensor out: multi-token prediction, vision, a head that is tied
// anyway.
bool is_skipped_tensor(checkpoint::Format format, const ModelConfig& config, std::string_view name);

// Throws Error model.extra_tensor for a tensor that is neither in `used` nor skipped.
void check_all_used(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                    const std::set<std::string, std::less<>>& used);

// Throws Error model.tensor_shape: `entry` should have the shape `expected`.
[[noreturn]] void wrong_shape(const checkpoint::Checkpoint& checkpoint,
                              const checkpoint::TensorEntry& entry, const tensor::Shape& expected);

// Rows of a projection that holds `group` rows for each key head of the delta net: of every head
// those from `offset` on, `count` of them (Qwen3-Next fuses its projections so).
std::vector<int64_t> grouped_rows(const ModelConfig& config, int64_t group, int64_t offset,
                                  int64_t count);

// The rows of in_proj_qkvz [stored, hidden_size] that are q, k and v, one after the other, and z.
struct FusedQkvz {
  int64_t stored = 0;
  std::vector<int64_t> qkv, z;
};
FusedQkvz fused_qkvz(const ModelConfig& config);

// How many of a tensor's `rows` rows make its first matrix, where two matrices are made of one
// tensor (fused projections); all of them elsewhere.
int64_t rows_of_first_part(const ModelConfig& config, std::string_view name, int64_t rows);

}  // namespace tulou::model
