#include "model/weight_reader.h"

#include "base/error.h"
#include "kernels/quant/dequantize.h"

namespace tulou::model {
namespace {

std::string shape_text(const tensor::Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string shape_text(std::initializer_list<int64_t> extents) {
  return shape_text(tensor::Shape(extents));
}

}  // namespace

const checkpoint::TensorEntry& WeightReader::take(const std::string& name) {
  const checkpoint::TensorEntry& entry = checkpoint_.require(name);
  if (used_.insert(name).second) progress_.advance(bytes_read_ += entry.bytes);
  return entry;
}

void WeightReader::wrong_shape(const checkpoint::TensorEntry& entry,
                               const std::string& expected) const {
  throw base::Error("model.tensor_shape", checkpoint_.file_path(entry.file_index), entry.name,
                    entry.offset, shape_text(entry.view.shape), expected);
}

nn::Linear WeightReader::linear(const std::string& name, int64_t out, int64_t in) {
  return linear_rows(name, out, in, {});
}

nn::Linear WeightReader::linear_rows(const std::string& name, int64_t stored_rows, int64_t in,
                                     std::span<const int64_t> rows) {
  const checkpoint::TensorEntry& entry = take(name);
  const tensor::Shape& shape = entry.view.shape;
  if (shape.rows() != stored_rows || shape.width() != in)
    wrong_shape(entry, shape_text({stored_rows, in}));
  return nn::Linear(entry.view, name, rows, &threads_);
}

nn::Linear WeightReader::linear_of_stack(const std::string& name, int64_t count, int64_t index,
                                         int64_t begin, int64_t rows, int64_t stored_rows,
                                         int64_t in) {
  const checkpoint::TensorEntry& entry = take(name);
  const tensor::Shape& shape = entry.view.shape;
  if (shape.rank != 3 || shape[0] != count || shape[1] != stored_rows || shape[2] != in)
    wrong_shape(entry, shape_text({count, stored_rows, in}));
  return nn::Linear(entry.view.slice(index * stored_rows + begin, rows), name, {}, &threads_);
}

std::vector<float> WeightReader::numbers(const std::string& name, int64_t count) {
  const checkpoint::TensorEntry& entry = take(name);
  if (entry.view.shape.values() != count) wrong_shape(entry, shape_text({count}));
  std::vector<float> values(static_cast<size_t>(count));
  const int64_t width = entry.view.shape.width();
  for (int64_t r = 0; r < entry.view.shape.rows(); ++r)
    kernels::dequantize_row(entry.view.dtype, entry.view.row(r), values.data() + r * width, width);
  return values;
}

nn::NormWeight WeightReader::norm(const std::string& name, int64_t width, bool zero_centred,
                                  double eps) {
  return {numbers(name, width), zero_centred, static_cast<float>(eps)};
}

void WeightReader::check_all_used(const std::function<bool(std::string_view)>& skipped) const {
  for (const checkpoint::TensorEntry& entry : checkpoint_.tensors()) {
    if (used_.contains(entry.name) || skipped(entry.name)) continue;
    throw base::Error("model.extra_tensor", checkpoint_.file_path(entry.file_index), entry.name,
                      entry.offset);
  }
}

}  // namespace tulou::model
