#include "nn/linear.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace tulou::nn {
namespace {

using kernels::kPanelRows;
using kernels::Recipe;

// One piece of work: panels first, first + step, ... of one matrix.
struct Piece {
  size_t linear;
  int64_t first, step, count;
};

int64_t num_panels(const Linear& linear) {
  return (linear.out_features() + kPanelRows - 1) / kPanelRows;
}

// With few rows the memory is what counts: a piece is a panel from each of several parts of the
// matrix, far apart, or, in one stream, neighbouring panels, fewer of them towards the end, so that
// no thread has to wait long for the others. With many rows it is neighbouring panels, enough to
// share the rows in the cache and few enough to balance the threads.
void add_pieces(size_t index, int64_t panels, int64_t rows, int64_t streams, size_t threads,
                std::vector<Piece>& pieces) {
  const auto parts = static_cast<int64_t>(threads * 4);
  if (rows > kernels::kDirectRows) {
    const int64_t count = std::clamp<int64_t>(panels / parts / 2 * 2, 2, 16);
    for (int64_t i = 0; i < panels; i += count)
      pieces.push_back({index, i, 1, std::min(count, panels - i)});
  } else if (streams == 1) {
    for (int64_t i = 0; i < panels; i += pieces.back().count)
      pieces.push_back({index, i, 1, std::clamp<int64_t>((panels - i) / parts, 1, 16)});
  } else {
    const int64_t step = (panels + streams - 1) / streams;
    for (int64_t i = 0; i < step; ++i)
      pieces.push_back({index, i, step, (panels - i + step - 1) / step});
  }
}

// Panels that a thread packs at a time: enough of the file for its pages to be dropped together,
// few enough to share a small matrix.
int64_t panels_of_piece(const tensor::TensorView& weight, int64_t panels) {
  constexpr size_t kPieceBytes = size_t{1} << 20;
  const size_t panel_bytes = weight.bytes_per_row() * static_cast<size_t>(kPanelRows);
  const auto large = static_cast<int64_t>(kPieceBytes / std::max<size_t>(panel_bytes, 1));
  return std::clamp<int64_t>(large, 1, std::max<int64_t>(panels / 8, 1));
}

// The stored rows of one panel.
kernels::PanelSource stored_rows(const tensor::TensorView& weight, std::span<const int64_t> rows,
                                 int64_t panel) {
  const int64_t count = rows.empty() ? weight.shape.rows() : static_cast<int64_t>(rows.size());
  kernels::PanelSource source{};
  for (int64_t i = 0; i < kPanelRows && panel * kPanelRows + i < count; ++i) {
    const int64_t row = panel * kPanelRows + i;
    source[static_cast<size_t>(i)] =
        weight.row(rows.empty() ? row : rows[static_cast<size_t>(row)]);
  }
  return source;
}

template <typename T>
T* allocate(Pass& pass, int64_t count) {
  return pass.arena().allocate<T>(static_cast<size_t>(count)).data();
}

template <typename Row>
void for_rows(Pass& pass, int64_t rows, const Row& row) {
  if (rows > kernels::kDirectRows) {
    pass.parallel_for(static_cast<size_t>(rows),
                      [&](size_t r, size_t) { row(static_cast<int64_t>(r)); });
  } else {  // waking the other threads takes longer
    for (int64_t r = 0; r < rows; ++r) row(r);
  }
}

// Rows of x in int8, in the pass's arena.
kernels::QuantizedRows quantize(Pass& pass, ConstMatrix x) {
  const int64_t height = pass.kernels().gemm.tile_height(x.rows);
  const int64_t rows = (x.rows + height - 1) / height * height;
  const int64_t blocks = x.width / kernels::kBlock;
  kernels::QuantizedRows to;
  to.tile_rows = height;
  to.values = allocate<int8_t>(pass, rows * x.width);
  to.scale = allocate<float>(pass, rows * blocks);
  to.scaled_sum = allocate<float>(pass, rows * blocks);
  to.sum = allocate<int32_t>(pass, rows * blocks);
  to.half_sums = allocate<int32_t>(pass, rows * blocks);
  if (rows > x.rows) {  // the last tile has rows that nobody writes
    const kernels::QuantizedRows last = to.from(rows - height, x.width);
    const auto tile = static_cast<size_t>(height * blocks);
    std::memset(last.values, 0, tile * kernels::kBlock);
    std::memset(last.scale, 0, tile * sizeof(float));
    std::memset(last.scaled_sum, 0, tile * sizeof(float));
  }
  for_rows(pass, x.rows, [&](int64_t r) {
    pass.kernels().gemm.quantize(x.row(r), x.width, to.from(r, x.width));
  });
  return to;
}

// Rows of x in bf16, likewise.
kernels::RoundedRows round(Pass& pass, ConstMatrix x) {
  const int64_t height = pass.kernels().gemm.tile_height(x.rows);
  const int64_t rows = (x.rows + height - 1) / height * height;
  const int64_t width = (x.width + kernels::kBlock - 1) / kernels::kBlock * kernels::kBlock;
  kernels::RoundedRows to;
  to.tile_rows = height;
  to.values = allocate<uint16_t>(pass, rows * width);
  if (rows > x.rows)
    std::memset(to.from(rows - height, x.width).values, 0,
                static_cast<size_t>(height * width) * sizeof(uint16_t));
  for_rows(pass, x.rows,
           [&](int64_t r) { pass.kernels().gemm.round(x.row(r), x.width, to.from(r, x.width)); });
  return to;
}

}  // namespace

