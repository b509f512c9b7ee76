#include "model/load_weights.h"

#include <cmath>

#include "base/error.h"
#include "base/number.h"
#include "model/stored_tensors.h"
#include "model/weight_reader.h"

namespace tulou::model {
namespace {

// The names of a layer's tensors in one kind of file, behind the layer's prefix.
struct LayerNames {
  std::string input_layernorm, post_attention_layernorm;
  std::string q_proj, k_proj, v_proj, o_proj, q_norm, k_norm;
  std::string in_proj_qkv, in_proj_z, in_proj_b, in_proj_a, in_proj_qkvz, in_proj_ba;
  std::string conv1d, decay, dt_bias, linear_norm, out_proj;
  std::string gate_proj, up_proj, down_proj;
  std::string router, shared_gate, shared_up, shared_down, shared_expert_gate;
};

const LayerNames& checkpoint_names() {
  static const LayerNames names = {"input_layernorm",
                                   "post_attention_layernorm",
                                   "self_attn.q_proj",
                                   "self_attn.k_proj",
                                   "self_attn.v_proj",
                                   "self_attn.o_proj",
                                   "self_attn.q_norm",
                                   "self_attn.k_norm",
                                   "linear_attn.in_proj_qkv",
                                   "linear_attn.in_proj_z",
                                   "linear_attn.in_proj_b",
                                   "linear_attn.in_proj_a",
                                   "linear_attn.in_proj_qkvz",
                                   "linear_attn.in_proj_ba",
                                   "linear_attn.conv1d.weight",
                                   "linear_attn.A_log",
                                   "linear_attn.dt_bias",
                                   "linear_attn.norm",
                                   "linear_attn.out_proj",
                                   "mlp.gate_proj",
                                   "mlp.up_proj",
                                   "mlp.down_proj",
                                   "mlp.gate",
                                   "mlp.shared_expert.gate_proj",
                                   "mlp.shared_expert.up_proj",
                                   "mlp.shared_expert.down_proj",
                                   "mlp.shared_expert_gate"};
  return names;
}

// As llama.cpp's converter writes them (gguf-py, tensor_mapping.py).
LayerNames gguf_names(bool hybrid) {
  return {"attn_norm",
          hybrid ? "post_attention_norm" : "ffn_norm",
          "attn_q",
          "attn_k",
          "attn_v",
          "attn_output",
          "attn_q_norm",
          "attn_k_norm",
          "attn_qkv",
          "attn_gate",
          "ssm_beta",
          "ssm_alpha",
          "ssm_in",
          "ssm_ba",
          "ssm_conv1d.weight",
          "ssm_a",
          "ssm_dt.bias",
          "ssm_norm",
          "ssm_out",
          "ffn_gate",
          "ffn_up",
          "ffn_down",
          "ffn_gate_inp",
          "ffn_gate_shexp",
          "ffn_up_shexp",
          "ffn_down_shexp",
          "ffn_gate_inp_shexp"};
}

class Loader {
 public:
  Loader(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
         const base::ThreadPool::Lease& threads, base::Slab& memory, base::Progress& progress,
         const LoadOptions& options)
      : checkpoint_(checkpoint),
        config_(config),
        reader_(checkpoint, config.quantization, threads, memory, progress, options),
        gguf_(checkpoint.format() == checkpoint::Format::kGguf),
        names_(gguf_ ? gguf_names(config.num_layers_of(Mixer::kLinearAttention) > 0)
                     : checkpoint_names()) {}

  Weights load() {
    Weights weights;
    if (gguf_) {
      weights.embed_tokens = matrix("token_embd.weight", config_.vocab_size, config_.hidden_size);
      weights.norm = norm("output_norm.weight", config_.hidden_size);
    } else {
      prefix_ = decoder_prefix([this](const std::string& name) { return reader_.has(name); });
      weights.embed_tokens =
          matrix(prefix_ + "embed_tokens.weight", config_.vocab_size, config_.hidden_size);
      weights.norm = norm(prefix_ + "norm.weight", config_.hidden_size);
    }
    for (size_t i = 0; i < config_.layers.size(); ++i) weights.layers.push_back(layer(i));
    load_head(weights);
    check_all_used(checkpoint_, config_, reader_.used());
    weights.conversions = reader_.conversions();
    return weights;
  }

 private:
  void load_head(Weights& weights) {
    const std::string name = gguf_ ? "output.weight" : "lm_head.weight";
    if (config_.tie_word_embeddings) return;
    if (!gguf_ && prefix_.empty() && !reader_.has(name)) {
      weights.has_head = false;  // an embedding model
      return;
    }
    weights.lm_head = matrix(name, config_.vocab_size, config_.hidden_size);
  }

  std::string at(const std::string& name) const { return layer_prefix_ + name; }
  nn::Linear matrix(const std::string& name, int64_t out, int64_t in) {
    return reader_.linear(name, out, in);
  }
  nn::Linear layer_matrix(const std::string& name, int64_t out, int64_t in) {
    return matrix(at(name) + ".weight", out, in);
  }
  nn::NormWeight norm(const std::string& name, int64_t width) {
    return reader_.norm(name, width, config_.zero_centred_norms, config_.rms_norm_eps);
  }

