#include "quantize/input_statistics.h"

#include <utility>

#include "base/number.h"
#include "nn/linear.h"
#include "quantize/convert.h"

namespace tulou::quantize {
namespace {

// What stands behind "layers.N." -> what stands behind "blk.N.", without ".weight".
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"linear_attn.in_proj_qkv", "attn_qkv"},
    {"linear_attn.in_proj_z", "attn_gate"},
    {"linear_attn.in_proj_b", "ssm_beta"},
    {"linear_attn.in_proj_a", "ssm_alpha"},
    {"linear_attn.out_proj", "ssm_out"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
};

std::string_view take_until_point(std::string_view& text) {
  const size_t end = text.find('.');
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

}  // namespace

std::optional<GgufPlace> gguf_place(const model::ModelConfig& config, std::string_view name) {
  if (take_until_point(name) != "layers") return std::nullopt;
  const std::string block = "blk." + std::string(take_until_point(name)) + ".";
  if (config.model_type == "qwen3_next") {
    if (name == "linear_attn.in_proj_b") return GgufPlace{block + "ssm_ba.weight"};
    if (name == "linear_attn.in_proj_a") return std::nullopt;
  }
  constexpr std::string_view kExperts = "mlp.experts.";
  if (name.starts_with(kExperts)) {
    name.remove_prefix(kExperts.size());
    const int64_t index = base::parse_int(take_until_point(name)).value_or(0);
    const std::string part(name.substr(0, name.find('_')));
    return GgufPlace{block + "ffn_" + part + "_exps.weight", index, config.num_experts};
  }
  for (const auto& [from, to] : kNames) {
    if (from == name) return GgufPlace{block + std::string(to) + ".weight"};
  }
  return std::nullopt;
}

InputCollector::InputCollector(const model::Model& model) {
  const model::ModelConfig& config = model.config();
  model.weights().visit([&](const std::string& name, const nn::Linear& linear) {
    const std::optional<GgufPlace> place = gguf_place(config, name);
    if (!place) return;
    Squares& squares = squares_[place->tensor];
    squares.width = linear.in_features();
    squares.sums.resize(static_cast<size_t>(place->count * squares.width));
    squares.counts.resize(static_cast<size_t>(place->count));
    if (name.ends_with("linear_attn.out_proj"))
      squares.columns = tiled_value_heads(config, 0, config.linear_value_head_dim);
    places_[&linear] = {&squares, place->index};
  });
}

void InputCollector::observe(const nn::Linear& linear, nn::ConstMatrix x) {
  const auto found = places_.find(&linear);
  if (found == places_.end()) return;
  Squares& squares = *found->second.squares;
  const auto index = static_cast<size_t>(found->second.index);
  double* sums = squares.sums.data() + index * static_cast<size_t>(squares.width);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* row = x.row(r);
    for (int64_t i = 0; i < squares.width; ++i) sums[i] += double{row[i]} * double{row[i]};
  }
  squares.counts[index] += static_cast<uint64_t>(x.rows);
}

InputStatistics InputCollector::statistics() const {
  InputStatistics statistics;
  for (const auto& [name, squares] : squares_) {
    InputSquares& out = statistics[name];
    out.width = squares.width;
    out.counts = squares.counts;
    const auto width = static_cast<size_t>(squares.width);
    for (size_t i = 0; i < squares.sums.size(); ++i) {
      const size_t column =
          squares.columns.empty() ? i % width : static_cast<size_t>(squares.columns[i % width]);
      out.sums.push_back(static_cast<float>(squares.sums[i / width * width + column]));
    }
  }
  return statistics;
}

}  // namespace tulou::quantize
