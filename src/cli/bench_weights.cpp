// Groups of weights and their bytes; see bench_weights.h.
#include "cli/bench_weights.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "tensor/dtype.h"

namespace tulou::cli {

namespace {

constexpr std::array<std::string_view, 7> kOrder = {
    "embedding", "attention", "delta net", "mlp", "experts", "head", "embedding and head"};

// What multiplies with a matrix: the level that was chosen and its recipe; where a prompt has
// another one, "int8, prompts bf16".
std::string kernel_of(const nn::Linear& linear, const kernels::Kernels& kernels,
                      nn::Precision precision) {
  const kernels::Recipe one = linear.recipe(kernels, precision);
  const kernels::Recipe many = linear.recipe(kernels, precision, nn::kBf16PrefillRows);
  std::string text(hardware::name(kernels.level));
  text += " " + std::string(kernels::name(one));
  if (many != one) text += ", prompts " + std::string(kernels::name(many));
  return text;
}

// Bytes of the matrix that one token reads.
uint64_t bytes_used(const std::string& name, std::string_view group, const nn::Linear& linear,
                    const model::ModelConfig& config) {
  const uint64_t bytes = linear.bytes();
  if (group == "embedding") return bytes / static_cast<uint64_t>(linear.out_features());
  if (name.find(".experts.") == std::string::npos) return bytes;
  // Each expert serves the same share of tokens, as far as anybody can say beforehand.
  return bytes * static_cast<uint64_t>(config.num_experts_per_tok) /
         static_cast<uint64_t>(std::max<int64_t>(1, config.num_experts));
}

size_t place_of(const WeightGroup& group) {
  return static_cast<size_t>(std::find(kOrder.begin(), kOrder.end(), group.name) - kOrder.begin());
}

}  // namespace

std::string_view weight_group(std::string_view name) {
  const auto holds = [&](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  };
  if (name == "embed_tokens") return "embedding";
  if (name == "lm_head") return "head";
  if (holds(".self_attn.")) return "attention";
  if (holds(".linear_attn.")) return "delta net";
  if (holds(".mlp.experts.") || holds(".mlp.shared_expert") || name.ends_with(".mlp.gate"))
    return "experts";
  return "mlp";
}

std::vector<WeightGroup> weight_groups(const model::Model& model, const kernels::Kernels& kernels,
                                       nn::Precision precision) {
  std::vector<WeightGroup> groups;
  const model::Weights& weights = model.weights();
  const bool tied = weights.has_head && weights.lm_head.empty();
  weights.visit([&](const std::string& name, const nn::Linear& linear) {
    std::string_view group = weight_group(name);
    if (tied && group == "embedding") group = "embedding and head";
    const std::string type(tensor::name(linear.dtype()));
    const std::string kernel = kernel_of(linear, kernels, precision);
    auto found = std::find_if(groups.begin(), groups.end(), [&](const WeightGroup& g) {
      return g.name == group && g.type == type && g.kernel == kernel;
    });
    if (found == groups.end()) {
      groups.push_back({.name = std::string(group), .type = type, .kernel = kernel});
      found = groups.end() - 1;
    }
    ++found->matrices;
    found->bytes += linear.bytes();
    found->bytes_per_token += bytes_used(name, group, linear, model.config());
  });
  std::sort(groups.begin(), groups.end(), [](const WeightGroup& a, const WeightGroup& b) {
    const auto key = [](const WeightGroup& g) { return std::tuple(place_of(g), g.type, g.kernel); };
    return key(a) < key(b);
  });
  return groups;
}

uint64_t decode_bytes(const std::vector<WeightGroup>& groups, const model::CachePlan& sequence,
                      int64_t depth) {
  uint64_t bytes = 2 * sequence.slot_bytes;
  for (const WeightGroup& group : groups) bytes += group.bytes_per_token;
  return bytes + static_cast<uint64_t>(depth) * sequence.block_bytes /
                     static_cast<uint64_t>(model::kKvBlockTokens);
}

}  // namespace tulou::cli
