// The Llama architecture, as SmolLM2 has it: standard RMSNorm, full RoPE, no biases.
#include "model/families/family.h"

namespace tulou::model {
namespace {

void read_json(const JsonConfig& json, ModelConfig& config) { json.read_decoder(config); }

void read_gguf(const GgufConfig& gguf, ModelConfig& config) {
  gguf.read_decoder(config);
  // The converter reorders the rows of q_proj and k_proj so that pairs lie side by side.
  config.rope.interleaved_pairs = true;
}

}  // namespace

const Family& llama_family() {
  static constexpr Family family = {"llama", "llama", read_json, read_gguf};
  return family;
}

}  // namespace tulou::model
