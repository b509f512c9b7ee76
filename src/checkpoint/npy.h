// Matrices of floats in NumPy's .npy format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace tulou::checkpoint {

// Writes a float32 matrix row by row; nothing is visible at `path` before commit().
class NpyWriter {
 public:
  // Error file.not_writable.
  NpyWriter(const std::string& path, uint64_t rows, uint64_t cols);
  // One or more whole rows; together no more than `rows`.
  void append(std::span<const float> values);
  // All rows must have been appended.
  void commit();

 private:
  base::DurableFile file_;
  uint64_t remaining_;  // values still to come
};

// A whole matrix at once. values.size() == rows * cols.
void write_npy(const std::string& path, uint64_t rows, uint64_t cols,
               std::span<const float> values);

struct NpyArray {
  uint64_t rows = 0, cols = 0;  // a vector is one row
  std::vector<float> values;
};

// Parses versions 1 to 3 with little-endian float32 in C order and one or two dimensions; anything
// else, or a size that is not exactly the shape's, is Error npy.invalid.
NpyArray parse_npy(std::span<const std::byte> file, std::string_view source);

// The same from a file of at most `max_bytes`.
NpyArray read_npy(const std::string& path, uint64_t max_bytes = 1u << 30);

}  // namespace tulou::checkpoint
