// Encoded rows: against stored blocks of the reference encoders, and decoded again, within bounds.
#include "kernels/quant/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/quantize_fit.h"

namespace tulou::kernels {
namespace {

using tensor::DType;

constexpr DType kSearched[] = {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                               DType::kIQ4_XS};
constexpr DType kSmall[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t word() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double uniform() { return (static_cast<double>(word() >> 11) + 0.5) * 0x1p-53; }
  double normal() {
    return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }
  // Student's t with 2 degrees of freedom: heavy tails.
  double heavy() { return normal() / std::sqrt(-std::log(uniform())); }

 private:
  uint64_t state_;
};

std::vector<float> normal_row(size_t width, uint64_t seed, double scale = 0.02) {
  Random random(seed);
  std::vector<float> x(width);
  for (float& value : x) value = static_cast<float>(scale * random.normal());
  return x;
}
std::vector<float> heavy_row(size_t width, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(width);
  for (float& value : x) value = static_cast<float>(0.02 * random.heavy());
  return x;
}

std::vector<float> decoded(DType dtype, const std::vector<float>& x,
                           const float* importance = nullptr) {
  const auto width = static_cast<int64_t>(x.size());
  std::vector<std::byte> row(tensor::row_bytes(dtype, width) + 1);
  quantize_row(dtype, x.data(), width, importance, row.data() + 1);  // any address will do
  std::vector<float> out(x.size());
  dequantize_row(dtype, row.data() + 1, out.data(), width);
  return out;
}

double squared_error(const std::vector<float>& x, const std::vector<float>& y,
                     const std::vector<float>& weights = {}) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = double{x[i]} - double{y[i]};
    sum += (weights.empty() ? 1.0 : double{weights[i]}) * difference * difference;
  }
  return sum;
}

double rms_error(const std::vector<float>& x, const std::vector<float>& y) {
  return std::sqrt(squared_error(x, y) / static_cast<double>(x.size()));
}

// tests/quant/make_encoded.py, values().
std::vector<float> fixture_values() {
  constexpr size_t kBlocks = 64, kSize = 32;
  Random random(11);
  std::vector<float> x(kBlocks * kSize);
  for (size_t i = 0; i < x.size(); i += 4) {
    const uint64_t word = random.word();
    for (size_t j = 0; j < 4; ++j)
      x[i + j] = std::ldexp(static_cast<float>(static_cast<int16_t>(word >> (16 * j))),
                            static_cast<int>(i / kSize % 24) - 27);
  }
  const auto each = [&](size_t block, auto&& change) {
    for (size_t i = 0; i < kSize; ++i) x[block * kSize + i] = change(x[block * kSize + i], i);
  };
  each(1, [](float, size_t) { return 0.0f; });
  each(2, [](float, size_t) { return 0.75f; });
  each(3, [](float, size_t) { return -0.75f; });
  each(4, [](float v, size_t) { return std::fabs(v); });
  each(5, [](float v, size_t) { return -std::fabs(v); });
  each(6, [](float v, size_t i) { return i < 31 ? 0 : v; });
  each(7, [](float v, size_t) { return std::ldexp(v, -20); });
  return x;
}

TEST(Quantize, ReferenceEncodersByteForByte) {
  const std::string stored = base::read_file("tests/quant/encoded.bin", 1 << 20);
  const std::vector<float> x = fixture_values();
  const auto width = static_cast<int64_t>(x.size());
  size_t at = 0;
  for (const DType dtype : kSmall) {
    const size_t bytes = tensor::row_bytes(dtype, width);
    std::vector<std::byte> row(bytes);
    quantize_row(dtype, x.data(), width, nullptr, row.data());
    ASSERT_LE(at + bytes, stored.size());
    const auto block = static_cast<size_t>(tensor::info(dtype).block_bytes);
    for (size_t b = 0; b < bytes; b += block)
      EXPECT_EQ(std::memcmp(row.data() + b, stored.data() + at + b, block), 0)
          << tensor::name(dtype) << " block " << b / block;
    at += bytes;
  }
  EXPECT_EQ(at, stored.size());
}

