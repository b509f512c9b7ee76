#include "completion/generation_defaults.h"
#include "base/json_value.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tulou::completion {
namespace {

GenerationConfig parse(const std::string& json) {
  return parse_generation_config(base::parse_json(json, "generation_config.json"),
                                 "generation_config.json");
}

TEST(GenerationDefaults, ReadsTheFile) {
  const GenerationConfig config =
      parse(R"({"eos_token_id":[248046,248044],"do_sample":true,"temperature":0.6,"top_k":20,)"
            R"("top_p":0.95,"transformers_version":"5.0"})");
  EXPECT_EQ(config.eos_token_ids, (std::vector<int32_t>{248046, 248044}));
  const engine::SamplingParams params = default_sampling(config, {"qwen3_5", 1024, ""}, false);
  EXPECT_EQ(params.temperature, 0.6);
  EXPECT_EQ(params.top_k, 20);
  EXPECT_EQ(params.top_p, 0.95);
  EXPECT_EQ(params.presence_penalty, 0);
  EXPECT_EQ(default_sampling(parse(R"({"do_sample":false})"), {}, false).temperature, 0);
  EXPECT_EQ(parse(R"({"eos_token_id":7})").eos_token_ids, (std::vector<int32_t>{7}));
  EXPECT_TRUE(parse(R"({"eos_token_id":null})").eos_token_ids.empty());
}

TEST(GenerationDefaults, RefusesWrongValues) {
  for (const char* json : {R"({"temperature":"hot"})", R"({"top_k":-1})", R"({"top_k":1.5})",
                           R"({"eos_token_id":"x"})", R"({"eos_token_id":[1,-2]})",
                           R"({"eos_token_id":[99999999999]})", R"([])"})
    EXPECT_THROW(parse(json), base::Error) << json;
}

TEST(GenerationDefaults, ModelCards) {
  struct Case {
    ModelCard card;
    bool thinking;
    double temperature, top_p;
    int64_t top_k;
    double presence, repetition;
  };
  const Case cases[] = {
      {{"qwen3_5", 1024, ""}, false, 1.0, 1.0, 20, 2.0, 1.0},
      {{"qwen3_5", 2048, ""}, true, 1.0, 0.95, 20, 1.5, 1.0},
      {{"qwen3_5", 2560, ""}, false, 0.7, 0.8, 20, 1.5, 1.0},
      {{"qwen3_5", 2560, ""}, true, 1.0, 0.95, 20, 1.5, 1.0},
      {{"qwen3_5_moe", 2048, ""}, false, 0.7, 0.8, 20, 1.5, 1.0},
      {{"qwen3_5", 5120, "Qwen3.8-27B"}, true, 1.0, 0.95, 20, 0, 1.0},
      {{"qwen3", 1024, ""}, true, 0.6, 0.95, 20, 0, 1.0},
      {{"qwen3_moe", 2048, ""}, false, 0.7, 0.8, 20, 0, 1.0},
      {{"qwen2", 896, ""}, false, 0.7, 0.8, 20, 0, 1.1},
      {{"qwen2", 3584, ""}, false, 0.7, 0.8, 20, 0, 1.05},
      {{"llama", 576, "SmolLM2-135M-Instruct"}, false, 0.2, 0.9, 0, 0, 1.0},
  };
  for (const Case& c : cases) {
    const engine::SamplingParams params = default_sampling({}, c.card, c.thinking);
    EXPECT_EQ(params.temperature, c.temperature) << c.card.model_type << c.card.hidden_size;
    EXPECT_EQ(params.top_p, c.top_p) << c.card.model_type << c.card.hidden_size;
    EXPECT_EQ(params.top_k, c.top_k) << c.card.model_type << c.card.hidden_size;
    EXPECT_EQ(params.presence_penalty, c.presence) << c.card.model_type << c.card.hidden_size;
    EXPECT_EQ(params.repetition_penalty, c.repetition) << c.card.model_type << c.card.hidden_size;
    EXPECT_NO_THROW(params.validate());
  }
}

// A file that speaks of stop tokens only leaves sampling to the card.
TEST(GenerationDefaults, FileWithoutSampling) {
  EXPECT_EQ(default_sampling(parse(R"({"eos_token_id":2})"), {"qwen3", 1024, ""}, true).temperature,
            0.6);
}

}  // namespace
}  // namespace tulou::completion
