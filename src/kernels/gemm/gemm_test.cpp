// Packed panels and the matrix product in both recipes at each level, against the reference decoder
// and sums in double precision.
#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <memory>
#include <string>

#include "kernels/quant/dequantize.h"
#include "kernels/testing.h"
#include "tensor/float16.h"

namespace tulou::kernels {
namespace {

using namespace testing;
using tensor::DType;

DType dtype_at(int64_t i) { return static_cast<DType>(i); }

// Where the fp16 scales of a block lie; the other bytes may have any value.
std::vector<size_t> scale_offsets(DType dtype) {
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
Fenced<std::byte> stored_weights(Random& random, DType dtype, int64_t n, int64_t k) {
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

std::vector<float> decoded_weights(const Fenced<std::byte>& stored, DType dtype, int64_t n,
                                   int64_t k) {
  std::vector<float> values(static_cast<size_t>(n * k));
  const size_t row = tensor::row_bytes(dtype, k);
  for (int64_t r = 0; r < n && k > 0; ++r)
    dequantize_row(dtype, stored.data() + static_cast<size_t>(r) * row, values.data() + r * k, k);
  return values;
}

// Panels of stored weights.
Fenced<std::byte> packed(const Fenced<std::byte>& stored, DType dtype, int64_t n, int64_t k) {
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

std::string described(const Product& p, hardware::Level level) {
  return std::string(hardware::name(level)) + " " + std::string(tensor::name(p.dtype)) + " m " +
         std::to_string(p.m) + " n " + std::to_string(p.n) + " k " + std::to_string(p.k);
}

// Compares y with sum(row, column), in double precision, within bound(sum of |terms|); the bias and
// what y held are terms, too.
template <typename Sum, typename Bound>
void check(const Product& p, hardware::Level level, const Fenced<float>& y, const Sum& sum,
           const Bound& bound) {
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t row = i / p.y_stride, column = i % p.y_stride;
    if (column >= p.n) {
      ASSERT_EQ(y[i], kUntouched) << "between rows";
      continue;
    }
    double total = 0, size = 0;
    const auto add = [&](double term) { total += term, size += std::abs(term); };
    sum(row, column, add, size);
    if (p.with_bias) add(p.bias[column]);
    if (p.accumulate) add(p.start[i]);
    ASSERT_NEAR(y[i], total, bound(size)) << described(p, level) << " at " << row << ", " << column;
  }
}

// |error| <= r u sum|w x| + ..., where r counts the roundings that a term goes through: a product
// and a sum for each k of its slice (one if they are fused), the slices after it, the bias and what
// y held (Higham, "Accuracy and Stability", 3.1: gamma_r, with r u so small that r u (1 + r u)
// covers it: 1.01). Sums of denormals are exact, products lose kSmallest each.
void check_fp32(const Product& p, hardware::Level level) {
  const auto weights = decoded_weights(p.stored, p.dtype, p.n, p.k);
  const double slices = static_cast<double>(p.k / kFloatDepth + 1);
  const double roundings = 2.0 * static_cast<double>(std::min(p.k, kFloatDepth)) + slices + 2;
  check(
      p, level, p.all(level, Recipe::kFp32),
      [&](int64_t row, int64_t column, const auto& add, double&) {
        for (int64_t j = 0; j < p.k; ++j)
          add(static_cast<double>(weights[static_cast<size_t>(column * p.k + j)]) *
              static_cast<double>(p.x[row * p.x_stride + j]));
      },
      [&](double size) {
        return 1.01 * roundings * kUnit * size + static_cast<double>(p.k) * kSmallest;
      });
}

// The products of a block are exact. Its sum is rounded when it is scaled (twice, and the product
// of its scale once more), with each block after it, and weights were rounded when they were
// decoded: r is 3 blocks + 6. Where minima are subtracted, |code d| and |min| may be larger than
// |w|; both are below the largest weight of the block and twice the range of its weights, which a
// block of random codes shows.
void check_int8(const Product& p, hardware::Level level) {
  const auto weights = decoded_weights(p.stored, p.dtype, p.n, p.k);
  const Quantized x = p.quantized(level);
  const int64_t blocks = p.k / kBlock;
  check(
      p, level, p.all(level, Recipe::kInt8),
      [&](int64_t row, int64_t column, const auto& add, double& size) {
        for (int64_t b = 0; b < blocks; ++b) {
          const float* w = weights.data() + column * p.k + b * kBlock;
          const double scale = x.scale[row * blocks + b];
          double values = 0;
          for (int64_t j = 0; j < kBlock; ++j) {
            const double value = x.values[row * p.k + b * kBlock + j];
            add(static_cast<double>(w[j]) * value * scale);
            values += std::abs(value) * scale;
          }
          const auto [low, high] = std::minmax_element(w, w + kBlock);
          size += values * (std::max(std::abs(*low), std::abs(*high)) + 2.0 * (*high - *low));
        }
      },
      [&](double size) { return 1.01 * (3.0 * static_cast<double>(blocks) + 6) * kUnit * size; });
}

// Types whose panels have their own form; and those with the int8 recipe.
std::vector<DType> types(bool with_int8) {
  std::vector<DType> found;
  for (int64_t t = 0; t < tensor::kNumDTypes; ++t) {
    const DType dtype = dtype_at(t);
    if (!with_int8 || has_int8_recipe(panel_type(dtype))) found.push_back(dtype);
  }
  return found;
}

TEST(Panel, HoldsTheBitsOfTheReferenceDecoder) {
  Random random(1);
  for (const DType dtype : types(false)) {
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t blocks : {1, 2, 3, 5, 9}) {
      const int64_t k = blocks * block, n = random.between(1, 40);
      // Scales of any bits, so infinities, NaN and denormals among them.
      const auto row = static_cast<int64_t>(tensor::row_bytes(dtype, k));
      Fenced<std::byte> stored(n * row);
      for (int64_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<std::byte>(random.next());
      const Fenced<std::byte> panels = packed(stored, dtype, n, k);
      const size_t bytes = panel_bytes(panel_type(dtype), k);
      std::vector<float> expected(static_cast<size_t>(k));
      for (int64_t r = 0; r < n; ++r) {
        dequantize_row(dtype, stored.data() + r * row, expected.data(), k);
        for (const auto level : levels()) {
          const int64_t begin = r % 2 == 0 ? 0 : random.below(k);
          const int64_t end = r % 2 == 0 ? k : random.between(begin, k);
          Fenced<float> out(end - begin);
          gemm_kernels(level).unpack(panel_type(dtype),
                                     panels.data() + static_cast<size_t>(r / kPanelRows) * bytes,
                                     r % kPanelRows, begin, end, out.data());
          for (int64_t j = begin; j < end; ++j)
            ASSERT_TRUE(same_value(out[j - begin], expected[static_cast<size_t>(j)]))
                << hardware::name(level) << " " << tensor::name(dtype) << " row " << r << " at "
                << j << ": " << out[j - begin] << ", " << expected[static_cast<size_t>(j)];
        }
      }
    }
  }
}

TEST(Quantize, RoundsToTheNearestOfABlocksScale) {
  Random random(2);
  for (const auto level : levels()) {
    for (int i = 0; i < 100; ++i) {
      const int64_t k = random.between(1, 12) * kBlock;
      const Fenced<float> x = uniform(random, k, -3, 3);
      Quantized q(1, k);
      gemm_kernels(level).quantize(x.data(), k, q.rows());
      for (int64_t b = 0; b < k / kBlock; ++b) {
        float largest = 0;
        int32_t sums[2] = {};
        for (int64_t j = 0; j < kBlock; ++j) {
          const float value = x[b * kBlock + j];
          const int code = q.values[b * kBlock + j];
          largest = std::max(largest, std::abs(value));
          sums[j / 16] += code;
          ASSERT_LE(std::abs(code), 127);
          // Half a step, and the roundings of the inverse scale and the product (codes <= 127).
          ASSERT_LE(std::abs(value / q.scale[b] - static_cast<float>(code)), 0.5f + 127 * 0x1p-21f);
        }
        ASSERT_EQ(q.scale[b], largest / 127.0f);
        ASSERT_EQ(q.sum[b], sums[0] + sums[1]);
        ASSERT_EQ(static_cast<int16_t>(q.half_sums[b] & 0xffff), sums[0]);
        ASSERT_EQ(q.half_sums[b] >> 16, sums[1]);
        ASSERT_EQ(q.scaled_sum[b], q.scale[b] * static_cast<float>(q.sum[b]));
      }
    }
  }
}

TEST(Quantize, ZerosTinyAndNotFiniteBlocks) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto level : levels()) {
    for (const float special : {0.0f, 1e-35f, 3e38f, infinity, -infinity, std::nanf("")}) {
      Fenced<float> x(3 * kBlock);
      x.fill(1.0f);
      for (int64_t i = 0; i < kBlock; ++i) x[kBlock + i] = i == 7 ? special : 0.0f;
      Quantized q(1, x.size());
      gemm_kernels(level).quantize(x.data(), x.size(), q.rows());
      EXPECT_EQ(q.sum[0], 32 * 127);
      EXPECT_EQ(q.sum[2], 32 * 127);
      if (special == 3e38f) {
        EXPECT_EQ(q.values[kBlock + 7], 127);
        EXPECT_EQ(q.scale[1], 3e38f / 127.0f);
      } else if (std::isfinite(special)) {
        EXPECT_EQ(q.scale[1], 0.0f);
        EXPECT_EQ(q.sum[1], 0);
      } else {
        EXPECT_TRUE(std::isnan(q.scale[1]) && std::isnan(q.scaled_sum[1]));
      }
    }
  }
}

// F32 has no blocks, so every depth around the widths of vectors and of slices.
TEST(Gemm, DepthsAroundVectorsAndSlices) {
  Random random(3);
  static_assert(kFloatDepth == 256, "the depths below are chosen around it");
  for (const int64_t k : {0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 255, 256, 257, 513, 1025}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const int64_t m : {1, 2, 5}) {
        const Product product(random, dtype, m, 9, k);
        for (const auto level : levels()) check_fp32(product, level);
      }
    }
  }
}

