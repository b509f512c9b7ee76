#include "model/weight_reader.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/requantize.h"
#include "model/quantized_matrix.h"
#include "model/stored_tensors.h"

namespace tulou::model {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr int64_t kPieceRows = 64;  // that a thread converts at a time

// "X" of "X.weight"; all of it if it ends otherwise.
std::string module_of(const std::string& name) {
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : name;
}

}  // namespace

bool WeightReader::has(const std::string& name) const {
  return checkpoint_.find(name) != nullptr ||
         QuantizedMatrix::is_stored(checkpoint_, quantization_, module_of(name));
}

const checkpoint::TensorEntry& WeightReader::take(const std::string& name) {
  const checkpoint::TensorEntry& entry = checkpoint_.require(name);
  use(entry);
  return entry;
}

void WeightReader::use(const checkpoint::TensorEntry& entry) {
  if (used_.insert(entry.name).second) progress_.advance(bytes_read_ += entry.bytes);
}

nn::Linear WeightReader::linear(const std::string& name, int64_t out, int64_t in) {
  return linear_rows(name, out, in, {});
}

nn::Linear WeightReader::linear_rows(const std::string& name, int64_t stored_rows, int64_t in,
                                     std::span<const int64_t> rows) {
  const std::string module = module_of(name);
  if (QuantizedMatrix::is_stored(checkpoint_, quantization_, module))
    return quantized(module, stored_rows, in, rows);
  const checkpoint::TensorEntry& entry = take(name);
  const tensor::Shape& shape = entry.view.shape;
  if (shape.rows() != stored_rows || shape.width() != in)
    wrong_shape(checkpoint_, entry, {stored_rows, in});
  return plain(entry, entry.view.slice(0, stored_rows), rows);
}

base::Buffer WeightReader::converted(int64_t rows, size_t row_bytes, std::string_view what,
                                     const ConvertRows& convert) {
  base::Buffer buffer(static_cast<size_t>(rows) * row_bytes, what);
  const auto pieces = static_cast<size_t>((rows + kPieceRows - 1) / kPieceRows);
  threads_.parallel_for(pieces, [&](size_t index, size_t) {
    const int64_t begin = static_cast<int64_t>(index) * kPieceRows;
    convert(begin, std::min(rows, begin + kPieceRows),
            buffer.data() + static_cast<size_t>(begin) * row_bytes);
  });
  return buffer;
}

nn::Linear WeightReader::plain(const checkpoint::TensorEntry& entry, const tensor::TensorView& view,
                               std::span<const int64_t> rows) {
  const tensor::DType stored = view.dtype;
  const tensor::DType to = options_.exact_weights ? stored : kernels::computed_type(stored);
  if (to == stored) {
    const auto drop = [&](const tensor::TensorView& packed) {
      checkpoint_.drop_pages(entry, {packed.data, packed.bytes()});
    };
    return nn::Linear(view, entry.name, rows, {&threads_, &memory_, drop});
  }
  const int64_t count = view.shape.rows(), width = view.shape.width();
  const size_t row_bytes = tensor::row_bytes(to, width);
  const base::Buffer buffer =
      converted(count, row_bytes, entry.name, [&](int64_t begin, int64_t end, std::byte* out) {
        for (int64_t row = begin; row < end; ++row, out += row_bytes)
          kernels::requantize_row(stored, view.row(row), out, width);
      });
  if (converted_.insert(entry.name).second) count_conversion(conversions_, entry.stored_dtype, to);
  return nn::Linear({buffer.data(), to, {count, width}}, entry.name, rows,
                    {&threads_, &memory_, {}});
}

nn::Linear WeightReader::quantized(const std::string& module, int64_t stored_rows, int64_t in,
                                   std::span<const int64_t> rows) {
  const QuantizedMatrix matrix(checkpoint_, quantization_, module, stored_rows, in);
  for (const checkpoint::TensorEntry* part : matrix.parts()) use(*part);
  const tensor::DType to = matrix.target(options_.exact_weights);
  const base::Buffer buffer = converted(
      stored_rows, tensor::row_bytes(to, in), module,
      [&](int64_t begin, int64_t end, std::byte* out) { matrix.convert(begin, end, to, out); });
  if (converted_.insert(module).second) count_conversion(conversions_, quantization_.name(), to);
  nn::Linear linear({buffer.data(), to, {stored_rows, in}}, module, rows,
                    {&threads_, &memory_, {}});
  // AutoGPTQ writes a bias beside every matrix, of zeros where the model has none.
  if (rows.empty() && has(module + ".bias")) {
    std::vector<float> bias = numbers(module + ".bias", stored_rows);
    const auto zero = [](float value) { return value == 0; };
    if (!std::all_of(bias.begin(), bias.end(), zero)) linear.set_bias(std::move(bias));
  }
  return linear;
}

nn::Linear WeightReader::linear_of_stack(const std::string& name, int64_t count, int64_t index,
                                         int64_t begin, int64_t rows, int64_t stored_rows,
                                         int64_t in) {
  const checkpoint::TensorEntry& entry = take(name);
  const tensor::Shape& shape = entry.view.shape;
  if (shape.rank != 3 || shape[0] != count || shape[1] != stored_rows || shape[2] != in)
    wrong_shape(checkpoint_, entry, {count, stored_rows, in});
  return plain(entry, entry.view.slice(index * stored_rows + begin, rows), {});
}

std::vector<float> WeightReader::numbers(const std::string& name, int64_t count) {
  const checkpoint::TensorEntry& entry = take(name);
  if (entry.view.shape.values() != count) wrong_shape(checkpoint_, entry, {count});
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

}  // namespace tulou::model
