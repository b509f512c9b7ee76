#include "quantize/convert_metadata.h"

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "model/families/family.h"

namespace tulou::quantize {
namespace {

using base::Json;
using base::JsonObject;
using checkpoint::GgufWriter;
using model::Mixer;
using model::ModelConfig;

uint32_t u32(int64_t value) { return static_cast<uint32_t>(value); }
float f32(double value) { return static_cast<float>(value); }

// Keys that begin with the architecture's name.
class Keys {
 public:
  Keys(GgufWriter& writer, std::string architecture)
      : writer_(writer), architecture_(std::move(architecture)) {}
  template <typename T>
  void set(std::string_view key, const T& value) {
    writer_.set(architecture_ + "." + std::string(key), value);
  }
  void number(std::string_view key, int64_t value) { set(key, u32(value)); }

 private:
  GgufWriter& writer_;
  std::string architecture_;
};

// How many frequencies follow time, height, width and nothing; Qwen3.5's graph always asks for it.
std::vector<int32_t> rope_sections(const ModelConfig& config) {
  std::vector<int32_t> sections;
  for (const int64_t size : config.rope.mrope_section)
    sections.push_back(static_cast<int32_t>(size));
  sections.push_back(0);
  const bool is_given = sections[0] + sections[1] + sections[2] > 0;
  if (is_given) return sections;
  if (!config.model_type.starts_with("qwen3_5")) return {};
  const auto frequencies = static_cast<int32_t>(config.rope.rotary_dim / 2);
  if (frequencies == 32) return {11, 11, 10, 0};  // what its configurations leave out
  return {frequencies, 0, 0, 0};
}

void write_rope(Keys& keys, const ModelConfig& config, bool writes_dimensions) {
  const model::RopeConfig& rope = config.rope;
  keys.set("rope.freq_base", f32(rope.rope_theta));
  if (writes_dimensions) keys.number("rope.dimension_count", rope.rotary_dim);
  if (const std::vector<int32_t> sections = rope_sections(config); !sections.empty())
    keys.set("rope.dimension_sections", sections);
  if (!rope.yarn) return;
  keys.set("rope.scaling.type", "yarn");
  keys.set("rope.scaling.factor", f32(rope.yarn->factor));
  keys.set("rope.scaling.original_context_length",
           static_cast<uint32_t>(rope.yarn->original_max_position_embeddings));
  const model::YarnConfig usual;
  if (rope.yarn->beta_fast != usual.beta_fast)
    keys.set("rope.scaling.yarn_beta_fast", f32(rope.yarn->beta_fast));
  if (rope.yarn->beta_slow != usual.beta_slow)
    keys.set("rope.scaling.yarn_beta_slow", f32(rope.yarn->beta_slow));
  if (rope.yarn->attention_factor != 0)
    keys.set("rope.scaling.yarn_attn_factor", f32(rope.yarn->attention_factor));
}

void write_experts(Keys& keys, const ModelConfig& config) {
  if (config.num_experts == 0) return;
  keys.number("expert_count", config.num_experts);
  keys.number("expert_used_count", config.num_experts_per_tok);
  keys.number("expert_feed_forward_length", config.moe_intermediate_size);
  if (config.shared_expert_intermediate_size > 0)
    keys.number("expert_shared_feed_forward_length", config.shared_expert_intermediate_size);
}

void write_delta_net(Keys& keys, const ModelConfig& config, const JsonObject& text,
                     int64_t num_drafts) {
  if (config.num_layers_of(Mixer::kLinearAttention) == 0) return;
  const int64_t heads = config.linear_num_value_heads;
  keys.number("ssm.conv_kernel", config.linear_conv_kernel_dim);
  keys.number("ssm.state_size", config.linear_key_head_dim);
  keys.number("ssm.group_count", config.linear_num_key_heads);
  keys.number("ssm.time_step_rank", heads);
  keys.number("ssm.inner_size", heads * config.linear_value_head_dim);
  keys.number("full_attention_interval", text.integer("full_attention_interval", 1, 1024, 4));
  std::vector<bool> recurrent;
  for (const model::LayerConfig& layer : config.layers)
    recurrent.push_back(layer.mixer == Mixer::kLinearAttention);
  recurrent.resize(recurrent.size() + static_cast<size_t>(num_drafts), false);
  keys.set("attention.recurrent_layers", recurrent);
}

// general.sampling.*: what the model's makers recommend.
void write_sampling(GgufWriter& writer, const checkpoint::Checkpoint& checkpoint) {
  const std::optional<std::string> content = checkpoint.companion("generation_config.json");
  if (!content) return;
  const std::string source = checkpoint.path() + "/generation_config.json";
  const Json config = base::parse_json(*content, source);
  if (!config.is_object()) return;
  const JsonObject object(config, source);
  const auto is_number = [&](const char* key) {
    return object.has(key) && object.get(key).is_number();
  };
  if (is_number("top_k"))
    writer.set("general.sampling.top_k",
               static_cast<int32_t>(object.integer("top_k", 0, INT32_MAX)));
  if (is_number("top_p")) writer.set("general.sampling.top_p", f32(object.number("top_p")));
  if (is_number("min_p")) writer.set("general.sampling.min_p", f32(object.number("min_p")));
  if (is_number("temperature"))
    writer.set("general.sampling.temp", f32(object.number("temperature")));
}

// The last part of the folder's path.
std::string folder_name(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string gguf_architecture(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config) {
  for (const model::Family* family : model::families()) {
    if (family->model_type == config.model_type && !family->gguf_architecture.empty())
      return std::string(family->gguf_architecture);
  }
  throw base::Error("quantize.no_gguf_form", checkpoint.path(), config.model_type);
}

void write_model_keys(GgufWriter& writer, const checkpoint::Checkpoint& checkpoint,
                      const ModelConfig& config, int64_t num_drafts) {
  const std::string architecture = gguf_architecture(checkpoint, config);
  const std::string source = checkpoint.path() + "/config.json";
  const JsonObject whole(checkpoint.config(), source);
  const JsonObject text = whole.has("text_config") ? whole.object("text_config") : whole;
  const bool is_hybrid = config.num_layers_of(Mixer::kLinearAttention) > 0;
  writer.set("general.architecture", architecture);
  writer.set("general.type", "model");
  writer.set("general.name", folder_name(checkpoint.path()));
  write_sampling(writer, checkpoint);
  Keys keys(writer, architecture);
  keys.number("block_count", config.num_hidden_layers() + num_drafts);
  if (num_drafts > 0) keys.number("nextn_predict_layers", num_drafts);
  keys.number("context_length", config.max_position_embeddings);
  keys.number("embedding_length", config.hidden_size);
  if (config.intermediate_size > 0) keys.number("feed_forward_length", config.intermediate_size);
  keys.number("attention.head_count", config.num_attention_heads);
  keys.number("attention.head_count_kv", config.num_key_value_heads);
  keys.set("attention.layer_norm_rms_epsilon", f32(config.rms_norm_eps));
  if (text.has("head_dim")) {
    keys.number("attention.key_length", config.head_dim);
    keys.number("attention.value_length", config.head_dim);
  }
  if (config.rope.yarn && !config.rope.yarn->truncate)
    throw base::Error("model.unsupported_option", source, "truncate", "false");
  write_rope(keys, config, is_hybrid || architecture == "llama");
  write_experts(keys, config);
  write_delta_net(keys, config, text, num_drafts);
  if (architecture == "llama") keys.number("vocab_size", config.vocab_size);
  if (architecture == "qwen3vl") {
    int64_t num_deepstack = 0;
    if (whole.has("vision_config")) {
      const Json& layers = whole.object("vision_config").get("deepstack_visual_indexes");
      if (layers.is_array()) num_deepstack = static_cast<int64_t>(layers.size());
    }
    keys.number("n_deepstack_layers", num_deepstack);
  }
  // An embedding model: neither a prefix nor a head.
  constexpr uint32_t kLastTokenPooling = 3;
  if (checkpoint.find("embed_tokens.weight") != nullptr &&
      checkpoint.find("lm_head.weight") == nullptr)
    keys.set("pooling_type", kLastTokenPooling);
}

void write_vocabulary(GgufWriter& writer, const Vocabulary* vocabulary,
                      const checkpoint::Checkpoint& checkpoint, const ModelConfig& config) {
  if (vocabulary == nullptr) {
    writer.set("tokenizer.ggml.model", "none");
    const std::string architecture = gguf_architecture(checkpoint, config);
    if (architecture != "llama") Keys(writer, architecture).number("vocab_size", config.vocab_size);
    return;
  }
  const auto size = static_cast<size_t>(config.vocab_size);
  if (vocabulary->tokens.size() > size)
    throw base::Error("quantize.vocabulary_too_large", checkpoint.path(), vocabulary->tokens.size(),
                      size);
  std::vector<std::string> tokens = vocabulary->tokens;
  std::vector<int32_t> types = vocabulary->types;
  types.resize(size, kUnusedToken);
  for (size_t i = tokens.size(); i < size; ++i) tokens.push_back("[PAD" + base::to_text(i) + "]");
  writer.set("tokenizer.ggml.model", "gpt2");
  writer.set("tokenizer.ggml.pre", vocabulary->pre);
  writer.set("tokenizer.ggml.tokens", tokens);
  writer.set("tokenizer.ggml.token_type", types);
  writer.set("tokenizer.ggml.merges", vocabulary->merges);
  const std::string source = checkpoint.path() + "/config.json";
  const JsonObject whole(checkpoint.config(), source);
  // What the tokenizer does not name, config.json may.
  const auto id = [&](const char* key, std::optional<uint32_t> token, const char* config_key) {
    const Json& named = whole.get(config_key);
    if (!token && named.is_number_unsigned()) token = named.get<uint32_t>();
    if (token && *token < size) writer.set(key, *token);
  };
  id("tokenizer.ggml.bos_token_id", vocabulary->bos, "bos_token_id");
  id("tokenizer.ggml.eos_token_id", vocabulary->eos, "eos_token_id");
  id("tokenizer.ggml.eot_token_id", vocabulary->eot, "eot_token_id");
  id("tokenizer.ggml.padding_token_id", vocabulary->pad, "pad_token_id");
  writer.set("tokenizer.ggml.add_bos_token", vocabulary->add_bos);
  writer.set("tokenizer.ggml.add_eos_token", vocabulary->add_eos);
  if (!vocabulary->chat_template.empty())
    writer.set("tokenizer.chat_template", vocabulary->chat_template);
}

}  // namespace tulou::quantize
