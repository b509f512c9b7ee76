#include "model/model_config.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::model {
namespace {

class Checker {
 public:
  explicit Checker(const std::string& source) : source_(source) {}
  void range(const char* name, int64_t value, int64_t min, int64_t max) const {
    if (value < min || value > max)
      throw base::Error("model.config_range", source_, name, value, min, max);
  }
  void holds(bool condition, const char* what) const {
    if (!condition) throw base::Error("model.config_contradiction", source_, what);
  }

 private:
  const std::string& source_;
};

void check_attention(const ModelConfig& c, const Checker& check) {
  check.range("num_attention_heads", c.num_attention_heads, 1, 1024);
  check.range("num_key_value_heads", c.num_key_value_heads, 1, 1024);
  check.range("head_dim", c.head_dim, 2, 1024);
  check.holds(c.num_attention_heads % c.num_key_value_heads == 0,
              "num_attention_heads is a multiple of num_key_value_heads");
  check.holds(c.num_attention_heads / c.num_key_value_heads <= 64,
              "at most 64 query heads share a KV head");
  check.range("rotary dimensions", c.rope.rotary_dim, 2, c.head_dim);
  check.holds(c.rope.rotary_dim % 2 == 0, "the number of rotary dimensions is even");
  check.holds(std::isfinite(c.rope.rope_theta) && c.rope.rope_theta > 1, "rope_theta is above 1");
  const auto& section = c.rope.mrope_section;
  for (const int64_t count : section) check.range("mrope_section", count, 0, c.head_dim);
  const int64_t sum = section[0] + section[1] + section[2];
  check.holds(sum == 0 || sum == c.rope.rotary_dim / 2,
              "mrope_section adds up to half of the rotary dimensions");
  if (c.rope.yarn) {
    const YarnConfig& yarn = *c.rope.yarn;
    check.holds(std::isfinite(yarn.factor) && yarn.factor >= 1, "the YaRN factor is at least 1");
    check.holds(yarn.original_max_position_embeddings >= 1,
                "YaRN has original_max_position_embeddings");
    check.holds(yarn.beta_fast > 0 && yarn.beta_slow > 0,
                "YaRN's beta_fast and beta_slow are above 0");
  }
}

void check_linear_attention(const ModelConfig& c, const Checker& check) {
  check.range("linear_num_key_heads", c.linear_num_key_heads, 1, 1024);
  check.range("linear_num_value_heads", c.linear_num_value_heads, 1, 4096);
  check.range("linear_key_head_dim", c.linear_key_head_dim, 1, 1024);
  check.range("linear_value_head_dim", c.linear_value_head_dim, 1, 1024);
  check.range("linear_conv_kernel_dim", c.linear_conv_kernel_dim, 2, 16);
  check.holds(c.linear_num_value_heads % c.linear_num_key_heads == 0,
              "linear_num_value_heads is a multiple of linear_num_key_heads");
}

}  // namespace

int64_t ModelConfig::num_layers_of(Mixer mixer) const {
  return std::count_if(layers.begin(), layers.end(),
                       [mixer](const LayerConfig& layer) { return layer.mixer == mixer; });
}

uint64_t ModelConfig::kv_bytes_per_token(kernels::CacheType type) const {
  return static_cast<uint64_t>(num_layers_of(Mixer::kFullAttention) * 2 * num_key_value_heads) *
         kernels::cache_row_bytes(type, head_dim);
}

uint64_t ModelConfig::recurrent_bytes() const {
  const int64_t delta = linear_num_value_heads * linear_key_head_dim * linear_value_head_dim;
  const int64_t conv = (linear_conv_kernel_dim - 1) * linear_conv_dim();
  return static_cast<uint64_t>(num_layers_of(Mixer::kLinearAttention) * (delta + conv)) *
         sizeof(float);
}

void ModelConfig::validate(const std::string& source) const {
  const Checker check(source);
  check.range("vocab_size", vocab_size, 1, int64_t{1} << 24);
  check.range("hidden_size", hidden_size, 1, int64_t{1} << 18);
  check.range("max_position_embeddings", max_position_embeddings, 1, int64_t{1} << 30);
  check.range("num_hidden_layers", num_hidden_layers(), 1, 1024);
  check.holds(std::isfinite(rms_norm_eps) && rms_norm_eps > 0 && rms_norm_eps < 1,
              "rms_norm_eps lies between 0 and 1");
  check_attention(*this, check);
  if (num_layers_of(Mixer::kLinearAttention) > 0) check_linear_attention(*this, check);
  const auto has = [&](FeedForward kind) {
    return std::any_of(layers.begin(), layers.end(),
                       [kind](const LayerConfig& layer) { return layer.feed_forward == kind; });
  };
  if (has(FeedForward::kMlp)) check.range("intermediate_size", intermediate_size, 1, 1 << 20);
  if (!has(FeedForward::kMoe)) return;
  check.range("num_experts", num_experts, 1, 4096);
  check.range("num_experts_per_tok", num_experts_per_tok, 1, num_experts);
  check.range("moe_intermediate_size", moe_intermediate_size, 1, 1 << 20);
  check.range("shared_expert_intermediate_size", shared_expert_intermediate_size, 0, 1 << 20);
}

}  // namespace tulou::model
