#include "model/model.h"

#include <cstring>

#include "base/assert.h"
#include "model/families/family.h"
#include "model/load_weights.h"
#include "model/rope_config.h"

namespace tulou::model {
namespace {

nn::AttentionConfig attention_config(const ModelConfig& c) {
  return {c.num_attention_heads, c.num_key_value_heads, c.head_dim, c.qk_norm, c.attn_output_gate};
}

nn::DeltaNetConfig delta_net_config(const ModelConfig& c) {
  return {c.linear_num_key_heads,  c.linear_num_value_heads, c.linear_key_head_dim,
          c.linear_value_head_dim, c.linear_conv_kernel_dim, c.linear_v_heads_tiled};
}

// One forward pass in progress.
class Forward {
 public:
  Forward(const ModelConfig& config, const Weights& weights, const nn::Rope& rope, nn::Pass& pass,
          const Batch& batch, StateCache& cache, const Trace& trace)
      : config_(config),
        weights_(weights),
        rope_(rope),
        pass_(pass),
        batch_(batch),
        cache_(cache),
        trace_(trace) {}

  ForwardResult run() {
    const nn::RopeTable table = angles();
    const nn::Matrix x = embed();
    traced("hidden.embed", x);
    for (size_t i = 0; i < weights_.layers.size(); ++i) {
      if (pass_.cancelled()) return {.cancelled = true, .hidden = {}, .logits = {}};
      const base::Arena::Scope scope(pass_.arena());
      decoder_layer(i, table, x);
      traced("hidden.layer." + std::to_string(i), x);
    }
    return outputs(x);
  }

 private:
  void traced(const std::string& name, nn::ConstMatrix m) const {
    if (trace_) trace_(name, {m.data, static_cast<size_t>(m.rows * m.width)});
  }

  nn::RopeTable angles() {
    std::vector<std::array<int32_t, 3>> positions;
    positions.reserve(batch_.rows.size());
    for (const BatchRow& row : batch_.rows) positions.push_back(row.position);
    return nn::rope_table(pass_, rope_, positions);
  }

  nn::Matrix embed() {
    const nn::Matrix x =
        pass_.matrix(static_cast<int64_t>(batch_.rows.size()), config_.hidden_size);
    pass_.parallel_for(batch_.rows.size(), [&](size_t index, size_t) {
      const BatchRow& row = batch_.rows[index];
      float* out = x.row(static_cast<int64_t>(index));
      if (row.embedding != nullptr) {
        std::memcpy(out, row.embedding, static_cast<size_t>(x.width) * sizeof(float));
        return;
      }
      ASSERT(row.token >= 0 && row.token < config_.vocab_size);
      weights_.embed_tokens.row(pass_, row.token, out);
    });
    return x;
  }

  nn::Matrix mixer(size_t i, const nn::RopeTable& table, nn::ConstMatrix x) {
    if (config_.layers[i].mixer == Mixer::kFullAttention) {
      std::vector<nn::AttentionRows> rows;
      for (const BatchSequence& s : batch_.sequences) {
        rows.push_back({static_cast<int64_t>(s.begin), static_cast<int64_t>(s.end),
                        cache_.attention_state(s.handle, i)});
      }
      return nn::attention_block(pass_, attention_config(config_), weights_.layers[i].self_attn,
                                 rope_, table, x, rows);
    }
    std::vector<nn::DeltaRows> rows;
    for (const BatchSequence& s : batch_.sequences) {
      rows.push_back({static_cast<int64_t>(s.begin), static_cast<int64_t>(s.end),
                      cache_.delta_state(s.handle, i)});
    }
    return nn::gated_delta_block(pass_, delta_net_config(config_), weights_.layers[i].linear_attn,
                                 x, rows);
  }

  nn::Matrix feed_forward(size_t i, nn::ConstMatrix x) {
    if (config_.layers[i].feed_forward == FeedForward::kMlp)
      return nn::mlp(pass_, weights_.layers[i].mlp, x);
    const nn::MoeConfig moe = {config_.num_experts_per_tok, config_.norm_topk_prob};
    return nn::moe(pass_, moe, weights_.layers[i].moe, x);
  }

