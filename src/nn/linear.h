// A matrix of weights as a model uses it. Its type and layout are the weight's own affair: callers
// multiply. The only place that splits matrix products over threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "nn/matrix.h"
#include "nn/pass.h"
#include "tensor/tensor_view.h"

namespace tulou::nn {

// Rows from which on Precision::kBf16Prefill takes bf16 for weights in blocks: below, expanding
// them to bf16 costs more than it saves. An estimate from counts of instructions, not measured.
inline constexpr int64_t kBf16PrefillRows = 64;

// Activations as a product takes them: fp32 rows. Where weights have the int8 or the bf16 recipe
// (kernels/gemm/gemm.h) multiply_group converts them, once for all matrices of the group.
struct Activations {
  ConstMatrix values;
};

// A low-rank change of one Linear: y += scale * B (A x). A [rank, in], B [out, rank], fp32, owned
// by whoever loaded the adapter.
struct Adapter {
  const float* a = nullptr;
  const float* b = nullptr;
  int64_t rank = 0;
  float scale = 1;
};

// What packing a matrix may use; all of it may be missing.
struct Packing {
  const base::ThreadPool::Lease* threads = nullptr;  // share the work
  base::Slab* memory = nullptr;                      // where panels go, else memory of their own
  // Is called with parts of the stored rows when they are packed, by any of the threads.
  std::function<void(const tensor::TensorView& rows)> packed;
};

class Product;

class Linear {
 public:
  Linear() = default;
  // Packs the weight [out, in] into panels (kernels/gemm/panel.h), nothing is rounded. `what` names
  // it in errors. `rows`, if not empty, says which stored row each row takes. Widths must fit the
  // type's blocks.
  Linear(const tensor::TensorView& weight, std::string_view what,
         std::span<const int64_t> rows = {}, const Packing& packing = {});
  void set_bias(std::vector<float> bias) { bias_ = std::move(bias); }

  bool empty() const { return panels_.size() == 0; }
  int64_t in_features() const { return in_features_; }
  int64_t out_features() const { return out_features_; }
  tensor::DType dtype() const { return dtype_; }  // as stored
  // How a pass with `rows` rows computes it.
  kernels::Recipe recipe(const kernels::Kernels& kernels, Precision precision,
                         int64_t rows = 1) const;
  size_t bytes() const { return panels_.size() + bias_.size() * sizeof(float); }

  // Brings rows [rows, in] into the form that multiply takes; they must outlive the result.
  static Activations prepare(Pass& pass, ConstMatrix x);

  enum class Epilogue { kStore, kAdd };  // y = ..., y += ...
  // y [rows, out] = x W^T + bias. Each value's bits depend on its row and weight alone.
  void multiply(Pass& pass, const Activations& x, Matrix y,
                Epilogue epilogue = Epilogue::kStore) const;
  // The same with an adapter for each row, null for none: adapters[row].
  void multiply(Pass& pass, const Activations& x, Matrix y,
                std::span<const Adapter* const> adapters) const;
  // dx [rows, in] = dy [rows, out] W: the way back in training.
  void multiply_transposed(Pass& pass, ConstMatrix dy, Matrix dx) const;
  // Row i as floats: [in].
  void row(const Pass& pass, int64_t i, float* out) const;
  // All of it as floats: [out, in].
  std::vector<float> unpack(const kernels::Kernels& kernels) const;

 private:
  friend class Product;
  const std::byte* panel(int64_t row) const;
  tensor::DType type() const { return kernels::panel_type(dtype_); }  // of the panels
  base::Buffer panels_;
  tensor::DType dtype_ = tensor::DType::kF32;
  int64_t in_features_ = 0, out_features_ = 0;
  std::vector<float> bias_;
};

// Several products of the same activations in one parallel region: y[i] = x W[i]^T + bias[i].
void multiply_group(Pass& pass, const Activations& x, std::span<const Linear* const> linears,
                    std::span<const Matrix> y,
                    Linear::Epilogue epilogue = Linear::Epilogue::kStore);

// y = silu(x gate^T) * (x up^T), each part with its bias, in one parallel region: silu is taken of
// what is still in the cache. The matrices are of one shape, y is [rows, out].
void multiply_gated(Pass& pass, const Activations& x, const Linear& gate, const Linear& up,
                    Matrix y);

}  // namespace tulou::nn
