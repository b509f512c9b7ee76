// The tensor types that a GGUF file may name, by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace tulou::checkpoint {

struct GgmlType {
  uint32_t id = 0;
  std::string_view name;
  int block_size = 1;  // values
  int block_bytes = 0;
  std::optional<tensor::DType> dtype;  // nothing: recognised, not usable
};

// The entry of a type number; nullptr if no type bears it (or bears it any longer).
const GgmlType* find_ggml_type(uint32_t id);

// The number of a type that the program computes with.
uint32_t ggml_type_id(tensor::DType dtype);

}  // namespace tulou::checkpoint
