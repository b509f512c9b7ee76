// The matrix product in its recipes at each level, against sums in double precision.
#include "kernels/gemm/gemm.h"

#include "kernels/gemm/gemm_testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

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
  const int64_t whole = p.k / kFloatDepth;
  const double slices = static_cast<double>(whole) + 1;
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
  const Quantized x = p.quantized(level, 0, p.m, 1);
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

// Products of bf16 are exact in fp32. A term goes through 16 sums of its chain, one with the other
// chain, one for each block after it, the bias and what y held. Weights of block types are rounded
// to 8 bits, after roundings in fp32 that the last bit of bf16 dwarfs: 2^-9 of them, and of their
// minima where they have some (as in check_int8).
void check_bf16(const Product& p, hardware::Level level) {
  const auto weights = decoded_weights(p.stored, p.dtype, p.n, p.k);
  const Rounded x = p.rounded(level, 0, p.m, 1);
  const int64_t blocks = (p.k + kBlock - 1) / kBlock;
  const double roundings = 17 + static_cast<double>(blocks) + 2;
  const double weight = panel_type(p.dtype) == DType::kBF16 ? 0 : 1.01 * 0x1p-9;
  check(
      p, level, p.all(level, Recipe::kBf16),
      [&](int64_t row, int64_t column, const auto& add, double&) {
        for (int64_t j = 0; j < p.k; ++j)
          add(static_cast<double>(weights[static_cast<size_t>(column * p.k + j)]) *
              static_cast<double>(tensor::bf16_to_float(x.values[row * blocks * kBlock + j])));
      },
      [&](double size) {
        return (1.01 * roundings * kUnit + weight) * size + static_cast<double>(p.k) * kSmallNormal;
      });
}

// All recipes that the product has.
void check_all(const Product& p, hardware::Level level) {
  check_fp32(p, level);
  if (p.has(level, Recipe::kInt8, p.m)) check_int8(p, level);
  if (p.has(level, Recipe::kBf16, p.m)) check_bf16(p, level);
}

// F32 has no blocks, so every depth around the widths of vectors and of slices.
TEST(Gemm, DepthsAroundVectorsAndSlices) {
  Random random(3);
  static_assert(kFloatDepth == 256, "the depths below are chosen around it");
  for (const int64_t k : {0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 255, 256, 257, 513, 1025}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const int64_t m : {1, 2, 5}) {
        const Product product(random, dtype, m, 9, k);
        for (const auto level : gemm_levels()) check_all(product, level);
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
      for (const auto level : gemm_levels()) {
        check_all(plain, level);
        check_all(blocks, level);
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
      for (const auto level : gemm_levels()) {
        check_all(product, level);
        check_all(single, level);
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
    for (const auto level : gemm_levels()) {
      check_all(product, level);
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
      for (const auto level : gemm_levels()) {
        for (const Recipe recipe : {Recipe::kFp32, Recipe::kInt8, Recipe::kBf16}) {
          // Block types have bf16 for many rows alone.
          const int64_t least = product.has(level, recipe, 1) ? 1 : kDirectRows + 1;
          if (!product.has(level, recipe, least)) continue;
          const Fenced<float> all = product.all(level, recipe);
          Fenced<float> alone(product.start);
          for (int64_t row = 0; row < product.m; row += least)
            product.run(level, recipe, row, least, 0, 1, product.num_panels(), alone);
          ASSERT_TRUE(alone.same_bits(all)) << described(product, level);

          Fenced<float> pieces(product.start);
          for (int64_t row = 0; row < product.m;) {
            int64_t count = std::min(product.m - row, random.between(least, 130));
            if (product.m - row - count < least) count = product.m - row;
            const int64_t step = random.between(1, product.num_panels());
            for (int64_t first = 0; first < step; ++first)
              product.run(level, recipe, row, count, first, step,
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
  for (const DType dtype : types(false)) {
    const DType type = panel_type(dtype);
    if (type != dtype) continue;
    const Product product(random, dtype, 135, 37, 512);
    for (const auto level : gemm_levels()) {
      const Recipe recipe = has_int8_recipe(type)                  ? Recipe::kInt8
                            : product.has(level, Recipe::kBf16, 1) ? Recipe::kBf16
                                                                   : Recipe::kFp32;
      const Fenced<float> all = product.all(level, recipe);
      for (int64_t m = 1; m <= 135; m += m < 70 ? 1 : 13) {
        Fenced<float> y(product.start);
        product.run(level, recipe, 0, m, 0, 1, product.num_panels(), y);
        const int64_t written = (m - 1) * product.y_stride + product.n;
        ASSERT_EQ(std::memcmp(y.data(), all.data(), static_cast<size_t>(written) * 4), 0)
            << described(product, level) << " m " << m;
      }
    }
  }
}

// More rows and more panels than a level with tiles does at a time (512 and 16): the bits of pieces
// that need no such cuts.
TEST(Gemm, ManyRowsAndPanels) {
  Random random(10);
  for (const DType dtype : {DType::kQ4_K, DType::kQ6_K, DType::kBF16}) {
    const Product product(random, dtype, 530, 16 * 17 + 5, 256);
    for (const auto level : gemm_levels()) {
      for (const Recipe recipe : {Recipe::kInt8, Recipe::kBf16}) {
        if (!product.has(level, recipe, product.m)) continue;
        const Fenced<float> all = product.all(level, recipe);
        Fenced<float> pieces(product.start);
        for (int64_t row = 0; row < product.m; row += 106) {
          for (int64_t first = 0; first < 2; ++first)
            product.run(level, recipe, row, 106, first, 2, product.num_panels() / 2, pieces);
        }
        ASSERT_TRUE(pieces.same_bits(all)) << described(product, level);
      }
    }
  }
}

#if defined(__x86_64__)
// The int8 recipe is exact up to a few fused operations, so the levels agree to the bit.
TEST(Gemm, VectorLevelsGiveTheSameBits) {
  Random random(9);
  std::vector<hardware::Level> vector_levels;
  for (const auto level : gemm_levels()) {
    if (level != hardware::Level::kPortable) vector_levels.push_back(level);
  }
#ifdef TULOU_EMULATE_AVX512
  vector_levels.push_back(hardware::Level::kAvx2);
#endif
  if (vector_levels.size() < 2) GTEST_SKIP() << "one vector level here";
  for (const DType dtype : types(true)) {
    for (const int64_t m : {1, 3, 5, 17, 33, 64}) {
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
  for (const auto level : gemm_levels()) {
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
  for (const auto level : gemm_levels()) {
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