TEST(Quantize, PlainTypesAreExactOrRounded) {
  const std::vector<float> x = normal_row(97, 1);
  EXPECT_EQ(decoded(DType::kF32, x), x);
  for (const auto& [dtype, relative] : {std::pair(DType::kF16, 0x1p-11), {DType::kBF16, 0x1p-8}}) {
    const std::vector<float> y = decoded(dtype, x);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_LE(std::fabs(x[i] - y[i]), relative * std::fabs(double{x[i]}) + 0x1p-25);
    EXPECT_EQ(decoded(dtype, y), y);
    const std::vector<float> largest = {largest_magnitude(dtype), -largest_magnitude(dtype)};
    EXPECT_EQ(decoded(dtype, largest), largest);
  }
}

// No value is farther off than a step of the codes (a value at the far end may be cut off by one),
// or half a step where the codes reach both ends; and the fp16 scale is off by 2^-11.
TEST(Quantize, ReferenceErrorsAreAtMostAStep) {
  constexpr double kRounding = 0x1p-9;
  for (uint64_t seed = 1; seed < 20; ++seed) {
    const std::vector<float> x = seed % 2 == 0 ? normal_row(32, seed) : heavy_row(32, seed);
    double low = 0, high = 0;
    for (const float value : x) {
      low = std::min(low, double{value});
      high = std::max(high, double{value});
    }
    const double largest = std::max(-low, high), range = high - low;
    const auto check = [&](DType dtype, double bound) {
      const std::vector<float> y = decoded(dtype, x);
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_LE(std::fabs(x[i] - y[i]), bound + kRounding * largest) << tensor::name(dtype);
    };
    check(DType::kQ4_0, largest / 8);
    check(DType::kQ5_0, largest / 16);
    check(DType::kQ8_0, largest / 127 / 2);
    check(DType::kQ4_1, range / 15 / 2);
    check(DType::kQ5_1, range / 31 / 2);
  }
}

// The least that a search must reach: the root mean square error of one step for the whole
// super-block (half a step for codes, half a step of the group's scale and minimum).
TEST(Quantize, SearchedErrorsStayBelowThePlainEncoder) {
  for (uint64_t seed = 1; seed < 20; ++seed) {
    const std::vector<float> x = seed % 2 == 0 ? normal_row(512, seed) : heavy_row(512, seed);
    double low = 0, high = 0;
    for (const float value : x) {
      low = std::min(low, double{value});
      high = std::max(high, double{value});
    }
    const double range = high - low, largest = std::max(-low, high);
    const auto check = [&](DType dtype, double bound) {
      EXPECT_LE(rms_error(x, decoded(dtype, x)), bound) << tensor::name(dtype) << " " << seed;
    };
    check(DType::kQ4_K, range / 15 / 2 + range / 63 / 2 + largest / 63 / 2);
    check(DType::kQ5_K, range / 31 / 2 + range / 63 / 2 + largest / 63 / 2);
    check(DType::kQ6_K, largest / 32 / 2 + largest / 127 / 2);
    check(DType::kIQ4_NL, largest / 113 * 12);  // half of the widest gap in the table
    check(DType::kIQ4_XS, largest / 113 * 12 + largest / 31 / 2);
  }
}

// Root mean square errors on normal values relative to their deviation, as ggml's own quantisers
// reach them (measured with ggml_quantize_chunk of llama.cpp 0.5.0 on the same kind of rows).
TEST(Quantize, ErrorsOnNormalValues) {
  const std::vector<float> x = normal_row(64 * 256, 5, 1.0);
  for (const auto& [dtype, limit] : {std::pair(DType::kQ4_K, 0.0714),
                                     {DType::kQ5_K, 0.0362},
                                     {DType::kQ6_K, 0.0178},
                                     {DType::kIQ4_NL, 0.0761},
                                     {DType::kIQ4_XS, 0.0767}})
    EXPECT_LE(rms_error(x, decoded(dtype, x)), limit) << tensor::name(dtype);
}

TEST(Quantize, ImportanceMovesTheErrorAway) {
  Random random(3);
  std::vector<float> importance(1024);
  for (float& value : importance) value = static_cast<float>(std::exp(1.5 * random.normal()));
  for (const std::vector<float>& x : {normal_row(1024, 8), heavy_row(1024, 9)}) {
    for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ4_K,
                              DType::kQ5_K, DType::kIQ4_NL, DType::kIQ4_XS})
      EXPECT_LT(squared_error(x, decoded(dtype, x, importance.data()), importance),
                0.98 * squared_error(x, decoded(dtype, x), importance))
          << tensor::name(dtype);
  }
}

