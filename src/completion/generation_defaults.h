// How a model wants to be sampled when the user does not say: generation_config.json, else what the
// model's card recommends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/sampling.h"

namespace tulou::completion {

// What generation_config.json says; absent where it is silent.
struct GenerationConfig {
  std::optional<bool> do_sample;
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int64_t> top_k;
  std::vector<int32_t> eos_token_ids;

  // True if it says anything about sampling.
  bool has_sampling() const {
    return do_sample || temperature || top_p || min_p || repetition_penalty || top_k;
  }
};

// Error json.* naming key and file.
GenerationConfig parse_generation_config(const base::Json& value, const std::string& source);

// "eos_token_id" as files write it: a number, a list of numbers, or null.
std::vector<int32_t> parse_token_ids(const base::JsonObject& object, std::string_view key);

// What the recommendations depend on.
struct ModelCard {
  std::string model_type;  // as in config.json; empty if unknown
  int64_t hidden_size = 0;
  std::string name;  // general.name of a GGUF, else the folder's name
};

// The model card's recommendation for text; see docs/sampling.md for the table.
engine::SamplingParams recommended_sampling(const ModelCard& card, bool thinking);

// The file where it says something about sampling, else the recommendation. The seed is left 0.
engine::SamplingParams default_sampling(const GenerationConfig& file, const ModelCard& card,
                                        bool thinking);

}  // namespace tulou::completion
