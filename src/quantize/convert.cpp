#include "quantize/convert.h"

#include <set>
#include <string>

#include "base/number.h"
#include "model/stored_tensors.h"

namespace tulou::quantize {
namespace {

using checkpoint::TensorEntry;
using model::FeedForward;
using model::Mixer;
using tensor::Shape;

class Converter {
 public:
  Converter(const checkpoint::Checkpoint& checkpoint, const model::ModelConfig& config)
      : checkpoint_(checkpoint),
        config_(config),
        is_hybrid_(config.num_layers_of(Mixer::kLinearAttention) > 0) {}

  std::vector<SourceTensor> run() {
    prefix_ = model::decoder_prefix([this](const std::string& name) { return has(name); });
    matrix("token_embd", prefix_ + "embed_tokens", config_.vocab_size, config_.hidden_size);
    const int64_t num_layers = config_.num_hidden_layers();
    for (int64_t i = 0; i < num_layers; ++i)
      layer(prefix_ + "layers." + base::to_text(i) + ".", i,
            config_.layers[static_cast<size_t>(i)]);
    draft_layers();
    norm("output_norm", prefix_ + "norm", config_.hidden_size);
    // An embedding model has no head.
    if (!config_.tie_word_embeddings && (!prefix_.empty() || has("lm_head.weight")))
      matrix("output", "lm_head", config_.vocab_size, config_.hidden_size);
    model::check_all_used(checkpoint_, config_, used_);
    return std::move(tensors_);
  }

 private:
  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }

  // A stored tensor with as many values as `expected`.
  const TensorEntry& take(const std::string& name, const Shape& expected) {
    const TensorEntry& entry = checkpoint_.require(name);
    used_.insert(name);
    if (entry.view.shape.values() != expected.values())
      model::wrong_shape(checkpoint_, entry, expected);
    return entry;
  }

  // A tensor from one stored tensor, both of the same number of values.
  SourceTensor& add(const std::string& name, const std::string& from, const Shape& shape) {
    const TensorEntry& entry = take(from, shape);
    // [C, 1, K] and [1, H] are squeezed to what `shape` says; others must be it.
    if (entry.view.shape.rank == shape.rank && !(entry.view.shape == shape))
      model::wrong_shape(checkpoint_, entry, shape);
    SourceTensor& tensor = tensors_.emplace_back();
    tensor.name = block_ + name;
    tensor.shape = shape;
    tensor.parts = {{&entry, 0}};
    return tensor;
  }
  SourceTensor& matrix(const std::string& name, const std::string& from, int64_t out, int64_t in) {
    return add(name + ".weight", from + ".weight", {out, in});
  }
  void norm(const std::string& name, const std::string& from, int64_t width) {
    SourceTensor& tensor = add(name + ".weight", from + ".weight", {width});
    if (config_.zero_centred_norms) tensor.change = Change::kPlusOne;
  }

  void layer(const std::string& from, int64_t index, const model::LayerConfig& layer_config) {
    block_ = "blk." + base::to_text(index) + ".";
    norm("attn_norm", from + "input_layernorm", config_.hidden_size);
    norm(is_hybrid_ ? "post_attention_norm" : "ffn_norm", from + "post_attention_layernorm",
         config_.hidden_size);
    if (layer_config.mixer == Mixer::kFullAttention) {
      attention(from + "self_attn.");
    } else {
      delta_net(from + "linear_attn.");
    }
    if (layer_config.feed_forward == FeedForward::kMlp) {
      mlp("", from + "mlp.", config_.intermediate_size);
    } else {
      moe(from + "mlp.");
    }
    block_.clear();
  }

  void attention(const std::string& from) {
    const int64_t hidden = config_.hidden_size;
    const int64_t query = config_.num_attention_heads * config_.head_dim;
    const int64_t kv = config_.num_key_value_heads * config_.head_dim;
    SourceTensor& q =
        matrix("attn_q", from + "q_proj", config_.attn_output_gate ? 2 * query : query, hidden);
    if (config_.model_type == "llama") q.rows = paired_rows(config_.num_attention_heads);
    SourceTensor& k = matrix("attn_k", from + "k_proj", kv, hidden);
    if (config_.model_type == "llama") k.rows = paired_rows(config_.num_key_value_heads);
    matrix("attn_v", from + "v_proj", kv, hidden);
    matrix("attn_output", from + "o_proj", hidden, query);
    if (config_.attention_bias) {
      add("attn_q.bias", from + "q_proj.bias", {query});
      add("attn_k.bias", from + "k_proj.bias", {kv});
      add("attn_v.bias", from + "v_proj.bias", {kv});
    }
    if (config_.qk_norm) {
      norm("attn_q_norm", from + "q_norm", config_.head_dim);
      norm("attn_k_norm", from + "k_norm", config_.head_dim);
    }
  }

