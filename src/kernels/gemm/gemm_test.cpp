// The matrix product and its decoders at each level, against sums in double precision.
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
      return {0};
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

// One product with all that belongs to it. Gaps between rows hold kUntouched in y.
struct Product {
  DType dtype;
  int64_t m, n, k, x_stride, y_stride;
  Fenced<std::byte> weight;
  Fenced<float> x, bias, start;
  bool with_bias, accumulate;

  Product(Random& random, DType type, int64_t rows, int64_t columns, int64_t depth)
      : dtype(type),
        m(rows),
        n(columns),
        k(depth),
        x_stride(k + random.below(9)),
        y_stride(n + random.below(9)),
        weight(stored_weights(random, type, n, k)),
        x(uniform(random, m == 0 ? 0 : (m - 1) * x_stride + k)),
        bias(uniform(random, n)),
        start(uniform(random, m == 0 ? 0 : (m - 1) * y_stride + n)),
        with_bias(random.flip()),
        accumulate(random.flip()) {
    for (int64_t i = 0; i < start.size(); ++i) {
      if (i % y_stride >= n) start[i] = kUntouched;
    }
  }

  // Rows [row, row + rows) of x, columns [begin, end) of y, at `level`.
  void run(hardware::Level level, int64_t row, int64_t rows, int64_t begin, int64_t end,
           Fenced<float>& y) const {
    Fenced<float> scratch(kGemmScratch);
    scratch.fill(std::numeric_limits<float>::quiet_NaN());  // nothing may depend on what it held
    GemmArgs args;
    args.weight = weight.data();
    args.dtype = dtype;
    args.k = k;
    args.begin = begin;
    args.end = end;
    args.x = x.data() + row * x_stride;
    args.x_stride = x_stride;
    args.m = rows;
    args.bias = with_bias ? bias.data() : nullptr;
    args.accumulate = accumulate;
    args.y = y.data() + row * y_stride;
    args.y_stride = y_stride;
    args.scratch = scratch.data();
    gemm_kernels(level).gemm(args);
  }
  Fenced<float> all(hardware::Level level) const {
    Fenced<float> y(start);
    run(level, 0, m, 0, n, y);
    return y;
  }
};

// |error| <= r u sum|w x| + ..., where r counts the roundings that a term goes through: those of
// the dot product, then bias and what y held (Higham, "Accuracy and Stability", 3.1: gamma_r, with
// r u so small that r u (1 + r u) covers it: 1.01). Sums of denormals are exact, products lose
// kSmallest each. This is c eps K max|a| max|b| with the true sum in place of K max|a| max|b|.
void check_against_double(const Product& p, hardware::Level level, const Fenced<float>& y) {
  const auto weights = decoded_weights(p.weight, p.dtype, p.n, p.k);
  const double roundings = dot_roundings(level, p.k) + 2;
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t row = i / p.y_stride, column = i % p.y_stride;
    if (column >= p.n) {
      ASSERT_EQ(y[i], kUntouched) << "between rows";
      continue;
    }
    double sum = 0, size = 0;
    const auto add = [&](double term) { sum += term, size += std::abs(term); };
    for (int64_t j = 0; j < p.k; ++j) {
      add(static_cast<double>(weights[static_cast<size_t>(column * p.k + j)]) *
          static_cast<double>(p.x[row * p.x_stride + j]));
    }
    if (p.with_bias) add(p.bias[column]);
    if (p.accumulate) add(p.start[i]);
    const double bound = 1.01 * roundings * kUnit * size + static_cast<double>(p.k) * kSmallest;
    ASSERT_NEAR(y[i], sum, bound) << hardware::name(level) << " " << tensor::name(p.dtype) << " m "
                                  << p.m << " n " << p.n << " k " << p.k << " at " << row << ", "
                                  << column;
  }
}

TEST(Decode, HasTheBitsOfTheReferenceDecoder) {
  Random random(1);
  for (int64_t t = 0; t < tensor::kNumDTypes; ++t) {
    const DType dtype = dtype_at(t);
    const int64_t block = tensor::info(dtype).block_size;
    for (int64_t blocks : {1, 2, 3, 5, 35, 64}) {
      const int64_t width = blocks * block;
      // Scales of any bits, so infinities, NaN and denormals among them.
      Fenced<std::byte> row(static_cast<int64_t>(tensor::row_bytes(dtype, width)));
      for (int64_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::byte>(random.next());
      std::vector<float> expected(static_cast<size_t>(width));
      dequantize_row(dtype, row.data(), expected.data(), width);
      for (const auto level : levels()) {
        for (int i = 0; i < 24; ++i) {
          const int64_t begin = i == 0 ? 0 : random.between(0, blocks) * block;
          const int64_t end =
              i == 0 ? width : begin + random.between(0, (width - begin) / block) * block;
          Fenced<float> out(end - begin);
          gemm_kernels(level).decode(dtype, row.data(), begin, end, out.data());
          for (int64_t j = begin; j < end; ++j) {
            ASSERT_TRUE(same_value(out[j - begin], expected[static_cast<size_t>(j)]))
                << hardware::name(level) << " " << tensor::name(dtype) << " [" << begin << ", "
                << end << ") at " << j;
          }
        }
      }
    }
  }
}

// F32 has no blocks, so every depth around the widths of vectors and of pieces.
TEST(Gemm, DepthsAroundVectorsAndPieces) {
  Random random(2);
  static_assert(kGemmDepth == 512, "the depths below are chosen around it");
  for (const int64_t k :
       {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 511, 512, 513, 1025}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const int64_t m : {1, 2, 5}) {
        const Product product(random, dtype, m, 9, k);
        for (const auto level : levels()) check_against_double(product, level, product.all(level));
      }
    }
  }
}

