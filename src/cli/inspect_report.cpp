// Gathers what is known about a model; see inspect_report.h.
#include "cli/inspect_report.h"

#include "base/error.h"
#include "base/json_value.h"
#include "checkpoint/checkpoint.h"
#include "completion/text_model.h"
#include "hardware/cpu_features.h"
#include "model/model.h"
#include "model/stored_tensors.h"

namespace tulou::cli {

namespace {

using base::Json;

// Whether a tensor is loaded.
bool is_used(const checkpoint::Checkpoint& checkpoint, const model::ModelConfig& config,
             const checkpoint::TensorEntry& entry) {
  return !model::is_skipped_tensor(checkpoint.format(), config, entry.name);
}

Json shape_json(const tensor::Shape& shape) {
  Json extents = Json::array();
  for (int i = 0; i < shape.rank; ++i) extents.push_back(shape[i]);
  return extents;
}

Json tensors_json(const checkpoint::Checkpoint& checkpoint, const model::ModelConfig& config) {
  Json tensors = Json::array();
  for (const checkpoint::TensorEntry& entry : checkpoint.tensors()) {
    tensors.push_back({{"name", entry.name},
                       {"type", entry.stored_dtype},
                       {"shape", shape_json(entry.view.shape)},
                       {"bytes", entry.bytes},
                       {"used", is_used(checkpoint, config, entry)}});
  }
  return tensors;
}

// Bytes and numbers of tensors by type.
Json types_json(const checkpoint::Checkpoint& checkpoint) {
  Json types = Json::object();
  for (const checkpoint::TensorEntry& entry : checkpoint.tensors()) {
    Json& type = types[std::string(entry.stored_dtype)];
    if (type.is_null()) type = {{"tensors", 0}, {"bytes", 0}};
    type["tensors"] = type["tensors"].get<uint64_t>() + 1;
    type["bytes"] = type["bytes"].get<uint64_t>() + entry.bytes;
  }
  return types;
}

Json layers_json(const model::ModelConfig& config) {
  int64_t num_sparse = 0;
  for (const model::LayerConfig& layer : config.layers)
    num_sparse += layer.feed_forward == model::FeedForward::kMoe ? 1 : 0;
  return {{"total", config.num_hidden_layers()},
          {"full_attention", config.num_layers_of(model::Mixer::kFullAttention)},
          {"linear_attention", config.num_layers_of(model::Mixer::kLinearAttention)},
          {"mixture_of_experts", num_sparse}};
}

Json config_json(const model::ModelConfig& config) {
  Json json = {{"hidden_size", config.hidden_size},
               {"intermediate_size", config.intermediate_size},
               {"vocab_size", config.vocab_size},
               {"num_attention_heads", config.num_attention_heads},
               {"num_key_value_heads", config.num_key_value_heads},
               {"head_dim", config.head_dim},
               {"tie_word_embeddings", config.tie_word_embeddings},
               {"rope_theta", config.rope.rope_theta},
               {"rotary_dim", config.rope.rotary_dim},
               {"yarn_factor", config.rope.yarn ? Json(config.rope.yarn->factor) : Json(nullptr)}};
  if (config.linear_num_value_heads > 0) {
    json["linear_num_key_heads"] = config.linear_num_key_heads;
    json["linear_num_value_heads"] = config.linear_num_value_heads;
    json["linear_key_head_dim"] = config.linear_key_head_dim;
    json["linear_value_head_dim"] = config.linear_value_head_dim;
  }
  if (config.num_experts > 0) {
    json["num_experts"] = config.num_experts;
    json["num_experts_per_tok"] = config.num_experts_per_tok;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
  }
  return json;
}

Json memory_json(const checkpoint::Checkpoint& checkpoint, const model::ModelConfig& config,
                 uint64_t weights_bytes) {
  return {{"weights_bytes", weights_bytes},
          {"file_tensor_bytes", checkpoint.tensor_bytes()},
          {"cache_bytes_per_1000_tokens",
           {{"bf16", config.kv_bytes_per_token(nn::CacheType::kBF16) * 1000},
            {"f32", config.kv_bytes_per_token(nn::CacheType::kF32) * 1000},
            {"f16", config.kv_bytes_per_token(nn::CacheType::kF16) * 1000},
            {"q8_0", config.kv_bytes_per_token(nn::CacheType::kQ8_0) * 1000}}},
          {"recurrent_state_bytes", config.recurrent_bytes()}};
}

// Which types become others in default precision.
Json conversions_json(const model::Conversions& conversions) {
  Json json = Json::array();
  for (const model::Conversion& c : conversions)
    json.push_back({{"from", c.from}, {"to", tensor::name(c.to)}, {"tensors", c.tensors}});
  return json;
}

Json token_json(const text::Tokenizer& tokenizer, std::optional<int32_t> id) {
  if (!id) return nullptr;
  return {{"id", *id}, {"text", std::string(tokenizer.token_bytes(*id))}};
}

Json sampling_json(const engine::SamplingParams& params) {
  return {{"temperature", params.temperature},
          {"top_k", params.top_k},
          {"top_p", params.top_p},
          {"min_p", params.min_p},
          {"repetition_penalty", params.repetition_penalty},
          {"presence_penalty", params.presence_penalty}};
}

Json text_json(const completion::TextModel& model, const model::ModelConfig& config) {
  const text::Tokenizer& tokenizer = model.tokenizer();
  size_t num_special = 0;
  for (const text::AddedToken& token : tokenizer.added_tokens()) num_special += token.special;
  Json stop_tokens = Json::array();
  for (const int32_t id : model.stop_tokens(config))
    stop_tokens.push_back(token_json(tokenizer, id));
  Json chat_template = nullptr;
  if (model.has_chat_template())
    chat_template = {{"source", model.chat_template_name()},
                     {"bytes", model.chat_template_source().size()}};
  return {{"tokenizer",
           {{"tokens", tokenizer.num_tokens()},
            {"added_tokens", tokenizer.added_tokens().size()},
            {"special_tokens", num_special},
            {"pre_tokenizer", text::pre_tokenizer_name(tokenizer.pre_tokenizer())},
            {"normalization", tokenizer.nfc() ? Json("NFC") : Json(nullptr)},
            {"bos", token_json(tokenizer, tokenizer.bos())},
            {"eos", token_json(tokenizer, tokenizer.eos())},
            {"pad", token_json(tokenizer, tokenizer.pad())},
            {"stop_tokens", stop_tokens}}},
          {"chat_template", chat_template},
          {"sampling", sampling_json(model.sampling(config, false))},
          {"sampling_thinking", sampling_json(model.sampling(config, true))}};
}

Json metadata_json(const checkpoint::GgufMetadata& metadata) {
  Json json = Json::object();
  for (const checkpoint::GgufValue& value : metadata.values())
    json[std::string(value.key)] = checkpoint::display_text(value);
  return json;
}

bool has_tokenizer(const checkpoint::Checkpoint& checkpoint) {
  return checkpoint.format() == checkpoint::Format::kGguf
             ? checkpoint.metadata().has("tokenizer.ggml.tokens")
             : text::has_tokenizer(checkpoint.path());
}

}  // namespace

Json inspect_kernels(const std::string& isa) {
  Json available = Json::array();
  for (const hardware::Level level : hardware::available_levels())
    available.push_back(hardware::name(level));
  return {{"processor", hardware::processor_name()},
          {"available", available},
          {"chosen", hardware::name(hardware::select_level(isa))}};
}

Json inspect_model(const std::string& path, const std::string& isa) {
  const auto checkpoint = checkpoint::Checkpoint::open(path);
  const model::ModelConfig config = model::read_model_config(*checkpoint);
  const model::WeightPlan plan = model::plan_weights(*checkpoint, config, false);
  Json report = {
      {"path", path},
      {"format", checkpoint->format() == checkpoint::Format::kGguf ? "gguf" : "safetensors"},
      {"files", checkpoint->num_files()},
      {"family", config.model_type},
      {"parameters", plan.parameters},
      {"context", config.max_position_embeddings},
      {"layers", layers_json(config)},
      {"config", config_json(config)},
      {"memory", memory_json(*checkpoint, config, plan.bytes)},
      {"tokenizer", nullptr},
      {"chat_template", nullptr},
      {"sampling", nullptr},
      {"sampling_thinking", nullptr},
      {"kernels", inspect_kernels(isa)},
      {"types", types_json(*checkpoint)},
      {"conversions", conversions_json(plan.conversions)}};
  if (has_tokenizer(*checkpoint))
    report.update(text_json(completion::TextModel::open(path), config));
  if (checkpoint->format() == checkpoint::Format::kGguf)
    report["metadata"] = metadata_json(checkpoint->metadata());
  report["tensors"] = tensors_json(*checkpoint, config);
  return report;
}

}  // namespace tulou::cli
