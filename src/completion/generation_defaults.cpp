// Sampling defaults of model families; see generation_defaults.h.
#include "completion/generation_defaults.h"

#include <limits>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::completion {

namespace {

constexpr int64_t kMaxToken = std::numeric_limits<int32_t>::max();
// Qwen3.5 0.8B and 2B have hidden sizes 1024 and 2048, the larger ones 2560 and more.
constexpr int64_t kLargestSmallHiddenSize = 2048;

engine::SamplingParams sampling(double temperature, double top_p, int64_t top_k, double presence) {
  engine::SamplingParams params;
  params.temperature = temperature;
  params.top_p = top_p;
  params.top_k = top_k;
  params.presence_penalty = presence;
  return params;
}

std::optional<double> optional_number(const base::JsonObject& object, std::string_view key) {
  return object.has(key) ? std::optional(object.number(key)) : std::nullopt;
}

engine::SamplingParams qwen2_sampling(int64_t hidden_size) {
  engine::SamplingParams params = sampling(0.7, 0.8, 20, 0);
  params.repetition_penalty = hidden_size <= 1536 ? 1.1 : 1.05;  // 0.5B and 1.5B; 3B and larger
  return params;
}

engine::SamplingParams qwen3_5_sampling(const ModelCard& card, bool thinking) {
  if (card.name.find("3.8") != std::string::npos)
    return thinking ? sampling(1.0, 0.95, 20, 0) : sampling(0.7, 0.8, 20, 1.5);
  if (thinking) return sampling(1.0, 0.95, 20, 1.5);
  const bool small = card.model_type == "qwen3_5" && card.hidden_size > 0 &&
                     card.hidden_size <= kLargestSmallHiddenSize;
  return small ? sampling(1.0, 1.0, 20, 2.0) : sampling(0.7, 0.8, 20, 1.5);
}

}  // namespace

std::vector<int32_t> parse_token_ids(const base::JsonObject& object, std::string_view key) {
  std::vector<int32_t> ids;
  if (!object.has(key)) return ids;
  const base::Json& value = object.get(key);
  if (!value.is_array()) {
    ids.push_back(static_cast<int32_t>(object.integer(key, 0, kMaxToken)));
    return ids;
  }
  for (const base::Json& item : value) {
    if (!item.is_number_integer() || item.get<int64_t>() < 0 || item.get<int64_t>() > kMaxToken)
      throw base::Error("json.wrong_type", object.source(), key, "a token id or a list of them");
    ids.push_back(item.get<int32_t>());
  }
  return ids;
}

GenerationConfig parse_generation_config(const base::Json& value, const std::string& source) {
  const base::JsonObject object(value, source);
  GenerationConfig config;
  if (object.has("do_sample")) config.do_sample = object.boolean("do_sample", false);
  config.temperature = optional_number(object, "temperature");
  config.top_p = optional_number(object, "top_p");
  config.min_p = optional_number(object, "min_p");
  config.repetition_penalty = optional_number(object, "repetition_penalty");
  if (object.has("top_k")) config.top_k = object.integer("top_k", 0, kMaxToken);
  config.eos_token_ids = parse_token_ids(object, "eos_token_id");
  return config;
}

engine::SamplingParams recommended_sampling(const ModelCard& card, bool thinking) {
  const std::string& type = card.model_type;
  if (type.starts_with("qwen3_5")) return qwen3_5_sampling(card, thinking);
  if (type.starts_with("qwen3"))
    return thinking ? sampling(0.6, 0.95, 20, 0) : sampling(0.7, 0.8, 20, 0);
  if (type == "qwen2") return qwen2_sampling(card.hidden_size);
  if (card.name.find("SmolLM2") != std::string::npos ||
      card.name.find("Smollm2") != std::string::npos)
    return sampling(0.2, 0.9, 0, 0);
  return sampling(0.7, 0.9, 0, 0);
}

engine::SamplingParams default_sampling(const GenerationConfig& file, const ModelCard& card,
                                        bool thinking) {
  if (!file.has_sampling()) return recommended_sampling(card, thinking);
  engine::SamplingParams params;
  params.temperature = file.temperature.value_or(1.0);
  params.top_p = file.top_p.value_or(1.0);
  params.min_p = file.min_p.value_or(0.0);
  params.top_k = file.top_k.value_or(0);
  params.repetition_penalty = file.repetition_penalty.value_or(1.0);
  if (file.do_sample == false) params.temperature = 0;
  return params;
}

}  // namespace tulou::completion
