#include "model/families/config_reader.h"

#include <array>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::model {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 24;
constexpr int64_t kMaxLayers = 1024;

// rope_parameters (transformers 5) and rope_scaling (before) say the same; the first one wins.
class RopeKeys {
 public:
  explicit RopeKeys(const base::JsonObject& text) {
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      if (text.has(key)) objects_.push_back(text.object(key));
    }
  }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  double number(std::string_view key, double fallback) const {
    const base::JsonObject* object = find(key);
    return object != nullptr ? object->number(key) : fallback;
  }
  bool boolean(std::string_view key, bool fallback) const {
    const base::JsonObject* object = find(key);
    return object != nullptr ? object->boolean(key, fallback) : fallback;
  }
  std::string string(std::string_view key, std::string_view fallback) const {
    const base::JsonObject* object = find(key);
    return object != nullptr ? object->string(key) : std::string(fallback);
  }
  const base::Json& get(std::string_view key) const {
    static const base::Json kNull;
    const base::JsonObject* object = find(key);
    return object != nullptr ? object->get(key) : kNull;
  }

 private:
  const base::JsonObject* find(std::string_view key) const {
    for (const base::JsonObject& object : objects_) {
      if (object.has(key)) return &object;
    }
    return nullptr;
  }
  std::vector<base::JsonObject> objects_;
};

// A whole number in [0, end).
std::optional<int64_t> index_below(const base::Json& value, int64_t end) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<int64_t>();
  return number >= 0 && number < end ? std::optional(number) : std::nullopt;
}

std::array<int64_t, 3> read_mrope_section(const base::Json& section, const std::string& source) {
  std::array<int64_t, 3> sizes = {};
  bool right = section.is_array() && section.size() == 3;
  for (size_t i = 0; right && i < 3; ++i) {
    const auto size = index_below(section[i], kMaxSize);
    right = size.has_value();
    sizes[i] = size.value_or(0);
  }
  if (!right)
    throw base::Error("json.wrong_type", source, "mrope_section", "an array of three sizes");
  return sizes;
}

int64_t rounded(double value) { return static_cast<int64_t>(value); }

}  // namespace

void JsonConfig::refuse_if(std::string_view key) const {
  if (text_.boolean(key, false))
    throw base::Error("model.unsupported_option", text_.source(), key, "true");
}

void JsonConfig::read_decoder(ModelConfig& c, double partial_rotary_factor) const {
  c.vocab_size = text_.integer("vocab_size", 1, kMaxSize);
  c.hidden_size = text_.integer("hidden_size", 1, kMaxSize);
  c.intermediate_size = text_.integer("intermediate_size", 0, kMaxSize, 0);
  c.num_attention_heads = text_.integer("num_attention_heads", 1, kMaxSize);
  c.num_key_value_heads = text_.integer("num_key_value_heads", 1, kMaxSize, c.num_attention_heads);
  c.head_dim = text_.integer("head_dim", 1, kMaxSize, c.hidden_size / c.num_attention_heads);
  c.max_position_embeddings = text_.integer("max_position_embeddings", 1, int64_t{1} << 30);
  c.rms_norm_eps = text_.number("rms_norm_eps", 1e-6);
  c.layers.assign(static_cast<size_t>(text_.integer("num_hidden_layers", 1, kMaxLayers)), {});
  c.tie_word_embeddings =
      text_.boolean("tie_word_embeddings", whole_.boolean("tie_word_embeddings", false));
  const std::string activation = text_.string("hidden_act", "silu");
  if (activation != "silu")
    throw base::Error("model.unsupported_option", text_.source(), "hidden_act", activation);
  for (const char* key : {"use_sliding_window", "attention_bias", "mlp_bias", "rope_interleaved"})
    refuse_if(key);
  read_rope(c, partial_rotary_factor);
  read_eos(c);
}

void JsonConfig::read_rope(ModelConfig& c, double partial_rotary_factor) const {
  const RopeKeys rope(text_);
  c.rope.rope_theta = rope.number("rope_theta", text_.number("rope_theta", 10000.0));
  const double partial = rope.number("partial_rotary_factor",
                                     text_.number("partial_rotary_factor", partial_rotary_factor));
  if (!(partial > 0 && partial <= 1))
    throw base::Error("model.config_contradiction", text_.source(),
                      "partial_rotary_factor lies between 0 and 1");
  c.rope.rotary_dim = rounded(static_cast<double>(c.head_dim) * partial);
  if (rope.has("mrope_section"))
    c.rope.mrope_section = read_mrope_section(rope.get("mrope_section"), text_.source());
  const std::string type = rope.string("rope_type", rope.string("type", "default"));
  if (type == "default" || type == "mrope") return;
  if (type != "yarn")
    throw base::Error("model.unsupported_option", text_.source(), "rope_type", type);
  if (rope.has("mscale") || rope.has("mscale_all_dim"))
    throw base::Error("model.unsupported_option", text_.source(), "mscale", "given");
  YarnConfig yarn;
  yarn.factor = rope.number("factor", 1);
  yarn.original_max_position_embeddings = rope.number(
      "original_max_position_embeddings", static_cast<double>(c.max_position_embeddings));
  yarn.beta_fast = rope.number("beta_fast", 32);
  yarn.beta_slow = rope.number("beta_slow", 1);
  yarn.attention_factor = rope.number("attention_factor", 0);
  yarn.truncate = rope.boolean("truncate", true);
  c.rope.yarn = yarn;
}

