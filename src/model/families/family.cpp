#include "model/families/family.h"

#include "base/error.h"

namespace tulou::model {
namespace {

std::string supported(std::string_view Family::* name) {
  std::string names;
  for (const Family* family : families()) {
    if ((family->*name).empty()) continue;
    names += (names.empty() ? "" : ", ") + std::string(family->*name);
  }
  return names;
}

std::string without_text(const std::string& name) {
  return name.ends_with("_text") ? name.substr(0, name.size() - 5) : name;
}

ModelConfig read_gguf_config(const checkpoint::Checkpoint& checkpoint) {
  const checkpoint::GgufMetadata& metadata = checkpoint.metadata();
  const std::string architecture = metadata.string("general.architecture");
  const checkpoint::TensorEntry& embedding = checkpoint.require("token_embd.weight");
  const bool tied = checkpoint.find("output.weight") == nullptr;
  ModelConfig config;
  for (const Family* family : families()) {
    if (family->gguf_architecture.empty() || family->gguf_architecture != architecture) continue;
    config.model_type = family->model_type;
    family->read_gguf(GgufConfig(metadata, architecture, embedding.view.shape.rows(), tied),
                      config);
    config.validate(checkpoint.path());
    return config;
  }
  throw base::Error("model.unsupported_architecture", checkpoint.path(), architecture,
                    supported(&Family::gguf_architecture));
}

}  // namespace

std::vector<const Family*> families() {
  return {&qwen3_5_family(),   &qwen3_5_moe_family(), &qwen3_next_family(), &qwen3_family(),
          &qwen3_moe_family(), &qwen3_vl_family(),    &qwen2_family(),      &llama_family()};
}

ModelConfig parse_config(const base::Json& json, const std::string& source) {
  const base::JsonObject whole(json, source);
  const base::JsonObject text = whole.has("text_config") ? whole.object("text_config") : whole;
  const std::string declared = whole.string("model_type");
  ModelConfig config;
  for (const Family* family : families()) {
    if (family->model_type != without_text(declared)) continue;
    config.model_type = family->model_type;
    family->read_json(JsonConfig(text, whole), config);
    config.quantization = parse_quantization(whole, text);
    config.validate(source);
    return config;
  }
  throw base::Error("model.unsupported_architecture", source, declared,
                    supported(&Family::model_type));
}

ModelConfig read_config(const checkpoint::Checkpoint& checkpoint) {
  if (checkpoint.format() == checkpoint::Format::kGguf) return read_gguf_config(checkpoint);
  return parse_config(checkpoint.config(), checkpoint.path() + "/config.json");
}

}  // namespace tulou::model
