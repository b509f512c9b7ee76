// Qwen3, Qwen3-Embedding and Qwen3-Reranker: RMSNorm over each head of q and k.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) {
  json.read_decoder(config);
  config.qk_norm = true;
}

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  config.qk_norm = true;
}

}  // namespace

const Family& qwen3_family() {
  static constexpr Family family = {"qwen3", "qwen3", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