Linear::Linear(const tensor::TensorView& weight, std::string_view what,
               std::span<const int64_t> rows, const Packing& packing)
    : dtype_(weight.dtype),
      in_features_(weight.shape.width()),
      out_features_(rows.empty() ? weight.shape.rows() : static_cast<int64_t>(rows.size())) {
  const size_t bytes = kernels::panel_bytes(type(), in_features_);
  const int64_t count = num_panels(*this);
  const size_t total = kernels::matrix_bytes(dtype_, out_features_, in_features_);
  panels_ =
      packing.memory != nullptr ? packing.memory->take(total, what) : base::Buffer(total, what);
  const int64_t per_piece = panels_of_piece(weight, count);
  const auto pack = [&](size_t index, size_t) {
    const int64_t begin = static_cast<int64_t>(index) * per_piece;
    const int64_t end = std::min(begin + per_piece, count);
    for (int64_t i = begin; i < end; ++i)
      kernels::pack_panel(dtype_, stored_rows(weight, rows, i), in_features_,
                          panels_.data() + static_cast<size_t>(i) * bytes);
    const int64_t first = begin * kPanelRows, last = std::min(end * kPanelRows, out_features_);
    if (packing.packed && rows.empty()) packing.packed(weight.slice(first, last - first));
  };
  const auto pieces = static_cast<size_t>((count + per_piece - 1) / per_piece);
  if (packing.threads != nullptr) {
    packing.threads->parallel_for(pieces, pack);
  } else {
    for (size_t index = 0; index < pieces; ++index) pack(index, 0);
  }
  if (packing.packed && !rows.empty()) packing.packed(weight);
}

const std::byte* Linear::panel(int64_t row) const {
  return panels_.data() +
         static_cast<size_t>(row / kPanelRows) * kernels::panel_bytes(type(), in_features_);
}

Recipe Linear::recipe(const kernels::Kernels& kernels, Precision precision, int64_t rows) const {
  const bool has_bf16 = kernels.gemm.round != nullptr;
  if (precision == Precision::kExact) return Recipe::kFp32;
  if (type() == tensor::DType::kBF16 && has_bf16) return Recipe::kBf16;
  if (!kernels::has_int8_recipe(type())) return Recipe::kFp32;
  const bool bf16 = precision == Precision::kBf16Prefill && rows >= kBf16PrefillRows;
  return bf16 && has_bf16 ? Recipe::kBf16 : Recipe::kInt8;
}

Activations Linear::prepare(Pass&, ConstMatrix x) { return {x}; }

// Products of the same rows with several matrices.
class Product {
 public:
  // Brings the rows into the forms that the matrices take.
  Product(Pass& pass, ConstMatrix x, std::span<const Linear* const> linears) : pass_(pass), x_(x) {
    for (const Linear* linear : linears) {
      DCHECK(linear->in_features() == x.width);
      if (pass.observer() != nullptr) pass.observer()->observe(*linear, x);
      const Recipe form = recipe(*linear);
      if (form == Recipe::kInt8 && quantized_.values == nullptr) quantized_ = quantize(pass, x);
      if (form == Recipe::kBf16 && rounded_.values == nullptr) rounded_ = round(pass, x);
    }
  }

  // Appends the work on one matrix.
  void add_pieces(size_t index, const Linear& linear, std::vector<Piece>& pieces) const {
    const int64_t streams =
        recipe(linear) == Recipe::kInt8 ? pass_.kernels().gemm.int8_streams : kernels::kStreams;
    nn::add_pieces(index, num_panels(linear), x_.rows, streams, pass_.num_threads(), pieces);
  }

