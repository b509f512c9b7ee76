// Reads named tensors of a checkpoint into weights: checks shapes, copies, remembers what was used.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"
#include "model/conversions.h"
#include "model/load_weights.h"
#include "model/quantization_config.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace tulou::model {

class WeightReader {
 public:
  // `quantization` says how matrices that are no tensor of their own are stored; `threads` convert
  // and pack into `memory`, or beyond it where that is too small. All but the options must outlive
  // the reader.
  WeightReader(const checkpoint::Checkpoint& checkpoint, const QuantizationConfig& quantization,
               const base::ThreadPool::Lease& threads, base::Slab& memory, base::Progress& progress,
               const LoadOptions& options)
      : checkpoint_(checkpoint),
        quantization_(quantization),
        threads_(threads),
        memory_(memory),
        progress_(progress),
        options_(options) {}

  // Whether a tensor is there, or for "X.weight" a matrix X that is stored in several tensors.
  bool has(const std::string& name) const;

  // A matrix [out, in] by the name of its tensor "X.weight", in the type that it is computed in;
  // with its bias if it is stored in several tensors and has one. Error checkpoint.missing_tensor,
  // checkpoint.dtype_unsupported, model.tensor_shape or model.bad_group_index.
  nn::Linear linear(const std::string& name, int64_t out, int64_t in);
  // Rows of a stored matrix [stored_rows, in].
  nn::Linear linear_rows(const std::string& name, int64_t stored_rows, int64_t in,
                         std::span<const int64_t> rows);
  // Like linear, of one matrix in a stack [count, out, in] of them.
  nn::Linear linear_of_stack(const std::string& name, int64_t count, int64_t index, int64_t begin,
                             int64_t rows, int64_t stored_rows, int64_t in);
  // `count` numbers in any shape, as floats.
  std::vector<float> numbers(const std::string& name, int64_t count);
  nn::NormWeight norm(const std::string& name, int64_t width, bool zero_centred, double eps);

  // The names of the tensors that were read.
  const std::set<std::string, std::less<>>& used() const { return used_; }

  // Of all matrices so far.
  const Conversions& conversions() const { return conversions_; }

 private:
  // Writes stored rows [begin, end) of a matrix to `out`.
  using ConvertRows = std::function<void(int64_t begin, int64_t end, std::byte* out)>;

  const checkpoint::TensorEntry& take(const std::string& name);
  void use(const checkpoint::TensorEntry& entry);
  nn::Linear plain(const checkpoint::TensorEntry& entry, const tensor::TensorView& view,
                   std::span<const int64_t> rows);
  nn::Linear quantized(const std::string& module, int64_t stored_rows, int64_t in,
                       std::span<const int64_t> rows);
  base::Buffer converted(int64_t rows, size_t row_bytes, std::string_view what,
                         const ConvertRows& convert);
  const checkpoint::Checkpoint& checkpoint_;
  const QuantizationConfig& quantization_;
  const base::ThreadPool::Lease& threads_;
  base::Slab& memory_;
  base::Progress& progress_;
  LoadOptions options_;
  Conversions conversions_;
  std::set<std::string, std::less<>> used_, converted_;
  uint64_t bytes_read_ = 0;
};

}  // namespace tulou::model
