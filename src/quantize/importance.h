// Importance matrices: for each column of a weight the mean square of what it is multiplied with,
// in the GGUF form that llama.cpp reads and writes.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/source_tensor.h"

namespace tulou::quantize {

// Sums of squares of one tensor's inputs; a stack of experts has a row for each.
struct InputSquares {
  int64_t width = 0;
  std::vector<float> sums;       // [matrices, width]
  std::vector<uint64_t> counts;  // inputs seen by each matrix
};

// What was seen while a model read a text, by the tensors' GGUF names.
using InputStatistics = std::map<std::string, InputSquares>;

// Writes the file (atomically). `chunk_size` is in tokens. Error file.not_writable.
void write_importance(const std::string& path, const InputStatistics& statistics,
                      const std::string& dataset, uint32_t num_chunks, uint32_t chunk_size);

class ImportanceMatrix {
 public:
  // Error imatrix.not_gguf, imatrix.corrupt, gguf.*, file.*.
  static ImportanceMatrix read(const std::string& path);

  // Error imatrix.other_model unless it belongs to these tensors: every entry is one of them and of
  // its width, and no layer of the first `num_layers` is without any.
  void check(std::span<const SourceTensor> tensors, int64_t num_layers) const;

  // The weights of matrix `index` of a tensor's stack: [width]. nullptr if there are none.
  const float* find(std::string_view name, int64_t index) const;

  const std::string& path() const { return path_; }
  size_t num_entries() const { return entries_.size(); }
  int64_t num_chunks() const { return num_chunks_; }

 private:
  struct Entry {
    int64_t width = 0;
    int64_t num_matrices = 0;
    std::vector<float> means;  // [num_matrices, width]
  };
  std::string path_;
  int64_t num_chunks_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace tulou::quantize
