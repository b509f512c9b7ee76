// Activations: rows of floats without gaps, in memory of the pass's arena.
#pragma once

#include <cstdint>

namespace tulou::nn {

struct Matrix {
  float* data = nullptr;
  int64_t rows = 0, width = 0;
  float* row(int64_t i) const { return data + i * width; }
};

struct ConstMatrix {
  const float* data = nullptr;
  int64_t rows = 0, width = 0;
  ConstMatrix() = default;
  ConstMatrix(const float* values, int64_t num_rows, int64_t row_width)
      : data(values), rows(num_rows), width(row_width) {}
  ConstMatrix(const Matrix& m) : data(m.data), rows(m.rows), width(m.width) {}
  const float* row(int64_t i) const { return data + i * width; }
};

}  // namespace tulou::nn