TEST(Gemm, RowsAndColumnsAroundTiles) {
  Random random(3);
  static_assert(kGemmTokens == 128, "the numbers of rows below are chosen around it");
  for (const int64_t m : {0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 127, 128, 129, 130, 131, 132, 260}) {
    for (const int64_t n : {0, 1, 3, 4, 7, 8, 9, 15, 17}) {
      const DType dtype = dtype_at(random.below(3));
      const Product product(random, dtype, m, n, random.between(1, 70));
      for (const auto level : levels()) check_against_double(product, level, product.all(level));
    }
  }
}

TEST(Gemm, EveryStoredType) {
  Random random(4);
  for (int64_t t = 0; t < tensor::kNumDTypes; ++t) {
    const DType dtype = dtype_at(t);
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t depth : {256, 1024, 1280, 2304}) {
      const Product product(random, dtype, 7, 13, depth);
      for (const auto level : levels()) check_against_double(product, level, product.all(level));
    }
    const Product least(random, dtype, 3, 5, block);
    for (const auto level : levels()) check_against_double(least, level, least.all(level));
  }
}

// Random shapes; all levels lie within the bound around the same number, so within twice the bound
// of each other.
TEST(Gemm, RandomShapes) {
  Random random(5);
  for (int i = 0; i < 250; ++i) {
    const DType dtype = dtype_at(random.below(tensor::kNumDTypes));
    const int64_t block = tensor::info(dtype).block_size;
    const int64_t k =
        random.between(1, std::max<int64_t>(1, (i % 10 == 0 ? 2500 : 300) / block)) * block;
    const Product product(random, dtype, random.between(0, i % 10 == 0 ? 150 : 20),
                          random.between(0, 40), k);
    for (const auto level : levels()) check_against_double(product, level, product.all(level));
  }
}

// The recipe rule: bits depend on neither the rows nor the range that a call does.
TEST(Gemm, RowsAndRangesDoNotChangeBits) {
  Random random(6);
  for (int64_t t = 0; t < tensor::kNumDTypes; ++t) {
    const DType dtype = dtype_at(t);
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t depth : {block, 9 * 256 / block * block}) {
      const Product product(random, dtype, depth == block ? 135 : 40, 27, depth);
      for (const auto level : levels()) {
        const Fenced<float> all = product.all(level);
        Fenced<float> alone(product.start);
        for (int64_t row = 0; row < product.m; ++row)
          product.run(level, row, 1, 0, product.n, alone);
        ASSERT_TRUE(alone.same_bits(all)) << hardware::name(level) << " " << tensor::name(dtype);

        Fenced<float> pieces(product.start);
        for (int64_t row = 0; row < product.m;) {
          const int64_t rows = std::min(product.m - row, random.between(1, 130));
          for (int64_t begin = 0; begin < product.n;) {
            const int64_t end = std::min(product.n, begin + random.between(1, 12));
            product.run(level, row, rows, begin, end, pieces);
            begin = end;
          }
          row += rows;
        }
        ASSERT_TRUE(pieces.same_bits(all)) << hardware::name(level) << " " << tensor::name(dtype);
      }
    }
  }
}

// The first m rows of a call with 1 to 135 rows: equal bits for each m.
TEST(Gemm, AnyNumberOfRowsGivesTheSameBits) {
  Random random(7);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kQ8_0, DType::kQ4_0,
                            DType::kQ4_1, DType::kQ6_K}) {
    const Product product(random, dtype, 135, 11, 512);
    for (const auto level : levels()) {
      const Fenced<float> all = product.all(level);
      for (int64_t m = 1; m <= 135; ++m) {
        Fenced<float> y(product.start);
        product.run(level, 0, m, 0, product.n, y);
        const int64_t written = (m - 1) * product.y_stride + product.n;
        ASSERT_EQ(std::memcmp(y.data(), all.data(), static_cast<size_t>(written) * 4), 0)
            << hardware::name(level) << " " << tensor::name(dtype) << " m " << m;
      }
    }
  }
}

// A weight that is not a number spoils its own column; an activation, its own row. Nothing else.
TEST(Gemm, NanStaysInItsRowAndColumn) {
  Random random(8);
  Product product(random, DType::kF32, 9, 12, 40);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(product.weight.data() + (11 * 40 + 39) * 4, &nan,
              4);  // row 11: the last one stands in
  product.x[4 * product.x_stride + 20] = std::numeric_limits<float>::infinity();
  for (const auto level : levels()) {
    const Fenced<float> y = product.all(level);
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
  for (int64_t i = 0; i < 8 * 16; ++i) {
    const float value = i / 16 == 7 ? 3e38f : 1.0f;
    std::memcpy(product.weight.data() + i * 4, &value, 4);
  }
  for (int64_t i = 0; i < product.x.size(); ++i) product.x[i] = 1e-45f * static_cast<float>(i + 1);
  for (int64_t i = 0; i < 16; ++i) product.x[3 * product.x_stride + i] = 2.0f;
  for (const auto level : levels()) {
    const Fenced<float> y = product.all(level);
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