TEST(Gemm, RowsAndColumnsAroundTiles) {
  Random random(4);
  static_assert(kGemmTokens == 128, "the numbers of rows below are chosen around it");
  for (const int64_t m : {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 64, 127, 128, 129, 140, 260}) {
    for (const int64_t n : {0, 1, 7, 8, 9, 15, 16, 17, 33, 50}) {
      const Product plain(random, dtype_at(random.below(3)), m, n, random.between(1, 70));
      const DType type = types(true)[static_cast<size_t>(random.below(9))];
      const Product blocks(random, type, m, n, 256);
      for (const auto level : levels()) {
        check_fp32(plain, level);
        check_int8(blocks, level);
      }
    }
  }
}

TEST(Gemm, EveryStoredType) {
  Random random(5);
  for (const DType dtype : types(false)) {
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t depth : {block, int64_t{256}, int64_t{1024}, int64_t{1280}, int64_t{2304}}) {
      const Product product(random, dtype, 7, 45, depth), single(random, dtype, 1, 45, depth);
      for (const auto level : levels()) {
        check_fp32(product, level);
        check_fp32(single, level);
        if (!has_int8_recipe(panel_type(dtype))) continue;
        check_int8(product, level);
        check_int8(single, level);
      }
    }
  }
}

TEST(Gemm, RandomShapes) {
  Random random(6);
  for (int i = 0; i < 200; ++i) {
    const DType dtype = dtype_at(random.below(tensor::kNumDTypes));
    const int64_t block = tensor::info(dtype).block_size;
    const int64_t k =
        random.between(1, std::max<int64_t>(1, (i % 10 == 0 ? 2500 : 300) / block)) * block;
    const Product product(random, dtype, random.between(0, i % 10 == 0 ? 150 : 20),
                          random.between(0, 60), k);
    for (const auto level : levels()) {
      check_fp32(product, level);
      if (has_int8_recipe(panel_type(dtype))) check_int8(product, level);
    }
  }
}

