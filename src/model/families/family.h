// The model families that this program runs. A family is data: how its config.json and its GGUF
// metadata become a ModelConfig. Adding one is one file here and one line in families.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/families/config_reader.h"
#include "model/model_config.h"

namespace tulou::model {

struct Family {
  std::string_view model_type;         // of config.json, or of its text_config without "_text"
  std::string_view gguf_architecture;  // empty: not known as GGUF
  // Reads the decoder's part of config.json: the text_config, or all of a flat file.
  void (*read_json)(const JsonConfig& json, ModelConfig& config);
  void (*read_gguf)(const GgufConfig& gguf, ModelConfig& config);
};

// One function a family, in its file.
const Family& qwen3_5_family();
const Family& qwen3_5_moe_family();
const Family& qwen3_next_family();
const Family& qwen3_family();
const Family& qwen3_moe_family();
const Family& qwen3_vl_family();
const Family& qwen2_family();
const Family& llama_family();

// All of them, in the order of the README's table.
std::vector<const Family*> families();

// The decoder's configuration in a config.json, validated; `source` names it in errors. Error
// model.*, json.*.
ModelConfig parse_config(const base::Json& json, const std::string& source);

// The decoder's configuration of a checkpoint, validated. Error model.unsupported_architecture
// names what it is and what there is.
ModelConfig read_config(const checkpoint::Checkpoint& checkpoint);

}  // namespace tulou::model
