// A matrix or vector somewhere in memory. Owns nothing; passed by value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace tulou::tensor {

// Up to four extents, outermost first, as safetensors and torch write them; unused ones are 1.
struct Shape {
  std::array<int64_t, 4> extent = {1, 1, 1, 1};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) {
    for (const int64_t e : extents) extent[static_cast<size_t>(rank++)] = e;
  }
  int64_t operator[](int i) const { return extent[static_cast<size_t>(i)]; }
  // The innermost extent: the values of one row.
  int64_t width() const { return rank == 0 ? 1 : extent[static_cast<size_t>(rank - 1)]; }
  // The product of all but the innermost extent.
  int64_t rows() const {
    int64_t product = 1;
    for (int i = 0; i + 1 < rank; ++i) product *= extent[static_cast<size_t>(i)];
    return product;
  }
  int64_t values() const { return rows() * width(); }
  bool operator==(const Shape&) const = default;
};

// Rows of `shape.width()` values that follow each other without gaps.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  size_t bytes_per_row() const { return row_bytes(dtype, shape.width()); }
  size_t bytes() const { return bytes_per_row() * static_cast<size_t>(shape.rows()); }
  const std::byte* row(int64_t i) const { return data + static_cast<size_t>(i) * bytes_per_row(); }
  // Rows [begin, begin + count) as a matrix.
  TensorView slice(int64_t begin, int64_t count) const {
    return {row(begin), dtype, {count, shape.width()}};
  }
};

}  // namespace tulou::tensor
