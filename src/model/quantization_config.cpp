#include "model/quantization_config.h"

#include <array>
#include <optional>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::model {
namespace {

constexpr int64_t kMaxBlock = int64_t{1} << 20;

[[noreturn]] void refuse(const base::JsonObject& object, std::string_view key) {
  throw base::Error("model.unsupported_option", object.source(),
                    "quantization_config." + std::string(key),
                    base::printable(base::to_json_text(object.get(key)).substr(0, 100)));
}

// fp8 as DeepSeek-V3 and the Qwen FP8 repositories have it.
void read_fp8(const base::JsonObject& object, QuantizationConfig& config) {
  config.method = QuantizationMethod::kFp8;
  if (object.string("fmt", "e4m3") != "e4m3") refuse(object, "fmt");
  if (object.string("activation_scheme", "dynamic") != "dynamic")
    refuse(object, "activation_scheme");
  const base::Json& size = object.get("weight_block_size");
  std::array<int64_t, 2> block = {};
  for (size_t i = 0; i < 2; ++i) {
    if (!size.is_array() || size.size() != 2 || !size[i].is_number_integer())
      refuse(object, "weight_block_size");
    block[i] = size[i].get<int64_t>();
    if (block[i] < 1 || block[i] > kMaxBlock) refuse(object, "weight_block_size");
  }
  config.block_rows = block[0];
  config.block_columns = block[1];
}

void read_groups(const base::JsonObject& object, QuantizationConfig& config) {
  config.bits = static_cast<int>(object.integer("bits", 1, 32));
  if (config.bits != 4 && !(config.bits == 8 && config.method == QuantizationMethod::kGptq))
    refuse(object, "bits");
  config.group_size = object.integer("group_size", -1, kMaxBlock);
  if (config.group_size == 0) refuse(object, "group_size");
  if (config.group_size < 0) config.group_size = 0;
}

// AutoGPTQ's and GPTQModel's files; AutoRound writes the same.
void read_gptq(const base::JsonObject& object, QuantizationConfig& config) {
  config.method = QuantizationMethod::kGptq;
  read_groups(object, config);
  config.symmetric = object.boolean("sym", true);
  config.desc_act = object.boolean("desc_act", false);
  const std::string format = object.string("checkpoint_format", object.string("format", "gptq"));
  if (format != "gptq" && format != "gptq_v2") refuse(object, "checkpoint_format");
  config.zero_offset = format == "gptq" ? 1 : 0;
}

void read_awq(const base::JsonObject& object, QuantizationConfig& config) {
  config.method = QuantizationMethod::kAwq;
  read_groups(object, config);
  const std::string version = object.string("version", "gemm");
  if (version != "gemm" && version != "GEMM") refuse(object, "version");
  if (!object.boolean("zero_point", true)) refuse(object, "zero_point");
}

// Where exporters write it. Nothing if there is none.
std::optional<base::JsonObject> find_config(const base::JsonObject& object) {
  // MLX writes only bits and group size; compressed-tensors once had a key of its own.
  for (const auto& [key, name] :
       {std::pair("compression_config", "compressed-tensors"), std::pair("quantization", "mlx")}) {
    if (object.has(key) && !object.has("quantization_config"))
      throw base::Error("model.quantization_unsupported", object.source(), name);
  }
  if (!object.has("quantization_config")) return std::nullopt;
  return object.object("quantization_config");
}

}  // namespace

std::string QuantizationConfig::name() const {
  switch (method) {
    case QuantizationMethod::kNone:
      return "";
    case QuantizationMethod::kFp8:
      return "FP8";
    case QuantizationMethod::kGptq:
      return "GPTQ " + std::to_string(bits) + " bit";
    case QuantizationMethod::kAwq:
      return "AWQ " + std::to_string(bits) + " bit";
  }
  return "";
}

QuantizationConfig parse_quantization(const base::JsonObject& whole, const base::JsonObject& text) {
  QuantizationConfig config;
  std::optional<base::JsonObject> object = find_config(whole);
  if (!object) object = find_config(text);
  if (!object) return config;
  std::string method = object->string("quant_method", "unknown");
  // AutoRound names what it wrote in a second key.
  if (method == "auto-round") method = object->string("packing_format", method);
  if (method == "fp8") {
    read_fp8(*object, config);
  } else if (method == "gptq" || method == "auto_round:auto_gptq") {
    read_gptq(*object, config);
  } else if (method == "awq" || method == "auto_round:auto_awq") {
    read_awq(*object, config);
  } else {
    throw base::Error("model.quantization_unsupported", object->source(),
                      base::printable(method.substr(0, 100)));
  }
  return config;
}

}  // namespace tulou::model
