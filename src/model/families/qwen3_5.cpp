// Qwen3.5, 3.6 and 3.8, dense: Gated DeltaNet and gated attention; the text of multimodal files.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) {
  json.read_decoder(config, 0.25);
  json.read_linear_attention(config);
  config.zero_centred_norms = true;
  config.qk_norm = true;
  config.attn_output_gate = true;
}

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  gguf.read_linear_attention(config);
  config.qk_norm = true;
  config.attn_output_gate = true;
  config.linear_v_heads_tiled = true;
}

}  // namespace

const Family& qwen3_5_family() {
  static constexpr Family family = {"qwen3_5", "qwen35", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