// The recipe rule: bits depend on neither the rows nor the panels that a call does.
TEST(Gemm, RowsAndPanelsDoNotChangeBits) {
  Random random(7);
  for (const DType dtype : types(false)) {
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t depth : {block, 9 * 256 / block * block}) {
      const Product product(random, dtype, depth == block ? 135 : 40, 139, depth);
      for (const auto level : levels()) {
        for (const Recipe recipe : {Recipe::kFp32, Recipe::kInt8}) {
          if (recipe == Recipe::kInt8 && !has_int8_recipe(panel_type(dtype))) continue;
          Quantized quantized = product.quantized(level);
          Quantized* rows = recipe == Recipe::kInt8 ? &quantized : nullptr;
          const Fenced<float> all = product.all(level, recipe);
          Fenced<float> alone(product.start);
          for (int64_t row = 0; row < product.m; ++row)
            product.run(level, rows, row, 1, 0, 1, product.num_panels(), alone);
          ASSERT_TRUE(alone.same_bits(all)) << described(product, level);

          Fenced<float> pieces(product.start);
          for (int64_t row = 0; row < product.m;) {
            const int64_t count = std::min(product.m - row, random.between(1, 130));
            const int64_t step = random.between(1, product.num_panels());
            for (int64_t first = 0; first < step; ++first)
              product.run(level, rows, row, count, first, step,
                          (product.num_panels() - first + step - 1) / step, pieces);
            row += count;
          }
          ASSERT_TRUE(pieces.same_bits(all)) << described(product, level);
        }
      }
    }
  }
}

