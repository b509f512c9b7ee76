#include "quantize/source_tensor.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"

namespace tulou::quantize {

SourceTensor::Place SourceTensor::place(int64_t row) const {
  DCHECK(row >= 0 && row < shape.rows());
  if (!rows.empty()) row = rows[static_cast<size_t>(row)];
  const int64_t per_part = shape.rows() / static_cast<int64_t>(parts.size());
  const Part& part = parts[static_cast<size_t>(row / per_part)];
  return {part.entry, part.first_row + row % per_part};
}

const std::byte* SourceTensor::stored_row(int64_t row) const {
  const Place found = place(row);
  const tensor::TensorView& view = found.entry->view;
  // Rows of `shape`, which may be cut otherwise than those stored (a convolution's [C, 1, K]).
  return view.data + static_cast<size_t>(found.row) * tensor::row_bytes(view.dtype, shape.width());
}

tensor::DType SourceTensor::stored_dtype(int64_t row) const { return place(row).entry->view.dtype; }

bool SourceTensor::is_copy(tensor::DType dtype) const {
  return change == Change::kNone && columns.empty() &&
         std::all_of(parts.begin(), parts.end(),
                     [&](const Part& part) { return part.entry->view.dtype == dtype; });
}

void SourceTensor::read_row(int64_t row, float* out, float* scratch) const {
  const auto width = static_cast<size_t>(shape.width());
  float* values = columns.empty() ? out : scratch;
  kernels::dequantize_row(stored_dtype(row), stored_row(row), values, shape.width());
  if (change == Change::kPlusOne) {
    for (size_t i = 0; i < width; ++i) values[i] += 1;
  } else if (change == Change::kNegativeExp) {
    for (size_t i = 0; i < width; ++i) values[i] = -std::exp(values[i]);
  }
  for (size_t i = 0; i < columns.size(); ++i) out[i] = values[static_cast<size_t>(columns[i])];
}

uint64_t SourceTensor::stored_bytes() const {
  return tensor::row_bytes(parts.front().entry->view.dtype, shape.width()) *
         static_cast<uint64_t>(shape.rows());
}

}  // namespace tulou::quantize
