// Encodes and decodes rows of floats, for comparisons with other encoders.
//   quantize_tool TYPE WIDTH ROWS.f32 OUT.f32 [IMPORTANCE.f32]
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

namespace tulou {
namespace {

std::vector<float> read_floats(const std::string& path) {
  const std::string bytes = base::read_file(path, uint64_t{4} << 30);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

int run(const std::vector<std::string>& arguments) {
  tensor::DType dtype = tensor::DType::kF32;
  for (int i = 0; i < tensor::kNumDTypes; ++i) {
    if (tensor::name(static_cast<tensor::DType>(i)) == arguments[0])
      dtype = static_cast<tensor::DType>(i);
  }
  int64_t width = 0;
  std::from_chars(arguments[1].data(), arguments[1].data() + arguments[1].size(), width);
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
  base::DurableFile out(arguments[3]);
  out.write(std::as_bytes(std::span(values)));
  out.commit();
  std::cout << seconds << "\n";
  return 0;
}

}  // namespace
}  // namespace tulou

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 4 && arguments.size() != 5) return 2;
  return tulou::run(arguments);
}