  // Rows of each head from halves (row i turns with i + half) to pairs beside each other.
  std::vector<int64_t> paired_rows(int64_t heads) const {
    const int64_t half = config_.head_dim / 2;
    std::vector<int64_t> rows;
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < half; ++i) {
        rows.push_back(head * config_.head_dim + i);
        rows.push_back(head * config_.head_dim + half + i);
      }
    }
    return rows;
  }

  std::vector<int64_t> tiled(int64_t before, int64_t width) const {
    return tiled_value_heads(config_, before, width);
  }

  void delta_net(const std::string& from) {
    const int64_t hidden = config_.hidden_size, heads = config_.linear_num_value_heads;
    const int64_t conv_dim = config_.linear_conv_dim(), dv = config_.linear_value_head_dim;
    const int64_t key_rows = 2 * config_.linear_num_key_heads * config_.linear_key_head_dim;
    if (has(from + "in_proj_qkvz.weight")) {
      fused_qkvz(from + "in_proj_qkvz.weight");
    } else {
      matrix("attn_qkv", from + "in_proj_qkv", conv_dim, hidden).rows = tiled(key_rows, dv);
      matrix("attn_gate", from + "in_proj_z", heads * dv, hidden).rows = tiled(0, dv);
    }
    if (has(from + "in_proj_ba.weight")) {
      matrix("ssm_ba", from + "in_proj_ba", 2 * heads, hidden);
    } else {
      matrix("ssm_beta", from + "in_proj_b", heads, hidden).rows = tiled(0, 1);
      matrix("ssm_alpha", from + "in_proj_a", heads, hidden).rows = tiled(0, 1);
    }
    add("ssm_conv1d.weight", from + "conv1d.weight", {conv_dim, config_.linear_conv_kernel_dim})
        .rows = tiled(key_rows, dv);
    SourceTensor& decay = add("ssm_a", from + "A_log", {heads});
    decay.columns = tiled(0, 1);
    decay.change = Change::kNegativeExp;
    add("ssm_dt.bias", from + "dt_bias", {heads}).columns = tiled(0, 1);
    add("ssm_norm.weight", from + "norm.weight", {dv});  // never zero-centred
    matrix("ssm_out", from + "out_proj", hidden, heads * dv).columns = tiled(0, dv);
  }

  void fused_qkvz(const std::string& from) {
    const model::FusedQkvz fused = model::fused_qkvz(config_);
    for (const auto& [name, rows] :
         {std::pair("attn_qkv.weight", &fused.qkv), {"attn_gate.weight", &fused.z}}) {
      SourceTensor& tensor = add(name, from, {fused.stored, config_.hidden_size});
      tensor.shape = {static_cast<int64_t>(rows->size()), config_.hidden_size};
      // A part of one row each: rows may then come from the whole stored tensor.
      pick_rows(tensor, *rows);
    }
  }

  // Makes a tensor of single stored rows.
  static void pick_rows(SourceTensor& tensor, const std::vector<int64_t>& rows) {
    const TensorEntry* entry = tensor.parts.front().entry;
    tensor.parts.clear();
    for (const int64_t row : rows) tensor.parts.push_back({entry, row});
  }

  void mlp(const std::string& kind, const std::string& from, int64_t width) {
    matrix("ffn_gate" + kind, from + "gate_proj", width, config_.hidden_size);
    matrix("ffn_up" + kind, from + "up_proj", width, config_.hidden_size);
    matrix("ffn_down" + kind, from + "down_proj", config_.hidden_size, width);
  }

  void moe(const std::string& from) {
    const int64_t count = config_.num_experts, hidden = config_.hidden_size;
    const int64_t width = config_.moe_intermediate_size;
    matrix("ffn_gate_inp", from + "gate", count, hidden);
    if (has(from + "experts.gate_up_proj")) {
      fused_experts("ffn_gate_exps.weight", from + "experts.gate_up_proj", 0);
      fused_experts("ffn_up_exps.weight", from + "experts.gate_up_proj", width);
      add("ffn_down_exps.weight", from + "experts.down_proj", {count, hidden, width});
    } else {
      stacked_experts("ffn_gate_exps.weight", from, ".gate_proj.weight", width, hidden);
      stacked_experts("ffn_up_exps.weight", from, ".up_proj.weight", width, hidden);
      stacked_experts("ffn_down_exps.weight", from, ".down_proj.weight", hidden, width);
    }
    if (config_.shared_expert_intermediate_size == 0) return;
    mlp("_shexp", from + "shared_expert.", config_.shared_expert_intermediate_size);
    add("ffn_gate_inp_shexp.weight", from + "shared_expert_gate.weight", {hidden});
  }

  // Half of gate_up_proj [experts, 2 * width, hidden], from row `begin` of each expert.
  void fused_experts(const std::string& name, const std::string& from, int64_t begin) {
    const int64_t width = config_.moe_intermediate_size;
    SourceTensor& tensor = add(name, from, {config_.num_experts, 2 * width, config_.hidden_size});
    const TensorEntry* entry = tensor.parts.front().entry;
    tensor.shape = {config_.num_experts, width, config_.hidden_size};
    tensor.parts.clear();
    for (int64_t e = 0; e < config_.num_experts; ++e)
      tensor.parts.push_back({entry, e * 2 * width + begin});
  }

  // One stored matrix for each expert.
  void stacked_experts(const std::string& name, const std::string& from, const std::string& part,
                       int64_t out, int64_t in) {
    SourceTensor tensor;
    tensor.name = block_ + name;
    tensor.shape = {config_.num_experts, out, in};
    for (int64_t e = 0; e < config_.num_experts; ++e) {
      std::string stored = from;
      stored.append("experts.").append(base::to_text(e)).append(part);
      tensor.parts.push_back({&take(stored, {out, in}), 0});
    }
    tensors_.push_back(std::move(tensor));
  }

  // Multi-token prediction: full attention, and a feed-forward block as in the model's last layer.
  void draft_layers() {
    const int64_t num = num_draft_layers(checkpoint_);
    const model::LayerConfig like = {Mixer::kFullAttention, config_.layers.back().feed_forward};
    for (int64_t i = 0; i < num; ++i)
      layer("mtp.layers." + base::to_text(i) + ".", config_.num_hidden_layers() + i, like);
    if (num == 0) return;
    block_ = "blk." + base::to_text(config_.num_hidden_layers()) + ".";
    matrix("nextn.eh_proj", "mtp.fc", config_.hidden_size, 2 * config_.hidden_size);
    norm("nextn.enorm", "mtp.pre_fc_norm_embedding", config_.hidden_size);
    norm("nextn.hnorm", "mtp.pre_fc_norm_hidden", config_.hidden_size);
    norm("nextn.shared_head_norm", "mtp.norm", config_.hidden_size);
    block_.clear();
  }

  const checkpoint::Checkpoint& checkpoint_;
  const model::ModelConfig& config_;
  bool is_hybrid_;
  std::string prefix_, block_;
  std::set<std::string, std::less<>> used_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace

std::vector<SourceTensor> convert_tensors(const checkpoint::Checkpoint& checkpoint,
                                          const model::ModelConfig& config) {
  return Converter(checkpoint, config).run();
}

std::vector<int64_t> tiled_value_heads(const model::ModelConfig& config, int64_t before,
                                       int64_t width) {
  const int64_t keys = config.linear_num_key_heads, heads = config.linear_num_value_heads;
  if (!config.model_type.starts_with("qwen3_5") || config.linear_v_heads_tiled || keys == heads)
    return {};
  std::vector<int64_t> places;
  for (int64_t i = 0; i < before; ++i) places.push_back(i);
  for (int64_t head = 0; head < heads; ++head) {
    const int64_t stored = head % keys * (heads / keys) + head / keys;
    for (int64_t i = 0; i < width; ++i) places.push_back(before + stored * width + i);
  }
  return places;
}

int64_t num_draft_layers(const checkpoint::Checkpoint& checkpoint) {
  int64_t num = 0;
  while (checkpoint.find("mtp.layers." + base::to_text(num) + ".input_layernorm.weight") != nullptr)
    ++num;
  return num;
}

}  // namespace tulou::quantize