  LayerWeights layer(size_t i) {
    layer_prefix_ = (gguf_ ? "blk." : prefix_ + "layers.") + std::to_string(i) + ".";
    const LayerConfig& layer_config = config_.layers[i];
    LayerWeights weights;
    weights.input_layernorm = norm(at(names_.input_layernorm) + ".weight", config_.hidden_size);
    weights.post_attention_layernorm =
        norm(at(names_.post_attention_layernorm) + ".weight", config_.hidden_size);
    if (layer_config.mixer == Mixer::kFullAttention) {
      weights.self_attn = attention();
    } else {
      weights.linear_attn = delta_net();
    }
    if (layer_config.feed_forward == FeedForward::kMlp) {
      weights.mlp = mlp();
    } else {
      weights.moe = moe();
    }
    return weights;
  }

  nn::Linear with_bias(const std::string& name, int64_t out, int64_t in) {
    nn::Linear linear = layer_matrix(name, out, in);
    if (config_.attention_bias) linear.set_bias(reader_.numbers(at(name) + ".bias", out));
    return linear;
  }

  nn::AttentionWeights attention() {
    const int64_t query = config_.num_attention_heads * config_.head_dim;
    const int64_t kv = config_.num_key_value_heads * config_.head_dim;
    const int64_t hidden = config_.hidden_size;
    nn::AttentionWeights w;
    w.q_proj = with_bias(names_.q_proj, config_.attn_output_gate ? 2 * query : query, hidden);
    w.k_proj = with_bias(names_.k_proj, kv, hidden);
    w.v_proj = with_bias(names_.v_proj, kv, hidden);
    w.o_proj = layer_matrix(names_.o_proj, hidden, query);
    if (config_.qk_norm) {
      w.q_norm = norm(at(names_.q_norm) + ".weight", config_.head_dim);
      w.k_norm = norm(at(names_.k_norm) + ".weight", config_.head_dim);
    }
    return w;
  }

  void load_fused_qkvz(nn::DeltaNetWeights& w) {
    const std::string name = at(names_.in_proj_qkvz) + ".weight";
    const FusedQkvz rows = fused_qkvz(config_);
    w.in_proj_qkv = reader_.linear_rows(name, rows.stored, config_.hidden_size, rows.qkv);
    w.in_proj_z = reader_.linear_rows(name, rows.stored, config_.hidden_size, rows.z);
  }

  void load_fused_ba(nn::DeltaNetWeights& w) {
    const int64_t ratio = config_.linear_num_value_heads / config_.linear_num_key_heads;
    const std::string name = at(names_.in_proj_ba) + ".weight";
    const int64_t stored = 2 * config_.linear_num_value_heads;
    const auto b = grouped_rows(config_, 2 * ratio, 0, ratio);
    const auto a = grouped_rows(config_, 2 * ratio, ratio, ratio);
    w.in_proj_b = reader_.linear_rows(name, stored, config_.hidden_size, b);
    w.in_proj_a = reader_.linear_rows(name, stored, config_.hidden_size, a);
  }

  nn::DeltaNetWeights delta_net() {
    const int64_t hidden = config_.hidden_size, heads = config_.linear_num_value_heads;
    const int64_t conv_dim = config_.linear_conv_dim(), kernel = config_.linear_conv_kernel_dim;
    const int64_t values = heads * config_.linear_value_head_dim;
    nn::DeltaNetWeights w;
    if (reader_.has(at(names_.in_proj_qkvz) + ".weight")) {
      load_fused_qkvz(w);
    } else {
      w.in_proj_qkv = layer_matrix(names_.in_proj_qkv, conv_dim, hidden);
      w.in_proj_z = layer_matrix(names_.in_proj_z, values, hidden);
    }
    if (reader_.has(at(names_.in_proj_ba) + ".weight")) {
      load_fused_ba(w);
    } else {
      w.in_proj_b = layer_matrix(names_.in_proj_b, heads, hidden);
      w.in_proj_a = layer_matrix(names_.in_proj_a, heads, hidden);
    }
    const std::vector<float> stored = reader_.numbers(at(names_.conv1d), conv_dim * kernel);
    w.conv1d.resize(stored.size());
    for (int64_t c = 0; c < conv_dim; ++c) {
      for (int64_t j = 0; j < kernel; ++j)
        w.conv1d[static_cast<size_t>(j * conv_dim + c)] =
            stored[static_cast<size_t>(c * kernel + j)];
    }
    w.negative_decay = reader_.numbers(at(names_.decay), heads);
    if (!gguf_) {  // GGUF holds -exp(A_log) itself
      for (float& value : w.negative_decay) value = -std::exp(value);
    }
    w.dt_bias = reader_.numbers(at(names_.dt_bias), heads);
    w.norm = reader_.norm(at(names_.linear_norm) + ".weight", config_.linear_value_head_dim, false,
                          config_.rms_norm_eps);
    w.out_proj = layer_matrix(names_.out_proj, hidden, values);
    return w;
  }

