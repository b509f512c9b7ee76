// A matrix of a checkpoint folder that is stored as several tensors: FP8 with block scales, GPTQ,
// AWQ. Layouts: DeepSeek-V3's inference code (FP8), AutoGPTQ's and GPTQModel's QuantLinear,
// AutoAWQ's WQLinear_GEMM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/quantization_config.h"
#include "tensor/dtype.h"

namespace tulou::model {

class QuantizedMatrix {
 public:
  // Whether the matrix `module` ("model.layers.0.mlp.up_proj") is stored in this way.
  static bool is_stored(const checkpoint::Checkpoint& checkpoint, const QuantizationConfig& config,
                        const std::string& module);

  // Finds the tensors of the matrix [out, in] and checks their types, shapes and group indices.
  // Error checkpoint.missing_tensor, checkpoint.dtype_unsupported, model.tensor_shape,
  // model.bad_group_index.
  QuantizedMatrix(const checkpoint::Checkpoint& checkpoint, const QuantizationConfig& config,
                  const std::string& module, int64_t out, int64_t in);

  // The tensors that it consists of.
  const std::vector<const checkpoint::TensorEntry*>& parts() const { return parts_; }

  // The type that its rows are computed in. `exact`: F32, which holds every value as torch computes
  // it. Else Q4_0 or Q4_1 for 4 bits in groups of whole blocks of 32 columns (Q4_0 if every zero
  // point is 8), Q8_0 for the others; F32 if 32 does not divide the width.
  tensor::DType target(bool exact) const;

  // Writes rows [begin, end) in the type target() to `out`. Threads may share the work.
  void convert(int64_t begin, int64_t end, tensor::DType to, std::byte* out) const;

 private:
  const checkpoint::TensorEntry& part(const std::string& name, std::string_view stored_dtype);
  std::vector<float> scales(const std::string& name, int64_t rows, int64_t columns);
  void check_shape(const checkpoint::TensorEntry& entry, int64_t rows, int64_t columns) const;
  void open_fp8(const std::string& module);
  void open_groups(const std::string& module);
  void read_group_index(const std::string& module);
  void read_zeros(const checkpoint::TensorEntry& entry);
  void find_blocks();

  int64_t groups() const { return group_size_ == 0 ? 0 : (in_ + group_size_ - 1) / group_size_; }
  size_t at_group(int64_t column, int64_t row) const {
    return static_cast<size_t>(group_[static_cast<size_t>(column)] * out_ + row);
  }
  void unpack(int64_t begin, int64_t end, uint8_t* q) const;
  void fp8_row(int64_t row, float* values) const;
  void group_row(int64_t row, const uint8_t* q, float* values) const;
  void pack_row(int64_t row, const uint8_t* q, tensor::DType to, std::byte* out) const;

  const checkpoint::Checkpoint& checkpoint_;
  const QuantizationConfig& config_;
  int64_t out_, in_;
  std::vector<const checkpoint::TensorEntry*> parts_;
  const std::byte* weight_ = nullptr;  // FP8 codes [out, in], or packed words
  std::vector<float> scales_;          // FP8: [blocks, blocks]; else [groups, out]
  int64_t group_size_ = 0;
  std::vector<int32_t> group_;  // of each input column
  std::vector<int32_t> zeros_;  // [groups, out]
  bool whole_blocks_ = false;   // every 32 columns lie in one group
  bool middle_zeros_ = false;   // every zero point is 2^(bits - 1)
};

}  // namespace tulou::model
