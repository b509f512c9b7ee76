// Qwen3 mixtures of experts: no shared expert.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) {
  json.read_decoder(config);
  json.read_moe(config, false);
  config.qk_norm = true;
}

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  gguf.read_moe(config);
  config.qk_norm = true;
}

}  // namespace

const Family& qwen3_moe_family() {
  static constexpr Family family = {"qwen3_moe", "qwen3moe", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
