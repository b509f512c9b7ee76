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

// Quantised rows and their memory.
struct Quantized {
  Quantized(int64_t rows, int64_t k)
      : values(rows * k),
        scale(rows * k / kBlock),
        scaled_sum(rows * k / kBlock),
        sum(rows * k / kBlock),
        half_sums(rows * k / kBlock) {}
  Fenced<int8_t> values;
  Fenced<float> scale, scaled_sum;
  Fenced<int32_t> sum, half_sums;
  QuantizedRows rows() {
    return {values.data(), scale.data(), scaled_sum.data(), sum.data(), half_sums.data()};
  }
};

enum class Recipe { kFp32, kInt8 };

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

  Quantized quantized(hardware::Level level) const {
    Quantized to(m, k);
    for (int64_t i = 0; i < m; ++i)
      gemm_kernels(level).quantize(x.data() + i * x_stride, k, to.rows().from(i, k));
    return to;
  }

  // Rows [row, row + rows) of x, panels first, first + step, ... (count) at `level`; `quantized`
  // is null for the fp32 recipe.
  void run(hardware::Level level, Quantized* quantized, int64_t row, int64_t rows, int64_t first,
           int64_t step, int64_t count, Fenced<float>& y) const {
    Fenced<float> scratch(kGemmScratch);
    scratch.fill(std::numeric_limits<float>::quiet_NaN());  // nothing may depend on what it held
    GemmArgs args;
    args.panels = panels.data();
    args.type = panel_type(dtype);
    args.n = n;
    args.k = k;
    args.first = first;
    args.step = step;
    args.count = count;
    args.x = x.data() + row * x_stride;
    args.x_stride = x_stride;
    if (quantized != nullptr) args.quantized = quantized->rows().from(row, k);
    args.m = rows;
    args.bias = with_bias ? bias.data() : nullptr;
    args.accumulate = accumulate;
    args.y = y.data() + row * y_stride;
    args.y_stride = y_stride;
    args.scratch = scratch.data();
    gemm_kernels(level).gemm(args);
  }
  int64_t num_panels() const { return (n + kPanelRows - 1) / kPanelRows; }
  Fenced<float> all(hardware::Level level, Recipe recipe) const {
    Fenced<float> y(start);
    Quantized rows = quantized(level);
    run(level, recipe == Recipe::kInt8 ? &rows : nullptr, 0, m, 0, 1, num_panels(), y);
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