  // The columns of y that belong to the piece.
  void multiply(const Linear& linear, const Piece& piece, Matrix y, Linear::Epilogue epilogue,
                size_t worker) const {
    DCHECK(y.rows == x_.rows && y.width == linear.out_features());
    kernels::GemmArgs args;
    args.panels = linear.panels_.data();
    args.type = linear.type();
    args.n = linear.out_features();
    args.k = linear.in_features();
    args.first = piece.first;
    args.step = piece.step;
    args.count = piece.count;
    args.x = x_.data;
    args.x_stride = x_.width;
    const Recipe form = recipe(linear);
    if (form == Recipe::kInt8) args.quantized = quantized_;
    if (form == Recipe::kBf16) args.rounded = rounded_;
    args.m = x_.rows;
    args.bias = linear.bias_.empty() ? nullptr : linear.bias_.data();
    args.accumulate = epilogue == Linear::Epilogue::kAdd;
    args.y = y.data;
    args.y_stride = y.width;
    args.scratch = pass_.scratch(worker);
    pass_.kernels().gemm.gemm(args);
  }

 private:
  Recipe recipe(const Linear& linear) const {
    return linear.recipe(pass_.kernels(), pass_.precision(), x_.rows);
  }

  Pass& pass_;
  ConstMatrix x_;
  kernels::QuantizedRows quantized_;
  kernels::RoundedRows rounded_;
};

void multiply_group(Pass& pass, const Activations& x, std::span<const Linear* const> linears,
                    std::span<const Matrix> y, Linear::Epilogue epilogue) {
  DCHECK(linears.size() == y.size());
  const Product product(pass, x.values, linears);
  std::vector<Piece> pieces;
  for (size_t i = 0; i < linears.size(); ++i) product.add_pieces(i, *linears[i], pieces);
  pass.parallel_for(pieces.size(), [&](size_t index, size_t worker) {
    const Piece& piece = pieces[index];
    product.multiply(*linears[piece.linear], piece, y[piece.linear], epilogue, worker);
  });
}

void multiply_gated(Pass& pass, const Activations& x, const Linear& gate, const Linear& up,
                    Matrix y) {
  DCHECK(gate.out_features() == up.out_features());
  const Linear* linears[] = {&gate, &up};
  const Product product(pass, x.values, linears);
  const Matrix factor = pass.matrix(y.rows, y.width);
  std::vector<Piece> pieces;
  product.add_pieces(0, gate, pieces);
  pass.parallel_for(pieces.size(), [&](size_t index, size_t worker) {
    const Piece& piece = pieces[index];
    product.multiply(gate, piece, y, Linear::Epilogue::kStore, worker);
    product.multiply(up, piece, factor, Linear::Epilogue::kStore, worker);
    // Neighbouring panels are neighbouring columns.
    const bool run = piece.step == 1;
    const int64_t width = run ? piece.count * kPanelRows : kPanelRows;
    for (int64_t i = 0; i < (run ? 1 : piece.count); ++i) {
      const int64_t begin = (piece.first + i * piece.step) * kPanelRows;
      const int64_t count = std::min(width, y.width - begin);
      for (int64_t r = 0; r < y.rows; ++r) {
        float* at = y.row(r) + begin;
        pass.kernels().activation.silu_mul(at, factor.row(r) + begin, at, count);
      }
    }
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
  // Columns in pieces of whole blocks; each sums over rising rows of W.
  constexpr int64_t kStep = 256;
  const auto pieces = static_cast<size_t>((in_features() + kStep - 1) / kStep);
  pass.parallel_for(pieces, [&](size_t index, size_t worker) {
    const int64_t begin = static_cast<int64_t>(index) * kStep;
    const int64_t count = std::min(kStep, in_features() - begin);
    float* weights = pass.scratch(worker);
    for (int64_t m = 0; m < dx.rows; ++m)
      std::memset(dx.row(m) + begin, 0, static_cast<size_t>(count) * sizeof(float));
    for (int64_t o = 0; o < out_features(); ++o) {
      pass.kernels().gemm.unpack(type(), panel(o), o % kPanelRows, begin, begin + count, weights);
      for (int64_t m = 0; m < dx.rows; ++m)
        pass.kernels().activation.add_scaled(weights, dy.row(m)[o], dx.row(m) + begin, count);
    }
  });
}

void Linear::row(const Pass& pass, int64_t i, float* out) const {
  pass.kernels().gemm.unpack(type(), panel(i), i % kPanelRows, 0, in_features(), out);
}

std::vector<float> Linear::unpack(const kernels::Kernels& kernels) const {
  std::vector<float> values(static_cast<size_t>(out_features() * in_features()));
  for (int64_t i = 0; i < out_features(); ++i)
    kernels.gemm.unpack(type(), panel(i), i % kPanelRows, 0, in_features(),
                        values.data() + i * in_features());
  return values;
}

}  // namespace tulou::nn
