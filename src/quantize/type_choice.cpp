#include "quantize/type_choice.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <utility>

#include "base/number.h"

namespace tulou::quantize {
namespace {

using tensor::DType;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The middle third and both ends of a model's layers are worth more bits.
bool deserves_more(int64_t i, int64_t n) {
  return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

// Goes through the tensors in the order of layers and counts those of some kinds.
class Chooser {
 public:
  Chooser(const FileType& type, const ModelFacts& facts, bool has_importance,
          std::span<const SourceTensor> tensors)
      : type_(type), facts_(facts), has_importance_(has_importance) {
    for (const SourceTensor& tensor : tensors) {
      num_attention_v_ += is_attention_v(tensor.name);
      tied_ = tied_ && tensor.name != "output.weight";
    }
  }

  DType choose(const SourceTensor& tensor) {
    if (!type_.is_quantized()) return type_.base;
    return fitting_type(wanted(tensor), tensor.shape.width());
  }

 private:
  static bool is_attention_v(std::string_view name) {
    return contains(name, "attn_v.weight") || contains(name, "attn_qkv.weight");
  }

  DType wanted(const SourceTensor& tensor) {
    const std::string_view name = tensor.name;
    if (name == "output.weight" || (tied_ && name == "token_embd.weight"))
      return head(tensor.shape.width());
    if (name == "token_embd.weight") return type_.base;
    if (is_attention_v(name)) return attention_v(next_attention_v_++);
    if (contains(name, "attn_k.weight")) return facts_.num_experts == 8 ? DType::kQ8_0 : type_.base;
    if (contains(name, "ffn_down")) {
      const int64_t counted = next_ffn_down_++;
      return ffn_down(facts_.num_experts > 1 ? block_of(name) : counted);
    }
    const bool five_bits = type_.mix == Mix::kQ4_K_S || type_.mix == Mix::kIQ4 ||
                           (type_.mix == Mix::kMedium && type_.base == DType::kQ4_K);
    if (contains(name, "attn_output.weight") && facts_.num_experts == 8 && five_bits)
      return DType::kQ5_K;
    return type_.base;
  }

  DType head(int64_t width) const {
    const bool fits = width % tensor::info(type_.base).block_size == 0;
    return fits && type_.base != DType::kQ8_0 ? DType::kQ6_K : DType::kQ8_0;
  }

  DType attention_v(int64_t i) const {
    if (facts_.num_experts == 8) return DType::kQ8_0;
    const int64_t heads_per_kv = facts_.num_attention_heads / facts_.num_key_value_heads;
    if (type_.mix == Mix::kIQ4 && heads_per_kv >= 4) return DType::kQ5_K;
    if (type_.mix == Mix::kMedium && deserves_more(i, num_attention_v_)) return DType::kQ6_K;
    if (type_.mix == Mix::kQ4_K_S && i < 4) return DType::kQ5_K;
    return type_.base;
  }

  DType ffn_down(int64_t i) const {
    const bool is_early = i < facts_.num_blocks / 8;
    if (type_.mix == Mix::kMedium && deserves_more(i, facts_.num_blocks)) return DType::kQ6_K;
    if (type_.mix == Mix::kQ4_K_S && is_early) return DType::kQ5_K;
    if (type_.mix == Mix::kIQ4 && is_early && !has_importance_) return DType::kQ5_K;
    if (type_.mix == Mix::kQ4_0 && is_early && has_importance_) return DType::kQ4_1;
    return type_.base;
  }

  const FileType& type_;
  const ModelFacts& facts_;
  bool has_importance_;
  bool tied_ = true;
  int64_t num_attention_v_ = 0, next_attention_v_ = 0, next_ffn_down_ = 0;
};

}  // namespace

const std::vector<FileType>& file_types() {
  static const std::vector<FileType> types = {
      {"Q4_0", DType::kQ4_0, 2, Mix::kQ4_0},      {"Q4_1", DType::kQ4_1, 3, Mix::kPlain},
      {"Q4_K_S", DType::kQ4_K, 14, Mix::kQ4_K_S}, {"Q4_K_M", DType::kQ4_K, 15, Mix::kMedium},
      {"Q5_K_M", DType::kQ5_K, 17, Mix::kMedium}, {"Q6_K", DType::kQ6_K, 18, Mix::kPlain},
      {"Q8_0", DType::kQ8_0, 7, Mix::kPlain},     {"IQ4_NL", DType::kIQ4_NL, 25, Mix::kIQ4},
      {"IQ4_XS", DType::kIQ4_XS, 30, Mix::kIQ4},  {"F16", DType::kF16, 1, Mix::kPlain},
      {"BF16", DType::kBF16, 32, Mix::kPlain},    {"F32", DType::kF32, 0, Mix::kPlain},
  };
  return types;
}

const FileType* find_file_type(std::string_view name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  for (const FileType& type : file_types()) {
    if (std::equal(name.begin(), name.end(), type.name.begin(), type.name.end(), same))
      return &type;
  }
  return nullptr;
}

std::string file_type_names() {
  std::string names;
  for (const FileType& type : file_types())
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  return names;
}

bool is_weight_matrix(std::string_view name, const tensor::Shape& shape) {
  if (shape.rows() < 2 || !name.ends_with("weight")) return false;
  static constexpr std::array<std::string_view, 3> kKept = {"_norm.weight", "ffn_gate_inp.weight",
                                                            "ssm_conv1d"};
  return std::none_of(kKept.begin(), kKept.end(),
                      [&](std::string_view part) { return contains(name, part); });
}

int64_t block_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  name.remove_prefix(4);
  return base::parse_int(name.substr(0, name.find('.'))).value_or(-1);
}

DType fitting_type(DType wanted, int64_t width) {
  const auto fits = [&](DType type) { return width % tensor::info(type).block_size == 0; };
  DType type = wanted;
  if (!fits(type)) {
    type = wanted == DType::kQ4_K     ? DType::kQ5_0
           : wanted == DType::kQ5_K   ? DType::kQ5_1
           : wanted == DType::kQ6_K   ? DType::kQ8_0
           : wanted == DType::kIQ4_XS ? DType::kIQ4_NL
                                      : wanted;
  }
  return fits(type) ? type : DType::kF16;
}

std::vector<DType> choose_types(const FileType& type, const ModelFacts& facts, bool has_importance,
                                std::span<const SourceTensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(block_of(tensors[a].name), a) < std::pair(block_of(tensors[b].name), b);
  });
  Chooser chooser(type, facts, has_importance, tensors);
  std::vector<DType> types(tensors.size());
  for (const size_t i : order) {
    const SourceTensor& tensor = tensors[i];
    types[i] = is_weight_matrix(tensor.name, tensor.shape) ? chooser.choose(tensor) : tensor.kept;
  }
  return types;
}

}  // namespace tulou::quantize
