// The decoder of Qwen3-VL, for text: interleaved M-RoPE over all frequencies.
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

const Family& qwen3_vl_family() {
  static constexpr Family family = {"qwen3_vl", "qwen3vl", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