  nn::MlpWeights mlp() {
    const int64_t width = config_.intermediate_size, hidden = config_.hidden_size;
    return {layer_matrix(names_.gate_proj, width, hidden),
            layer_matrix(names_.up_proj, width, hidden),
            layer_matrix(names_.down_proj, hidden, width)};
  }

  nn::MoeWeights moe() {
    const int64_t hidden = config_.hidden_size;
    nn::MoeWeights w;
    w.gate = layer_matrix(names_.router, config_.num_experts, hidden);
    for (int64_t e = 0; e < config_.num_experts; ++e)
      w.experts.push_back(gguf_ ? gguf_expert(e) : expert(e));
    const int64_t shared = config_.shared_expert_intermediate_size;
    if (shared > 0) {
      w.shared_expert = {layer_matrix(names_.shared_gate, shared, hidden),
                         layer_matrix(names_.shared_up, shared, hidden),
                         layer_matrix(names_.shared_down, hidden, shared)};
      w.shared_expert_gate = layer_matrix(names_.shared_expert_gate, 1, hidden);
    }
    return w;
  }

  // Fused: gate_up_proj [experts, 2 * width, hidden]; or one tensor for each expert and projection.
  nn::MlpWeights expert(int64_t e) {
    const int64_t count = config_.num_experts, hidden = config_.hidden_size;
    const int64_t width = config_.moe_intermediate_size;
    const std::string fused = at("mlp.experts.gate_up_proj"), down = at("mlp.experts.down_proj");
    if (reader_.has(fused)) {
      return {reader_.linear_of_stack(fused, count, e, 0, width, 2 * width, hidden),
              reader_.linear_of_stack(fused, count, e, width, width, 2 * width, hidden),
              reader_.linear_of_stack(down, count, e, 0, hidden, hidden, width)};
    }
    const std::string name = "mlp.experts." + std::to_string(e) + ".";
    return {layer_matrix(name + "gate_proj", width, hidden),
            layer_matrix(name + "up_proj", width, hidden),
            layer_matrix(name + "down_proj", hidden, width)};
  }

  nn::MlpWeights gguf_expert(int64_t e) {
    const int64_t count = config_.num_experts, hidden = config_.hidden_size;
    const int64_t width = config_.moe_intermediate_size;
    const std::string fused = at("ffn_gate_up_exps.weight");
    nn::MlpWeights w;
    if (reader_.has(fused)) {
      w.gate_proj = reader_.linear_of_stack(fused, count, e, 0, width, 2 * width, hidden);
      w.up_proj = reader_.linear_of_stack(fused, count, e, width, width, 2 * width, hidden);
    } else {
      w.gate_proj = stacked("ffn_gate_exps.weight", e, width, hidden);
      w.up_proj = stacked("ffn_up_exps.weight", e, width, hidden);
    }
    w.down_proj = stacked("ffn_down_exps.weight", e, hidden, width);
    return w;
  }
  nn::Linear stacked(const std::string& name, int64_t e, int64_t out, int64_t in) {
    return reader_.linear_of_stack(at(name), config_.num_experts, e, 0, out, out, in);
  }

  const checkpoint::Checkpoint& checkpoint_;
  const ModelConfig& config_;
  WeightReader reader_;
  bool gguf_;
  LayerNames names_;
  std::string prefix_, layer_prefix_;
};

}  // namespace

uint64_t Weights::bytes() const {
  uint64_t total = 0;
  visit([&](const std::string&, const nn::Linear& linear) { total += linear.bytes(); });
  const auto add = [&](const std::vector<float>& vector) {
    total += vector.size() * sizeof(float);
  };
  add(norm.weight);
  for (const LayerWeights& layer : layers) {
    add(layer.input_layernorm.weight);
    add(layer.post_attention_layernorm.weight);
    add(layer.self_attn.q_norm.weight);
    add(layer.self_attn.k_norm.weight);
    add(layer.linear_attn.conv1d);
    add(layer.linear_attn.negative_decay);
    add(layer.linear_attn.dt_bias);
    add(layer.linear_attn.norm.weight);
  }
  return total;
}

Weights load_weights(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                     base::Progress& progress, const LoadOptions& options) {
  progress.begin("loading weights", checkpoint.tensor_bytes(), base::ProgressUnit::kBytes);
  base::ThreadPool pool(base::usable_processors());
  const base::ThreadPool::Lease threads(pool);
  base::Slab memory(plan_weights(checkpoint, config, options.exact_weights).bytes,
                    checkpoint.path());
  Weights weights = Loader(checkpoint, config, threads, memory, progress, options).load();
  progress.end();
  checkpoint.check_unchanged();
  checkpoint.drop_pages();
  return weights;
}

}  // namespace tulou::model
