// The kinds of GGUF files that are made: a base type for the weights, and a mix around it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace tulou::quantize {

// Which rules choose the types of single tensors; see choose_types.
enum class Mix { kPlain, kQ4_0, kQ4_K_S, kMedium, kIQ4 };

struct FileType {
  std::string_view name;  // as --type takes it: "Q4_K_M"
  tensor::DType base = tensor::DType::kF32;
  uint32_t number = 0;  // general.file_type (llama.h, llama_ftype)
  Mix mix = Mix::kPlain;

  // Blocks of several values: a type for matrices only.
  bool is_quantized() const { return tensor::info(base).block_size > 1; }
};

// All of them, as help and messages list them.
const std::vector<FileType>& file_types();
// nullptr if there is none of this name; case does not matter.
const FileType* find_file_type(std::string_view name);
// "Q4_0, Q4_1, ...".
std::string file_type_names();

}  // namespace tulou::quantize
