// The quantization_config of config.json: how the matrices of a checkpoint folder are stored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tulou::model {

enum class QuantizationMethod { kNone, kFp8, kGptq, kAwq };

struct QuantizationConfig {
  QuantizationMethod method = QuantizationMethod::kNone;
  // fp8: rows and columns of the blocks that share a scale.
  int64_t block_rows = 0, block_columns = 0;
  // gptq, awq: bits of a value (4 or 8; awq 4), input columns of a group (0: all).
  int bits = 0;
  int64_t group_size = 0;
  bool symmetric = false;  // says that every zero point is the middle; what is stored decides
  bool desc_act = false;   // groups by importance: a g_idx must be there
  int zero_offset = 0;     // what the first format of gptq left out of its zero points: 1

  // What a message calls it: "FP8", "GPTQ 4 bit", "AWQ 4 bit"; empty for kNone.
  std::string name() const;
};

// Reads the whole config.json and its text_config. Error model.quantization_unsupported for a
// method that there is no code for, model.unsupported_option for one of its options, json.*.
QuantizationConfig parse_quantization(const base::JsonObject& whole, const base::JsonObject& text);

}  // namespace tulou::model
