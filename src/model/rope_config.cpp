#include "model/rope_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tulou::model {
namespace {

// YaRN: dimensions that turn often within the original context keep their frequency, those that
// turn seldom are slowed down by the factor, in between a ramp (transformers,
// modeling_rope_utils.py, _compute_yarn_parameters).
void apply_yarn(const YarnConfig& yarn, double theta, nn::Rope& rope) {
  const double dim = 2.0 * static_cast<double>(rope.half());
  const auto boundary = [&](double turns) {
    return dim * std::log(yarn.original_max_position_embeddings / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = boundary(yarn.beta_fast), high = boundary(yarn.beta_slow);
  if (yarn.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  for (size_t i = 0; i < rope.inv_freq.size(); ++i) {
    const double ramp =
        std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
    rope.inv_freq[i] = rope.inv_freq[i] / yarn.factor * ramp + rope.inv_freq[i] * (1 - ramp);
  }
  rope.scale = yarn.attention_factor > 0 ? yarn.attention_factor : 0.1 * std::log(yarn.factor) + 1;
}

}  // namespace

nn::Rope make_rope(const RopeConfig& config) {
  nn::Rope rope;
  const auto half = static_cast<size_t>(config.rotary_dim / 2);
  rope.inv_freq.resize(half);
  rope.axis.assign(half, 0);
  rope.interleaved_pairs = config.interleaved_pairs;
  for (size_t i = 0; i < half; ++i)
    rope.inv_freq[i] = std::pow(
        config.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.rotary_dim));
  // Interleaved M-RoPE: frequencies 1, 4, 7, ... follow the height, 2, 5, 8, ... the width.
  for (size_t axis = 1; axis < 3; ++axis) {
    const auto end = std::min<size_t>(half, 3 * static_cast<size_t>(config.mrope_section[axis]));
    for (size_t i = axis; i < end; i += 3) rope.axis[i] = static_cast<int8_t>(axis);
  }
  if (config.yarn) apply_yarn(*config.yarn, config.rope_theta, rope);
  return rope;
}

}  // namespace tulou::model