  // x += mixer(norm(x)); x += feed_forward(norm(x)).
  void decoder_layer(size_t i, const nn::RopeTable& table, nn::Matrix x) {
    const LayerWeights& weights = weights_.layers[i];
    const std::string part = "part.layer." + std::to_string(i) + ".";
    const nn::Matrix normed = nn::rms_norm(pass_, weights.input_layernorm, x);
    traced(part + "input_layernorm", normed);
    const nn::Matrix mixed = mixer(i, table, normed);
    traced(part + "mixer", mixed);
    nn::residual_add(pass_, mixed, x);
    nn::rms_norm(pass_, weights.post_attention_layernorm, x, normed);
    const nn::Matrix fed = feed_forward(i, normed);
    traced(part + "mlp", fed);
    nn::residual_add(pass_, fed, x);
  }

  // The final norm and the head, only for the rows that want them.
  ForwardResult outputs(nn::ConstMatrix x) {
    std::vector<int64_t> hidden_rows, logits_rows;
    for (size_t r = 0; r < batch_.rows.size(); ++r) {
      if (batch_.rows[r].want == Want::kNothing) continue;
      if (batch_.rows[r].want == Want::kLogits)
        logits_rows.push_back(static_cast<int64_t>(hidden_rows.size()));
      hidden_rows.push_back(static_cast<int64_t>(r));
    }
    const nn::Matrix picked = gather(x, hidden_rows);
    const nn::Matrix hidden = nn::rms_norm(pass_, weights_.norm, picked);
    traced("hidden.final_norm", hidden);
    ForwardResult result;
    result.hidden = {hidden.data, static_cast<size_t>(hidden.rows * hidden.width)};
    if (!logits_rows.empty()) {
      ASSERT(weights_.has_head);
      const bool all = logits_rows.size() == hidden_rows.size();
      const nn::Matrix from = all ? hidden : gather(hidden, logits_rows);
      const nn::Matrix logits = pass_.matrix(from.rows, config_.vocab_size);
      weights_.head().logits(pass_, from, logits);
      result.logits = {logits.data, static_cast<size_t>(logits.rows * logits.width)};
    }
    result.cancelled = pass_.cancelled();
    return result;
  }

  nn::Matrix gather(nn::ConstMatrix x, const std::vector<int64_t>& rows) {
    const nn::Matrix out = pass_.matrix(static_cast<int64_t>(rows.size()), x.width);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(out.row(static_cast<int64_t>(i)), x.row(rows[i]),
                  static_cast<size_t>(x.width) * sizeof(float));
    }
    return out;
  }

  const ModelConfig& config_;
  const Weights& weights_;
  const nn::Rope& rope_;
  nn::Pass& pass_;
  const Batch& batch_;
  StateCache& cache_;
  const Trace& trace_;
};

}  // namespace

std::unique_ptr<const Model> Model::load(const checkpoint::Checkpoint& checkpoint,
                                         base::Progress& progress, const LoadOptions& options) {
  std::unique_ptr<Model> model(new Model);
  model->config_ = read_config(checkpoint);
  model->rope_ = make_rope(model->config_.rope);
  model->weights_ = load_weights(checkpoint, model->config_, progress, options);
  return model;
}

ForwardResult Model::forward(nn::Pass& pass, const Batch& batch, StateCache& cache,
                             const Trace& trace) const {
  return Forward(config_, weights_, rope_, pass, batch, cache, trace).run();
}

ModelConfig read_model_config(const checkpoint::Checkpoint& checkpoint) {
  return read_config(checkpoint);
}

std::string supported_families() {
  std::string names;
  for (const Family* family : families())
    names += (names.empty() ? "" : ", ") + std::string(family->model_type);
  return names;
}

}  // namespace tulou::model
