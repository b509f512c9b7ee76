// Encodes and decodes rows of floats, for comparisons with other encoders; or converts rows as
// loading does, and decodes them.
//   quantize_tool TYPE WIDTH ROWS.f32 OUT.f32 [IMPORTANCE.f32]
//   quantize_tool convert TYPE WIDTH ROWS.bin OUT.f32     ROWS.bin: blocks of TYPE
// ROWS.f32 holds raw float32 rows of WIDTH values, IMPORTANCE.f32 one row. OUT.f32 gets the decoded
// rows. Prints the seconds of processor time that encoding took.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/quantize.h"
#include "kernels/quant/requantize.h"

namespace tulou {
namespace {

std::vector<float> read_floats(const std::string& path) {
  const std::string bytes = base::read_file(path, uint64_t{4} << 30);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// F32 if there is no such type.
tensor::DType type_named(const std::string& name) {
  for (int i = 0; i < tensor::kNumDTypes; ++i) {
    if (tensor::name(static_cast<tensor::DType>(i)) == name) return static_cast<tensor::DType>(i);
  }
  return tensor::DType::kF32;
}

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void write(const std::string& path, const std::vector<float>& values) {
  base::DurableFile out(path);
  out.write(std::as_bytes(std::span(values)));
  out.commit();
}

int convert(const std::vector<std::string>& arguments) {
  const tensor::DType stored = type_named(arguments[1]);
  const tensor::DType to = kernels::computed_type(stored);
  const int64_t width = number(arguments[2]);
  if (width <= 0 || to == stored) return 2;
  const std::string rows = base::read_file(arguments[3], uint64_t{4} << 30);
  const size_t row_bytes = tensor::row_bytes(stored, width);
  std::vector<std::byte> row(tensor::row_bytes(to, width));
  std::vector<float> values(rows.size() / row_bytes * static_cast<size_t>(width));
  for (size_t i = 0; i < rows.size() / row_bytes; ++i) {
    kernels::requantize_row(stored, rows.data() + i * row_bytes, row.data(), width);
    kernels::dequantize_row(to, row.data(), values.data() + i * static_cast<size_t>(width), width);
  }
  write(arguments[4], values);
  std::cout << tensor::name(to) << "\n";
  return 0;
}

int encode(const std::vector<std::string>& arguments) {
  const tensor::DType dtype = type_named(arguments[0]);
  const int64_t width = number(arguments[1]);
  if (width <= 0 || tensor::name(dtype) != arguments[0]) return 2;
  std::vector<float> values = read_floats(arguments[2]), importance;
  if (arguments.size() > 4) importance = read_floats(arguments[4]);
  std::vector<std::byte> row(tensor::row_bytes(dtype, width));
  const std::clock_t begin = std::clock();
  std::clock_t decoding = 0;
  for (int64_t at = 0; at + width <= static_cast<int64_t>(values.size()); at += width) {
    kernels::quantize_row(dtype, values.data() + at, width,
                          importance.empty() ? nullptr : importance.data(), row.data());
    const std::clock_t encoded = std::clock();
    kernels::dequantize_row(dtype, row.data(), values.data() + at, width);
    decoding += std::clock() - encoded;
  }
  const double seconds =
      static_cast<double>(std::clock() - begin - decoding) / double{CLOCKS_PER_SEC};
  write(arguments[3], values);
  std::cout << seconds << "\n";
  return 0;
}

}  // namespace
}  // namespace tulou

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 4 && arguments.size() != 5) return 2;
  return arguments[0] == "convert" && arguments.size() == 5 ? tulou::convert(arguments)
                                                            : tulou::encode(arguments);
}
