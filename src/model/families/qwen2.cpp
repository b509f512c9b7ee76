// Qwen2 and Qwen2.5, also Coder: biases on q, k and v.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) {
  json.read_decoder(config);
  config.attention_bias = true;
}

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  config.attention_bias = true;
}

}  // namespace

const Family& qwen2_family() {
  static constexpr Family family = {"qwen2", "qwen2", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