void JsonConfig::read_eos(ModelConfig& c) const {
  const base::Json& eos =
      text_.has("eos_token_id") ? text_.get("eos_token_id") : whole_.get("eos_token_id");
  const auto add = [&](const base::Json& id) {
    if (const auto token = index_below(id, c.vocab_size))
      c.eos_token_ids.push_back(static_cast<int32_t>(*token));
  };
  if (eos.is_array()) {
    for (const base::Json& id : eos) add(id);
  } else {
    add(eos);
  }
}

void JsonConfig::read_linear_attention(ModelConfig& c) const {
  c.linear_num_key_heads = text_.integer("linear_num_key_heads", 1, kMaxSize);
  c.linear_num_value_heads = text_.integer("linear_num_value_heads", 1, kMaxSize);
  c.linear_key_head_dim = text_.integer("linear_key_head_dim", 1, kMaxSize);
  c.linear_value_head_dim = text_.integer("linear_value_head_dim", 1, kMaxSize);
  c.linear_conv_kernel_dim = text_.integer("linear_conv_kernel_dim", 1, 64, 4);
  if (!text_.has("layer_types")) {
    const int64_t interval = text_.integer("full_attention_interval", 1, kMaxLayers, 4);
    for (size_t i = 0; i < c.layers.size(); ++i) {
      const bool full = (static_cast<int64_t>(i) + 1) % interval == 0;
      c.layers[i].mixer = full ? Mixer::kFullAttention : Mixer::kLinearAttention;
    }
    return;
  }
  const base::Json& types = text_.get("layer_types");
  if (!types.is_array() || types.size() != c.layers.size())
    throw base::Error("model.config_contradiction", text_.source(),
                      "layer_types has an entry for each layer");
  for (size_t i = 0; i < c.layers.size(); ++i) {
    const std::string type = types[i].is_string() ? types[i].get<std::string>() : "";
    if (type != "full_attention" && type != "linear_attention")
      throw base::Error("model.unsupported_option", text_.source(), "layer_types", type);
    c.layers[i].mixer = type == "full_attention" ? Mixer::kFullAttention : Mixer::kLinearAttention;
  }
}

void JsonConfig::read_moe(ModelConfig& c, bool norm_topk_prob) const {
  c.num_experts = text_.integer("num_experts", 1, kMaxSize);
  c.num_experts_per_tok = text_.integer("num_experts_per_tok", 1, kMaxSize);
  c.moe_intermediate_size = text_.integer("moe_intermediate_size", 1, kMaxSize);
  c.shared_expert_intermediate_size =
      text_.integer("shared_expert_intermediate_size", 0, kMaxSize, 0);
  c.norm_topk_prob = text_.boolean("norm_topk_prob", norm_topk_prob);
  const int64_t step = text_.integer("decoder_sparse_step", 1, kMaxLayers, 1);
  std::set<int64_t> dense;
  for (const base::Json& layer : text_.get("mlp_only_layers")) {
    if (const auto index = index_below(layer, kMaxLayers)) dense.insert(*index);
  }
  for (size_t i = 0; i < c.layers.size(); ++i) {
    const auto layer = static_cast<int64_t>(i);
    if (!dense.contains(layer) && (layer + 1) % step == 0)
      c.layers[i].feed_forward = FeedForward::kMoe;
  }
}

