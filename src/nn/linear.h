// A matrix of weights as a model uses it. Its type and layout are the weight's own affair: callers
// multiply. The only place that splits matrix products over threads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "nn/matrix.h"
#include "nn/pass.h"
#include "tensor/tensor_view.h"

namespace tulou::nn {

// Activations in the form that a weight's recipe multiplies. All recipes so far take fp32 rows.
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

class Linear {
 public:
  Linear() = default;
  // Copies the weight [out, in] into memory of its own, as it is stored. `what` names it in errors.
  // `rows`, if not empty, says which stored row each row takes. Widths must fit the type's blocks.
  Linear(const tensor::TensorView& weight, std::string_view what,
         std::span<const int64_t> rows = {});
  void set_bias(std::vector<float> bias) { bias_ = std::move(bias); }

  bool empty() const { return view_.data == nullptr; }
  int64_t in_features() const { return view_.shape.width(); }
  int64_t out_features() const { return view_.shape.rows(); }
  tensor::DType dtype() const { return view_.dtype; }
  size_t bytes() const { return storage_.size() + bias_.size() * sizeof(float); }

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
  std::vector<float> unpack() const;

 private:
  friend void multiply_group(Pass&, const Activations&, std::span<const Linear* const>,
                             std::span<const Matrix>, Epilogue);
  base::Buffer storage_;
  tensor::TensorView view_;
  std::vector<float> bias_;
};

// Several products of the same activations in one parallel region: y[i] = x W[i]^T + bias[i].
void multiply_group(Pass& pass, const Activations& x, std::span<const Linear* const> linears,
                    std::span<const Matrix> y,
                    Linear::Epilogue epilogue = Linear::Epilogue::kStore);

}  // namespace tulou::nn