TEST(Quantize, EqualImportanceIsNone) {
  const std::vector<float> x = heavy_row(512, 4), ones(512, 3.0f), zeros(512, 0.0f);
  for (const DType dtype : kSearched) {
    EXPECT_EQ(decoded(dtype, x, ones.data()), decoded(dtype, x)) << tensor::name(dtype);
    EXPECT_EQ(decoded(dtype, x, zeros.data()), decoded(dtype, x)) << tensor::name(dtype);
  }
}

// Extreme blocks stay finite and within the range of what they encode.
TEST(Quantize, ExtremeBlocks) {
  std::vector<std::vector<float>> rows = {
      std::vector<float>(256, 0.0f),     std::vector<float>(256, 0.5f),
      std::vector<float>(256, -0.5f),    std::vector<float>(256, 1e-38f),
      std::vector<float>(256, 65504.0f), std::vector<float>(256, -65504.0f)};
  rows.emplace_back(256, 0.0f)[77] = 65504.0f;
  rows.emplace_back(256, 1e-6f)[0] = -1.0f;
  rows.emplace_back(256, 65504.0f)[3] = -65504.0f;
  std::vector<float> importance(256, 0.0f);
  importance[5] = 1e30f;
  for (int i = 0; i < tensor::kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!can_quantize(dtype)) continue;
    for (const std::vector<float>& x : rows) {
      for (const float* weights :
           {static_cast<const float*>(nullptr), std::as_const(importance).data()}) {
        float largest = 0;
        for (const float value : x) largest = std::max(largest, std::fabs(value));
        for (const float value : decoded(dtype, x, weights)) {
          EXPECT_TRUE(std::isfinite(value)) << tensor::name(dtype);
          EXPECT_LE(std::fabs(value), 1.25 * double{largest}) << tensor::name(dtype);
        }
      }
    }
  }
  const std::vector<float> zeros(256, 0.0f);
  for (const DType dtype : kSearched) EXPECT_EQ(decoded(dtype, zeros), zeros);
}

// The searches against an exhaustive one, over scales in steps of 0.1 %.
TEST(QuantizeFit, NearlyAsGoodAsTryingAllScales) {
  const std::vector<float> w(32, 1.0f);
  std::vector<float> levels_out(32);
  double found = 0, best = 0;
  for (uint64_t seed = 1; seed < 60; ++seed) {
    const std::vector<float> x = seed % 2 == 0 ? normal_row(32, seed) : heavy_row(32, seed);
    float largest = 0;
    for (const float value : x) largest = std::max(largest, std::fabs(value));
    const fit::Group group = {x.data(), w.data(), 32};
    for (const fit::Levels& levels : {fit::kLevelsQ4_0, fit::kLevelsIQ4}) {
      const auto error = [&](float scale) {
        return fit::assign(group, levels, scale, levels_out.data()).error(double{scale});
      };
      double least = 1e30;
      for (int i = 200; i < 1500; ++i) {
        const float scale = largest / levels.high * static_cast<float>(i) * 1e-3f;
        least = std::min({least, error(scale), error(-scale)});
      }
      found += error(fit::best_scale(group, levels));
      best += least;
    }
  }
  EXPECT_LE(found, 1.01 * best);
}

TEST(QuantizeFit, FindsTheScaleAndMinimumOfValuesOnAGrid) {
  std::vector<float> x(32);
  const std::vector<float> w(32, 1.0f);
  Random random(21);
  for (size_t i = 0; i < 32; ++i)
    x[i] = 0.125f * static_cast<float>(i < 2 ? 15 * i : random.word() % 16) - 0.5f;
  const fit::Affine affine = fit::best_affine({x.data(), w.data(), 32}, 15, true);
  EXPECT_NEAR(affine.scale, 0.125f, 1e-5);
  EXPECT_NEAR(affine.minimum, 0.5f, 1e-4);
  // A minimum that must not be negative: the values all lie above 0.
  for (float& value : x) value += 1;
  EXPECT_GE(fit::best_affine({x.data(), w.data(), 32}, 15, true).minimum, 0);
  EXPECT_NEAR(fit::best_affine({x.data(), w.data(), 32}, 15, false).minimum, -0.5f, 1e-4);
}

}  // namespace
}  // namespace tulou::kernels
