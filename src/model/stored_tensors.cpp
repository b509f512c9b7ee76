#include "model/stored_tensors.h"

#include <algorithm>

#include "base/error.h"
#include "base/number.h"

namespace tulou::model {
namespace {

// blk.N for N behind the last layer: multi-token prediction in GGUF files.
bool is_draft_layer(const ModelConfig& config, std::string_view name) {
  if (!name.starts_with("blk.")) return false;
  const std::string_view rest = name.substr(4);
  const auto number = base::parse_int(rest.substr(0, rest.find('.')));
  return number && *number >= config.num_hidden_layers();
}

// "[16, 8]".
std::string shape_text(const tensor::Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank; ++i) text += (i > 0 ? ", " : "") + base::to_text(shape[i]);
  return text + "]";
}

}  // namespace

std::string decoder_prefix(const std::function<bool(const std::string&)>& has) {
  for (const char* prefix : {"model.language_model.", "model.", ""}) {
    if (has(std::string(prefix) + "embed_tokens.weight")) return prefix;
  }
  return "model.";
}

bool is_skipped_tensor(checkpoint::Format format, const ModelConfig& config,
                       std::string_view name) {
  if (format == checkpoint::Format::kGguf) return is_draft_layer(config, name);
  if (name == "lm_head.weight") return config.tie_word_embeddings;
  return name.starts_with("mtp.") || name.starts_with("model.visual.") ||
         name.starts_with("visual.") || name.ends_with(".rotary_emb.inv_freq");
}

void check_all_used(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                    const std::set<std::string, std::less<>>& used) {
  for (const checkpoint::TensorEntry& entry : checkpoint.tensors()) {
    if (used.contains(entry.name) || is_skipped_tensor(checkpoint.format(), config, entry.name))
      continue;
    throw base::Error("model.extra_tensor", checkpoint.file_path(entry.file_index), entry.name,
                      entry.offset);
  }
}

void wrong_shape(const checkpoint::Checkpoint& checkpoint, const checkpoint::TensorEntry& entry,
                 const tensor::Shape& expected) {
  throw base::Error("model.tensor_shape", checkpoint.file_path(entry.file_index), entry.name,
                    entry.offset, shape_text(entry.view.shape), shape_text(expected));
}

std::vector<int64_t> grouped_rows(const ModelConfig& config, int64_t group, int64_t offset,
                                  int64_t count) {
  std::vector<int64_t> rows;
  for (int64_t head = 0; head < config.linear_num_key_heads; ++head) {
    for (int64_t i = 0; i < count; ++i) rows.push_back(head * group + offset + i);
  }
  return rows;
}

FusedQkvz fused_qkvz(const ModelConfig& config) {
  const int64_t ratio = config.linear_num_value_heads / config.linear_num_key_heads;
  const int64_t dk = config.linear_key_head_dim, dv = ratio * config.linear_value_head_dim;
  const int64_t group = 2 * dk + 2 * dv;  // q, k, v, z of one key head
  FusedQkvz rows;
  rows.stored = group * config.linear_num_key_heads;
  rows.qkv = grouped_rows(config, group, 0, dk);
  for (const int64_t row : grouped_rows(config, group, dk, dk)) rows.qkv.push_back(row);
  for (const int64_t row : grouped_rows(config, group, 2 * dk, dv)) rows.qkv.push_back(row);
  rows.z = grouped_rows(config, group, 2 * dk + dv, dv);
  return rows;
}

int64_t rows_of_first_part(const ModelConfig& config, std::string_view name, int64_t rows) {
  const auto is = [&](std::string_view module) {
    return name.ends_with(module) || name.ends_with(std::string(module) + ".weight");
  };
  if (is("in_proj_qkvz") || is(".ssm_in")) return std::min(rows, config.linear_conv_dim());
  for (const char* module : {"in_proj_ba", ".ssm_ba", "experts.gate_up_proj", "ffn_gate_up_exps"}) {
    if (is(module)) return rows / 2;
  }
  return rows;
}

}  // namespace tulou::model
