// What the families' configurations have in common, read from config.json and from GGUF metadata.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "checkpoint/gguf_metadata.h"
#include "model/model_config.h"

namespace tulou::model {

// The decoder's part of config.json: keys of text_config, and of the whole for what stands there.
class JsonConfig {
 public:
  JsonConfig(const base::JsonObject& text, const base::JsonObject& whole)
      : text_(text), whole_(whole) {}

  // Sizes, norms, rope, eos: everything that a plain decoder has. All layers become full attention
  // with an MLP. `partial_rotary_factor` is the family's default. Refuses what would change the
  // results and is not implemented (sliding windows, other activations, biases), by name.
  void read_decoder(ModelConfig& config, double partial_rotary_factor = 1.0) const;
  // layer_types, or full_attention_interval; the sizes of Gated DeltaNet.
  void read_linear_attention(ModelConfig& config) const;
  // Experts; which layers are sparse follows from mlp_only_layers and decoder_sparse_step.
  void read_moe(ModelConfig& config, bool norm_topk_prob) const;
  // Refuses a key that is true, since it would change the graph.
  void refuse_if(std::string_view key) const;

  const base::JsonObject& text() const { return text_; }

 private:
  void read_rope(ModelConfig& config, double partial_rotary_factor) const;
  void read_eos(ModelConfig& config) const;
  base::JsonObject text_, whole_;
};

// The metadata keys of one architecture.
class GgufConfig {
 public:
  GgufConfig(const checkpoint::GgufMetadata& metadata, std::string architecture, int64_t vocab_size,
             bool tied)
      : metadata_(metadata),
        architecture_(std::move(architecture)),
        vocab_size_(vocab_size),
        tied_(tied) {}

  void read_decoder(ModelConfig& config) const;
  void read_linear_attention(ModelConfig& config) const;
  void read_moe(ModelConfig& config) const;

 private:
  std::string key(std::string_view name) const { return architecture_ + "." + std::string(name); }
  void read_rope(ModelConfig& config) const;
  const checkpoint::GgufMetadata& metadata_;
  std::string architecture_;
  int64_t vocab_size_;
  bool tied_;
};

}  // namespace tulou::model
