// What a model is: plain numbers, named as in config.json, the same whether they came from a
// checkpoint folder or from a GGUF file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/attention/cache_type.h"
#include "model/quantization_config.h"

namespace tulou::model {

enum class Mixer { kFullAttention, kLinearAttention };
enum class FeedForward { kMlp, kMoe };

struct LayerConfig {
  Mixer mixer = Mixer::kFullAttention;
  FeedForward feed_forward = FeedForward::kMlp;
};

// YaRN (Peng et al., 2023), as transformers' `_compute_yarn_parameters`.
struct YarnConfig {
  double factor = 1;
  double original_max_position_embeddings = 0;
  double beta_fast = 32, beta_slow = 1;
  double attention_factor = 0;  // 0: 0.1 ln(factor) + 1
  bool truncate = true;
};

struct RopeConfig {
  double rope_theta = 10000;
  int64_t rotary_dim = 0;  // the first dimensions of a head that turn; even
  // False: dimension i turns with i + rotary_dim / 2 (rotate-half). True: 2i with 2i + 1, which is
  // how GGUF stores the q and k of the llama architecture.
  bool interleaved_pairs = false;
  std::optional<YarnConfig> yarn;
  // Interleaved M-RoPE: how many frequencies follow the positions of time, height, width; 0: none.
  std::array<int64_t, 3> mrope_section = {0, 0, 0};
};

struct ModelConfig {
  std::string model_type;  // as in config.json: "qwen3_5", "qwen3", "llama"
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;  // 0 if every layer is sparse
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool zero_centred_norms = false;  // multiply by 1 + weight; GGUF files hold 1 + weight already
  bool tie_word_embeddings = false;
  std::vector<LayerConfig> layers;

  // Full attention
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  bool attention_bias = false;    // q, k, v have a bias (qwen2)
  bool qk_norm = false;           // RMSNorm over each head of q and k before RoPE
  bool attn_output_gate = false;  // q_proj yields [query | gate] per head
  RopeConfig rope;

  // Linear attention (Gated DeltaNet)
  int64_t linear_num_key_heads = 0;
  int64_t linear_num_value_heads = 0;
  int64_t linear_key_head_dim = 0;
  int64_t linear_value_head_dim = 0;
  int64_t linear_conv_kernel_dim = 0;
  // Which key head serves V head h: h / (V heads per K head) in checkpoints, h mod (K heads) in
  // GGUF.
  bool linear_v_heads_tiled = false;

  // Mixture of experts
  int64_t num_experts = 0;
  int64_t num_experts_per_tok = 0;
  int64_t moe_intermediate_size = 0;
  int64_t shared_expert_intermediate_size = 0;  // 0: no shared expert
  bool norm_topk_prob = true;

  QuantizationConfig quantization;  // of checkpoint folders; GGUF tensors say it themselves

  std::vector<int32_t> eos_token_ids;  // from the config alone; may be empty
  bool is_embedding = false;           // a Qwen3-Embedding checkpoint: no head is needed

  int64_t num_hidden_layers() const { return static_cast<int64_t>(layers.size()); }
  int64_t num_layers_of(Mixer mixer) const;
  // Channels of the convolution: q, k and v of linear attention.
  int64_t linear_conv_dim() const {
    return 2 * linear_num_key_heads * linear_key_head_dim +
           linear_num_value_heads * linear_value_head_dim;
  }
  // Bytes of keys and values for one token, all full-attention layers.
  uint64_t kv_bytes_per_token(kernels::CacheType type) const;
  // Bytes of the recurrent state of one sequence: delta matrices and convolution tails, fp32.
  uint64_t recurrent_bytes() const;
  // Throws Error model.config if numbers contradict each other or leave their ranges.
  void validate(const std::string& source) const;
};

}  // namespace tulou::model
