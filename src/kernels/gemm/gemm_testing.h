// What the tests of panels and products share: random stored weights, their panels, a product with
// all that belongs to it. For tests only.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/quant/dequantize.h"
#include "kernels/testing.h"
#include "tensor/float16.h"

namespace tulou::kernels::testing {

using tensor::DType;

inline DType dtype_at(int64_t i) { return static_cast<DType>(i); }

// Where the fp16 scales of a block lie; the other bytes may have any value.
inline std::vector<size_t> scale_offsets(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
    case DType::kIQ1_S:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kQ1_0:
    case DType::kQ2_0:
      return {0};
    case DType::kTQ1_0:
      return {52};
    case DType::kTQ2_0:
      return {64};
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108};
    case DType::kQ6_K:
      return {208};
    default:
      return {};
  }
}

// n rows of k stored weights, finite and of moderate size.
inline Fenced<std::byte> stored_weights(Random& random, DType dtype, int64_t n, int64_t k) {
  const size_t row = tensor::row_bytes(dtype, k);
  Fenced<std::byte> bytes(n * static_cast<int64_t>(row));
  for (int64_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(random.next());
  if (dtype == DType::kF32) {
    for (int64_t i = 0; i < n * k; ++i) {
      const float value = random.uniform(-1, 1);
      std::memcpy(bytes.data() + i * 4, &value, 4);
    }
  } else if (dtype == DType::kF16 || dtype == DType::kBF16) {
    for (int64_t i = 0; i < n * k; ++i) {
      const float value = random.uniform(-1, 1);
      const uint16_t half =
          dtype == DType::kF16 ? tensor::float_to_fp16(value) : tensor::float_to_bf16(value);
      std::memcpy(bytes.data() + i * 2, &half, 2);
    }
  } else {
    const int64_t block = tensor::info(dtype).block_bytes;
    for (int64_t b = 0; b < bytes.size(); b += block) {
      for (const size_t offset : scale_offsets(dtype)) {
        const uint16_t half = tensor::float_to_fp16(random.uniform(-0.05, 0.05));
        std::memcpy(bytes.data() + b + static_cast<int64_t>(offset), &half, 2);
      }
      // The other ways to write a scale: 2^-8, and 0x2... in the highest nibbles of four words.
      if (dtype == DType::kMXFP4) bytes[b] = std::byte{120};
      if (dtype == DType::kIQ1_M) bytes[b + 55] = (bytes[b + 55] & std::byte{15}) | std::byte{0x20};
    }
  }
  return bytes;
}

inline std::vector<float> decoded_weights(const Fenced<std::byte>& stored, DType dtype, int64_t n,
                                          int64_t k) {
  std::vector<float> values(static_cast<size_t>(n * k));
  const size_t row = tensor::row_bytes(dtype, k);
  for (int64_t r = 0; r < n && k > 0; ++r)
    dequantize_row(dtype, stored.data() + static_cast<size_t>(r) * row, values.data() + r * k, k);
  return values;
}

// Panels of stored weights.
inline Fenced<std::byte> packed(const Fenced<std::byte>& stored, DType dtype, int64_t n,
                                int64_t k) {
  const int64_t panels = (n + kPanelRows - 1) / kPanelRows;
  const size_t bytes = panel_bytes(panel_type(dtype), k), row = tensor::row_bytes(dtype, k);
  Fenced<std::byte> memory(panels * static_cast<int64_t>(bytes));
  std::memset(memory.data(), 0, static_cast<size_t>(memory.size()));
  for (int64_t p = 0; p < panels; ++p) {
    PanelSource rows{};
    for (int64_t r = 0; r < std::min(kPanelRows, n - p * kPanelRows); ++r)
      rows[static_cast<size_t>(r)] = stored.data() + static_cast<size_t>(p * kPanelRows + r) * row;
    pack_panel(dtype, rows, k, memory.data() + static_cast<size_t>(p) * bytes);
  }
  return memory;
}

// The levels that have products of their own: an emulated build has AMX, too.
inline std::vector<hardware::Level> gemm_levels() {
#ifdef TULOU_EMULATE_AVX512
  return {hardware::Level::kAvx512, hardware::Level::kAmx};
#else
  return hardware::available_levels();
#endif
}

// Quantised rows and their memory, in tiles of `tile_rows`.
struct Quantized {
  Quantized(int64_t rows, int64_t k, int64_t tile_rows = 1)
      : height(tile_rows), blocks((rows + height - 1) / height * height * (k / kBlock)) {
    values.fill(1);  // of rows that are not there, like the following
    for (Fenced<float>* floats : {&scale, &scaled_sum})
      floats->fill(std::numeric_limits<float>::quiet_NaN());
  }
  int64_t height, blocks;
  Fenced<int8_t> values{blocks * kBlock};
  Fenced<float> scale{blocks}, scaled_sum{blocks};
  Fenced<int32_t> sum{blocks}, half_sums{blocks};
  QuantizedRows rows() {
    return {values.data(), scale.data(), scaled_sum.data(), sum.data(), half_sums.data(), height};
  }
};

// Rows rounded to bf16, likewise; NaN in rows that are not there.
struct Rounded {
  Rounded(int64_t rows, int64_t k, int64_t tile_rows)
      : height(tile_rows),
        values((rows + height - 1) / height * height * ((k + kBlock - 1) / kBlock) * kBlock) {
    values.fill(0x7fc0);
  }
  int64_t height;
  Fenced<uint16_t> values;
  RoundedRows rows() { return {values.data(), height}; }
};

// One product with all that belongs to it. Gaps between rows hold kUntouched in y.
struct Product {
  DType dtype;
  int64_t m, n, k, x_stride, y_stride;
  Fenced<std::byte> stored, panels;
  Fenced<float> x, bias, start;
  bool with_bias, accumulate;

  Product(Random& random, DType type, int64_t rows, int64_t columns, int64_t depth)
      : dtype(type),
        m(rows),
        n(columns),
        k(depth),
        x_stride(k + random.below(9)),
        y_stride(n + random.below(9)),
        stored(stored_weights(random, type, n, k)),
        panels(packed(stored, type, n, k)),
        x(uniform(random, m == 0 ? 0 : (m - 1) * x_stride + k)),
        bias(uniform(random, n)),
        start(uniform(random, m == 0 ? 0 : (m - 1) * y_stride + n)),
        with_bias(random.flip()),
        accumulate(random.flip()) {
    for (int64_t i = 0; i < start.size(); ++i) {
      if (i % y_stride >= n) start[i] = kUntouched;
    }
  }

  // Rows [row, row + rows) of x, whole rows or in tiles.
  Quantized quantized(hardware::Level level, int64_t row, int64_t rows, int64_t tile_rows) const {
    Quantized to(rows, k, tile_rows);
    for (int64_t i = 0; i < rows; ++i)
      gemm_kernels(level).quantize(x.data() + (row + i) * x_stride, k, to.rows().from(i, k));
    return to;
  }
  Rounded rounded(hardware::Level level, int64_t row, int64_t rows, int64_t tile_rows) const {
    Rounded to(rows, k, tile_rows);
    for (int64_t i = 0; i < rows; ++i)
      gemm_kernels(level).round(x.data() + (row + i) * x_stride, k, to.rows().from(i, k));
    return to;
  }

  // Whether there is such a product. Few rows of block types have no bf16 recipe.
  bool has(hardware::Level level, Recipe recipe, int64_t rows) const {
    const DType type = panel_type(dtype);
    if (recipe == Recipe::kInt8) return has_int8_recipe(type);
    if (recipe == Recipe::kFp32) return true;
    return gemm_kernels(level).round != nullptr &&
           (type == DType::kBF16 || (has_int8_recipe(type) && rows > kDirectRows));
  }

  // Rows [row, row + rows) of x, panels first, first + step, ... (count) at `level`.
  void run(hardware::Level level, Recipe recipe, int64_t row, int64_t rows, int64_t first,
           int64_t step, int64_t count, Fenced<float>& y) const {
    const GemmKernels& kernels = gemm_kernels(level);
    const int64_t height = kernels.tile_height(rows);
    Quantized int8 =
        recipe == Recipe::kInt8 ? quantized(level, row, rows, height) : Quantized(0, 0, 1);
    Rounded bf16 = recipe == Recipe::kBf16 ? rounded(level, row, rows, height) : Rounded(0, 0, 1);
    Fenced<float> scratch(kernels.scratch);
    scratch.fill(std::numeric_limits<float>::quiet_NaN());  // nothing may depend on what it held
    GemmArgs args;
    args.panels = panels.data();
    args.type = panel_type(dtype);
    args.n = n;
    args.k = k;
    args.first = first;
    args.step = step;
    args.count = count;
    if (recipe == Recipe::kFp32) args.x = x.data() + row * x_stride;
    args.x_stride = x_stride;
    if (recipe == Recipe::kInt8) args.quantized = int8.rows();
    if (recipe == Recipe::kBf16) args.rounded = bf16.rows();
    args.m = rows;
    args.bias = with_bias ? bias.data() : nullptr;
    args.accumulate = accumulate;
    args.y = y.data() + row * y_stride;
    args.y_stride = y_stride;
    args.scratch = scratch.data();
    kernels.gemm(args);
  }
  int64_t num_panels() const { return (n + kPanelRows - 1) / kPanelRows; }
  Fenced<float> all(hardware::Level level, Recipe recipe) const {
    Fenced<float> y(start);
    run(level, recipe, 0, m, 0, 1, num_panels(), y);
    return y;
  }
};

// Types whose panels have their own form; and those with the int8 recipe.
inline std::vector<DType> types(bool with_int8) {
  std::vector<DType> found;
  for (int64_t t = 0; t < tensor::kNumDTypes; ++t) {
    const DType dtype = dtype_at(t);
    if (!with_int8 || has_int8_recipe(panel_type(dtype))) found.push_back(dtype);
  }
  return found;
}

}  // namespace tulou::kernels::testing
