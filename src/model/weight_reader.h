// Reads named tensors of a checkpoint into weights: checks shapes, copies, remembers what was used.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace tulou::model {

class WeightReader {
 public:
  // `threads` pack the matrices.
  WeightReader(const checkpoint::Checkpoint& checkpoint, const base::ThreadPool::Lease& threads,
               base::Progress& progress)
      : checkpoint_(checkpoint), threads_(threads), progress_(progress) {}

  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }

  // A matrix [out, in]. `rows`, if given, are the stored rows that it takes, in its order: `out` is
  // then their number. Error checkpoint.missing_tensor, checkpoint.dtype_unsupported or
  // model.tensor_shape.
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

  // Throws Error model.extra_tensor for a tensor that nobody asked for and `skipped` does not know.
  void check_all_used(const std::function<bool(std::string_view)>& skipped) const;

 private:
  const checkpoint::TensorEntry& take(const std::string& name);
  [[noreturn]] void wrong_shape(const checkpoint::TensorEntry& entry,
                                const std::string& expected) const;
  const checkpoint::Checkpoint& checkpoint_;
  const base::ThreadPool::Lease& threads_;
  base::Progress& progress_;
  std::set<std::string, std::less<>> used_;
  uint64_t bytes_read_ = 0;
};

}  // namespace tulou::model
