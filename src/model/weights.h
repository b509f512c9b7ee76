// The weights of a model, named once: loading, counting and printing all go through visit().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/conversions.h"
#include "nn/attention.h"
#include "nn/gated_delta_net.h"
#include "nn/head.h"
#include "nn/mlp.h"
#include "nn/moe.h"
#include "nn/norm.h"

namespace tulou::model {

// One decoder layer; the blocks that its LayerConfig does not name are empty.
struct LayerWeights {
  nn::NormWeight input_layernorm, post_attention_layernorm;
  nn::AttentionWeights self_attn;
  nn::DeltaNetWeights linear_attn;
  nn::MlpWeights mlp;
  nn::MoeWeights moe;
};

struct Weights {
  nn::Linear embed_tokens;
  std::vector<LayerWeights> layers;
  nn::NormWeight norm;
  nn::Linear lm_head;       // empty if tied or if there is none
  bool has_head = true;     // an embedding model may have no head at all
  Conversions conversions;  // of matrices that were stored otherwise than they are computed

  // A tied head is the embedding itself, not a copy.
  nn::Head head() const { return nn::Head(lm_head.empty() ? embed_tokens : lm_head); }
  // Bytes of all weights in memory, those of vectors too.
  uint64_t bytes() const;

  // Calls f(name, linear) for every matrix that is there; names are those of checkpoints, without
  // prefix: "layers.0.self_attn.q_proj".
  template <typename F>
  void visit(const F& f) const {
    const auto one = [&](const std::string& name, const nn::Linear& linear) {
      if (!linear.empty()) f(name, linear);
    };
    const auto mlp = [&](const std::string& name, const nn::MlpWeights& w) {
      one(name + "gate_proj", w.gate_proj);
      one(name + "up_proj", w.up_proj);
      one(name + "down_proj", w.down_proj);
    };
    one("embed_tokens", embed_tokens);
    for (size_t i = 0; i < layers.size(); ++i) {
      const LayerWeights& layer = layers[i];
      const std::string prefix = "layers." + std::to_string(i) + ".";
      one(prefix + "self_attn.q_proj", layer.self_attn.q_proj);
      one(prefix + "self_attn.k_proj", layer.self_attn.k_proj);
      one(prefix + "self_attn.v_proj", layer.self_attn.v_proj);
      one(prefix + "self_attn.o_proj", layer.self_attn.o_proj);
      one(prefix + "linear_attn.in_proj_qkv", layer.linear_attn.in_proj_qkv);
      one(prefix + "linear_attn.in_proj_z", layer.linear_attn.in_proj_z);
      one(prefix + "linear_attn.in_proj_b", layer.linear_attn.in_proj_b);
      one(prefix + "linear_attn.in_proj_a", layer.linear_attn.in_proj_a);
      one(prefix + "linear_attn.out_proj", layer.linear_attn.out_proj);
      mlp(prefix + "mlp.", layer.mlp);
      one(prefix + "mlp.gate", layer.moe.gate);
      for (size_t e = 0; e < layer.moe.experts.size(); ++e)
        mlp(prefix + "mlp.experts." + std::to_string(e) + ".", layer.moe.experts[e]);
      mlp(prefix + "mlp.shared_expert.", layer.moe.shared_expert);
      one(prefix + "mlp.shared_expert_gate", layer.moe.shared_expert_gate);
    }
    one("lm_head", lm_head);
  }
};

}  // namespace tulou::model