void GgufConfig::read_decoder(ModelConfig& c) const {
  c.vocab_size = vocab_size_;
  c.tie_word_embeddings = tied_;
  c.hidden_size = metadata_.integer(key("embedding_length"), 1, kMaxSize);
  const bool has_ffn = metadata_.has(key("feed_forward_length"));
  c.intermediate_size = has_ffn ? metadata_.integer(key("feed_forward_length"), 0, kMaxSize) : 0;
  c.num_attention_heads = metadata_.integer(key("attention.head_count"), 1, kMaxSize);
  c.num_key_value_heads =
      metadata_.integer(key("attention.head_count_kv"), 1, kMaxSize, c.num_attention_heads);
  c.head_dim = metadata_.integer(key("attention.key_length"), 1, kMaxSize,
                                 c.hidden_size / c.num_attention_heads);
  if (metadata_.integer(key("attention.value_length"), 1, kMaxSize, c.head_dim) != c.head_dim)
    throw base::Error("model.config_contradiction", metadata_.source(),
                      "attention.value_length equals attention.key_length");
  c.max_position_embeddings = metadata_.integer(key("context_length"), 1, int64_t{1} << 30);
  c.rms_norm_eps = metadata_.number(key("attention.layer_norm_rms_epsilon"), 1e-6);
  const int64_t drafts = metadata_.integer(key("nextn_predict_layers"), 0, 16, 0);
  const int64_t blocks = metadata_.integer(key("block_count"), 1 + drafts, kMaxLayers);
  c.layers.assign(static_cast<size_t>(blocks - drafts), {});
  read_rope(c);
  const int64_t eos = metadata_.integer("tokenizer.ggml.eos_token_id", -1, int64_t{1} << 32, -1);
  if (eos >= 0 && eos < c.vocab_size) c.eos_token_ids.push_back(static_cast<int32_t>(eos));
}

void GgufConfig::read_rope(ModelConfig& c) const {
  c.rope.rope_theta = metadata_.number(key("rope.freq_base"), 10000.0);
  c.rope.rotary_dim = metadata_.integer(key("rope.dimension_count"), 1, kMaxSize, c.head_dim);
  if (metadata_.has(key("rope.dimension_sections"))) {
    const auto sections = metadata_.integers(key("rope.dimension_sections"), 0, kMaxSize);
    for (size_t i = 0; i < 3 && i < sections.size(); ++i) c.rope.mrope_section[i] = sections[i];
  }
  const std::string type = metadata_.string(key("rope.scaling.type"), "none");
  if (type == "none") return;
  if (type != "yarn")
    throw base::Error("model.unsupported_option", metadata_.source(), "rope.scaling.type", type);
  YarnConfig yarn;
  yarn.factor = metadata_.number(key("rope.scaling.factor"), 1);
  yarn.original_max_position_embeddings = metadata_.number(
      key("rope.scaling.original_context_length"), static_cast<double>(c.max_position_embeddings));
  yarn.beta_fast = metadata_.number(key("rope.scaling.yarn_beta_fast"), 32);
  yarn.beta_slow = metadata_.number(key("rope.scaling.yarn_beta_slow"), 1);
  c.rope.yarn = yarn;
}

void GgufConfig::read_linear_attention(ModelConfig& c) const {
  c.linear_conv_kernel_dim = metadata_.integer(key("ssm.conv_kernel"), 1, 64);
  c.linear_key_head_dim = metadata_.integer(key("ssm.state_size"), 1, kMaxSize);
  c.linear_num_key_heads = metadata_.integer(key("ssm.group_count"), 1, kMaxSize);
  c.linear_num_value_heads = metadata_.integer(key("ssm.time_step_rank"), 1, kMaxSize);
  const int64_t inner = metadata_.integer(key("ssm.inner_size"), 1, kMaxSize);
  c.linear_value_head_dim = inner / c.linear_num_value_heads;
  const std::string recurrent = key("attention.recurrent_layers");
  std::vector<bool> linear;
  if (metadata_.has(recurrent)) {
    linear = metadata_.booleans(recurrent);
    if (linear.size() < c.layers.size())
      throw base::Error("model.config_contradiction", metadata_.source(),
                        "attention.recurrent_layers has an entry for each layer");
  }
  const int64_t interval = metadata_.integer(key("full_attention_interval"), 1, kMaxLayers, 4);
  for (size_t i = 0; i < c.layers.size(); ++i) {
    const bool is_linear =
        linear.empty() ? (static_cast<int64_t>(i) + 1) % interval != 0 : linear[i];
    c.layers[i].mixer = is_linear ? Mixer::kLinearAttention : Mixer::kFullAttention;
  }
}

void GgufConfig::read_moe(ModelConfig& c) const {
  c.num_experts = metadata_.integer(key("expert_count"), 1, kMaxSize);
  c.num_experts_per_tok = metadata_.integer(key("expert_used_count"), 1, kMaxSize);
  c.moe_intermediate_size = metadata_.integer(key("expert_feed_forward_length"), 1, kMaxSize);
  c.shared_expert_intermediate_size =
      metadata_.integer(key("expert_shared_feed_forward_length"), 0, kMaxSize, 0);
  for (LayerConfig& layer : c.layers) layer.feed_forward = FeedForward::kMoe;
}

}  // namespace tulou::model
