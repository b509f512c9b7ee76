// Qwen3-Next: Gated DeltaNet with fused, interleaved projections, gated attention, experts.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) {
  json.read_decoder(config, 0.25);
  json.read_linear_attention(config);
  json.read_moe(config, true);
  config.zero_centred_norms = true;
  config.qk_norm = true;
  config.attn_output_gate = true;
}

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  gguf.read_linear_attention(config);
  gguf.read_moe(config);
  config.qk_norm = true;
  config.attn_output_gate = true;
}

}  // namespace

const Family& qwen3_next_family() {
  static constexpr Family family = {"qwen3_next", "qwen3next", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
