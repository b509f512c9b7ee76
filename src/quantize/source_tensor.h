// A tensor of the file to be made: where its values come from and what happens to them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/tensor_entry.h"
#include "tensor/tensor_view.h"

namespace tulou::quantize {

// What happens to each value on its way.
enum class Change { kNone, kPlusOne, kNegativeExp };

// Rows of stored tensors, put one after another in parts of equal size, then reordered.
struct SourceTensor {
  struct Part {
    const checkpoint::TensorEntry* entry = nullptr;  // usable; outlives this
    int64_t first_row = 0;                           // of the part's rows in the entry
  };

  std::string name;     // in the file to be made
  tensor::Shape shape;  // outermost first; a vector has one row
  // The type that it has if it is none of the matrices that the file's type is for.
  tensor::DType kept = tensor::DType::kF32;
  std::vector<Part> parts;       // each of shape.rows() / parts.size() rows
  std::vector<int64_t> rows;     // row i is row rows[i] of all parts together; empty: i itself
  std::vector<int64_t> columns;  // value i of a row is value columns[i]; empty: i itself
  Change change = Change::kNone;

  // A row as it is stored.
  const std::byte* stored_row(int64_t row) const;
  tensor::DType stored_dtype(int64_t row) const;
  // Whether rows of `dtype` can be copied as they are stored.
  bool is_copy(tensor::DType dtype) const;
  // Row `row` as floats: out[0, width); `scratch` has room for as many.
  void read_row(int64_t row, float* out, float* scratch) const;
  uint64_t stored_bytes() const;

 private:
  struct Place {
    const checkpoint::TensorEntry* entry;
    int64_t row;
  };
  Place place(int64_t row) const;
};

}  // namespace tulou::quantize
