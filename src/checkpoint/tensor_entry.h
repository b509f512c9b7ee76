// One tensor of a checkpoint: its name, its view, and where it lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tensor/tensor_view.h"

namespace tulou::checkpoint {

// The shape is [out, in] as torch writes it ([experts, out, in] of stacked experts), whatever the
// file's own order. More than four extents are flattened to two: the first, and the product of the
// others (a convolution over patches is such a matrix).
//
// A tensor whose type is no type of weights by itself (I64, F8_E4M3, Q8_K ...) is listed with
// usable == false and view.data == nullptr; who needs it must refuse, naming stored_dtype, or know
// what the bytes of Checkpoint::data() mean.
//
// view.data has no alignment in safetensors files: read it with unaligned loads or memcpy.
struct TensorEntry {
  std::string name;
  tensor::TensorView view;
  size_t file_index = 0;          // into Checkpoint::file_path()
  uint64_t offset = 0;            // of the data within its file
  uint64_t bytes = 0;             // of the data
  std::string_view stored_dtype;  // as the format spells it: "BF16", "I64", "Q4_K"; static
  bool usable = true;
};

}  // namespace tulou::checkpoint