// The first m rows of a call with 1 to 135 rows: equal bits for each m.
TEST(Gemm, AnyNumberOfRowsGivesTheSameBits) {
  Random random(8);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kQ8_0, DType::kQ4_0,
                            DType::kQ4_K, DType::kQ6_K}) {
    const Product product(random, dtype, 135, 37, 512);
    for (const auto level : levels()) {
      const bool int8 = has_int8_recipe(dtype);
      Quantized quantized = product.quantized(level);
      const Fenced<float> all = product.all(level, int8 ? Recipe::kInt8 : Recipe::kFp32);
      for (int64_t m = 1; m <= 135; ++m) {
        Fenced<float> y(product.start);
        product.run(level, int8 ? &quantized : nullptr, 0, m, 0, 1, product.num_panels(), y);
        const int64_t written = (m - 1) * product.y_stride + product.n;
        ASSERT_EQ(std::memcmp(y.data(), all.data(), static_cast<size_t>(written) * 4), 0)
            << described(product, level) << " m " << m;
      }
    }
  }
}

#if defined(__x86_64__)
// The int8 recipe is exact up to a few fused operations, so the levels agree to the bit.
TEST(Gemm, VectorLevelsGiveTheSameBits) {
  Random random(9);
  std::vector<hardware::Level> vector_levels;
  for (const auto level : levels()) {
    if (level != hardware::Level::kPortable) vector_levels.push_back(level);
  }
#ifdef TULOU_EMULATE_AVX512
  vector_levels.push_back(hardware::Level::kAvx2);
#endif
  if (vector_levels.size() < 2) GTEST_SKIP() << "one vector level here";
  for (const DType dtype : types(true)) {
    for (const int64_t m : {1, 3, 17}) {
      const Product product(random, dtype, m, 45, 1280);
      const Fenced<float> first = product.all(vector_levels[0], Recipe::kInt8);
      for (const auto level : vector_levels)
        ASSERT_TRUE(product.all(level, Recipe::kInt8).same_bits(first))
            << described(product, level);
    }
  }
}
#endif

// A weight that is not a number spoils its own column; an activation, its own row. Nothing else.
TEST(Gemm, NanStaysInItsRowAndColumn) {
  Random random(8);
  Product product(random, DType::kF32, 9, 12, 40);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(product.panels.data() + (39 * kPanelRows + 11) * 4, &nan, 4);
  product.x[4 * product.x_stride + 20] = std::numeric_limits<float>::infinity();
  for (const auto level : levels()) {
    const Fenced<float> y = product.all(level, Recipe::kFp32);
    for (int64_t row = 0; row < 9; ++row) {
      for (int64_t column = 0; column < 12; ++column) {
        const float value = y[row * product.y_stride + column];
        if (column == 11) {
          EXPECT_TRUE(std::isnan(value));
        } else {
          EXPECT_EQ(std::isinf(value), row == 4) << row << " " << column;
        }
      }
    }
  }
}

// Denormal values are numbers like others: nothing is flushed. Large ones overflow to infinity.
TEST(Gemm, ExtremeValues) {
  Random random(9);
  Product product(random, DType::kF32, 4, 8, 16);
  product.with_bias = product.accumulate = false;
  for (int64_t i = 0; i < 16 * kPanelRows; ++i) {
    const float value = i % kPanelRows == 7 ? 3e38f : 1.0f;
    std::memcpy(product.panels.data() + i * 4, &value, 4);
  }
  for (int64_t i = 0; i < product.x.size(); ++i) product.x[i] = 1e-45f * static_cast<float>(i + 1);
  for (int64_t i = 0; i < 16; ++i) product.x[3 * product.x_stride + i] = 2.0f;
  for (const auto level : levels()) {
    const Fenced<float> y = product.all(level, Recipe::kFp32);
    for (int64_t row = 0; row < 3; ++row) {
      float sum = 0;
      for (int64_t i = 0; i < 16; ++i) sum += product.x[row * product.x_stride + i];
      for (int64_t column = 0; column < 7; ++column)
        EXPECT_EQ(y[row * product.y_stride + column], sum);
    }
    EXPECT_EQ(y[3 * product.y_stride + 6], 32.0f);
    EXPECT_EQ(y[3 * product.y_stride + 7], std::numeric_limits<float>::infinity());
  }
}

}  // namespace
}  // namespace tulou::kernels
