#include "nn/linear.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"

namespace tulou::nn {
namespace {

// One piece of work: rows [begin, end) of one matrix.
struct Piece {
  size_t linear;
  int64_t begin, end;
};

// Pieces are small enough to balance the threads, and whole groups of rows for the kernel.
int64_t piece_rows(int64_t rows, size_t threads) {
  const int64_t per_thread = rows / static_cast<int64_t>(threads * 4);
  const int64_t rounded = per_thread / kernels::kGemmRows * kernels::kGemmRows;
  return std::clamp<int64_t>(rounded, kernels::kGemmRows, 256);
}

}  // namespace

Linear::Linear(const tensor::TensorView& weight, std::string_view what,
               std::span<const int64_t> rows)
    : storage_(weight.bytes_per_row() *
                   (rows.empty() ? static_cast<size_t>(weight.shape.rows()) : rows.size()),
               what) {
  if (rows.empty()) {
    std::memcpy(storage_.data(), weight.data, storage_.size());
    view_ = {storage_.data(), weight.dtype, {weight.shape.rows(), weight.shape.width()}};
    return;
  }
  const size_t bytes = weight.bytes_per_row();
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(storage_.data() + i * bytes, weight.row(rows[i]), bytes);
  view_ = {
      storage_.data(), weight.dtype, {static_cast<int64_t>(rows.size()), weight.shape.width()}};
}

Activations Linear::prepare(Pass&, ConstMatrix x) { return {x}; }

void multiply_group(Pass& pass, const Activations& x, std::span<const Linear* const> linears,
                    std::span<const Matrix> y, Linear::Epilogue epilogue) {
  DCHECK(linears.size() == y.size());
  std::vector<Piece> pieces;
  for (size_t i = 0; i < linears.size(); ++i) {
    DCHECK(linears[i]->in_features() == x.values.width && y[i].rows == x.values.rows &&
           linears[i]->out_features() == y[i].width);
    const int64_t rows = linears[i]->out_features();
    const int64_t step = piece_rows(rows, pass.num_threads());
    for (int64_t begin = 0; begin < rows; begin += step)
      pieces.push_back({i, begin, std::min(rows, begin + step)});
  }
  pass.parallel_for(pieces.size(), [&](size_t index, size_t worker) {
    const Piece& piece = pieces[index];
    const Linear& linear = *linears[piece.linear];
    kernels::GemmArgs args;
    args.weight = linear.view_.data;
    args.dtype = linear.view_.dtype;
    args.k = linear.in_features();
    args.begin = piece.begin;
    args.end = piece.end;
    args.x = x.values.data;
    args.x_stride = x.values.width;
    args.m = x.values.rows;
    args.bias = linear.bias_.empty() ? nullptr : linear.bias_.data();
    args.accumulate = epilogue == Linear::Epilogue::kAdd;
    args.y = y[piece.linear].data;
    args.y_stride = y[piece.linear].width;
    args.scratch = pass.scratch(worker);
    pass.kernels().gemm.gemm(args);
  });
}

void Linear::multiply(Pass& pass, const Activations& x, Matrix y, Epilogue epilogue) const {
  const Linear* self = this;
  multiply_group(pass, x, {&self, 1}, {&y, 1}, epilogue);
}

void Linear::multiply(Pass& pass, const Activations& x, Matrix y,
                      std::span<const Adapter* const> adapters) const {
  multiply(pass, x, y);
  pass.parallel_for(static_cast<size_t>(y.rows), [&](size_t index, size_t) {
    const Adapter* adapter = adapters[index];
    if (adapter == nullptr) return;
    const auto row = static_cast<int64_t>(index);
    // Rank is small: plain sums in rising order, in fp32, the same for any batch.
    std::vector<float> low(static_cast<size_t>(adapter->rank), 0.0f);
    for (int64_t r = 0; r < adapter->rank; ++r) {
      for (int64_t i = 0; i < in_features(); ++i)
        low[static_cast<size_t>(r)] += adapter->a[r * in_features() + i] * x.values.row(row)[i];
    }
    for (int64_t o = 0; o < out_features(); ++o) {
      float sum = 0;
      for (int64_t r = 0; r < adapter->rank; ++r)
        sum += adapter->b[o * adapter->rank + r] * low[static_cast<size_t>(r)];
      y.row(row)[o] += adapter->scale * sum;
    }
  });
}

void Linear::multiply_transposed(Pass& pass, ConstMatrix dy, Matrix dx) const {
  DCHECK(dy.width == out_features() && dx.width == in_features() && dy.rows == dx.rows);
  // Columns in pieces that the formats' blocks divide; each sums over rising rows of W.
  const int64_t step = tensor::info(view_.dtype).block_size == 1 ? 64 : 256;
  const auto pieces = static_cast<size_t>((in_features() + step - 1) / step);
  pass.parallel_for(pieces, [&](size_t index, size_t worker) {
    const int64_t begin = static_cast<int64_t>(index) * step;
    const int64_t count = std::min(step, in_features() - begin);
    float* weights = pass.scratch(worker);
    for (int64_t m = 0; m < dx.rows; ++m)
      std::memset(dx.row(m) + begin, 0, static_cast<size_t>(count) * sizeof(float));
    for (int64_t o = 0; o < out_features(); ++o) {
      pass.kernels().gemm.decode(view_.dtype, view_.row(o), begin, begin + count, weights);
      for (int64_t m = 0; m < dx.rows; ++m)
        pass.kernels().activation.add_scaled(weights, dy.row(m)[o], dx.row(m) + begin, count);
    }
  });
}

void Linear::row(const Pass& pass, int64_t i, float* out) const {
  pass.kernels().gemm.decode(view_.dtype, view_.row(i), 0, in_features(), out);
}

std::vector<float> Linear::unpack() const {
  std::vector<float> values(static_cast<size_t>(view_.shape.values()));
  for (int64_t i = 0; i < out_features(); ++i)
    kernels::dequantize_row(view_.dtype, view_.row(i), values.data() + i * in_features(),
                            in_features());
  return values;
}

}  // namespace tulou::nn
