// Converted rows against the rows they came from.
#include "kernels/quant/requantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/quant/dequantize.h"
#include "kernels/testing.h"
#include "tensor/float16.h"

namespace tulou::kernels {
namespace {

using tensor::DType;
using testing::Random;

enum class Kind {
  kExact,    // the same numbers
  kScales,   // but for the rounding of fp16 scales
  kRounded,  // to 8 bits
};
struct Case {
  DType dtype;
  Kind kind;
  std::vector<size_t> scales;  // where the fp16 scales of a block lie
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {DType::kQ2_K, Kind::kRounded, {80, 82}}, {DType::kQ3_K, Kind::kExact, {108}},
      {DType::kQ5_1, Kind::kRounded, {0, 2}},   {DType::kIQ1_S, Kind::kScales, {0}},
      {DType::kIQ1_M, Kind::kExact, {}},        {DType::kIQ2_XXS, Kind::kScales, {0}},
      {DType::kIQ2_XS, Kind::kRounded, {0}},    {DType::kIQ2_S, Kind::kRounded, {0}},
      {DType::kIQ3_XXS, Kind::kExact, {0}},     {DType::kIQ3_S, Kind::kScales, {0}},
      {DType::kTQ1_0, Kind::kExact, {52}},      {DType::kTQ2_0, Kind::kExact, {64}},
      {DType::kMXFP4, Kind::kExact, {}},        {DType::kNVFP4, Kind::kRounded, {}},
      {DType::kQ1_0, Kind::kExact, {0}},        {DType::kQ2_0, Kind::kExact, {0}}};
  return all;
}

// A row of random blocks with scales of ordinary size.
std::vector<std::byte> random_row(Random& random, const Case& c, int64_t width) {
  std::vector<std::byte> row(tensor::row_bytes(c.dtype, width));
  for (std::byte& byte : row) byte = static_cast<std::byte>(random.next());
  const auto block = static_cast<size_t>(tensor::info(c.dtype).block_bytes);
  for (size_t b = 0; b < row.size(); b += block) {
    for (const size_t offset : c.scales) {
      const uint16_t half = tensor::float_to_fp16(random.uniform(0.004, 0.05));
      std::memcpy(row.data() + b + offset, &half, sizeof half);
    }
    // 2^-24 to 2^15: what fp16 holds; and 0x2... in the highest nibbles of four words.
    if (c.dtype == DType::kMXFP4) row[b] = static_cast<std::byte>(random.between(104, 143));
    if (c.dtype == DType::kIQ1_M) row[b + 55] = (row[b + 55] & std::byte{15}) | std::byte{0x20};
  }
  return row;
}

std::vector<float> decoded(DType dtype, const std::byte* row, int64_t width) {
  std::vector<float> values(static_cast<size_t>(width));
  dequantize_row(dtype, row, values.data(), width);
  return values;
}

TEST(Requantize, EveryTypeIsComputedInOneThatIsComputedInItself) {
  size_t converted = 0;
  for (int t = 0; t < tensor::kNumDTypes; ++t) {
    const auto dtype = static_cast<DType>(t);
    const DType to = computed_type(dtype);
    EXPECT_EQ(computed_type(to), to);
    EXPECT_EQ(tensor::info(dtype).block_size % tensor::info(to).block_size, 0);
    converted += to != dtype ? 1 : 0;
  }
  EXPECT_EQ(converted, cases().size());
}

TEST(Requantize, KeepsWhatItSays) {
  Random random(1);
  for (const Case& c : cases()) {
    const DType to = computed_type(c.dtype);
    const int64_t width = 256 * 40;
    const std::vector<std::byte> row = random_row(random, c, width);
    const std::vector<float> before = decoded(c.dtype, row.data(), width);
    const size_t bytes = tensor::row_bytes(to, width);
    std::vector<std::byte> out(bytes + 2, std::byte{77});
    requantize_row(c.dtype, row.data(), out.data() + 1, width);
    EXPECT_EQ(out.front(), std::byte{77});
    EXPECT_EQ(out.back(), std::byte{77});
    const std::vector<float> after = decoded(to, out.data() + 1, width);
    double error = 0, sum = 0;
    for (size_t b = 0; b < before.size(); b += 32) {
      float amax = 0;
      for (size_t i = b; i < b + 32; ++i) amax = std::max(amax, std::fabs(before[i]));
      // A scale of fp16 is right to 2^-11; Q4_K and Q4_1 add a minimum of up to 1.2 amax to a
      // product of up to 2.2 amax. Q8_0 has steps of at most amax / 120.
      const float bound = c.kind == Kind::kExact    ? 0
                          : c.kind == Kind::kScales ? amax * 3.4f / 2048
                                                    : amax * (1 / 240.0f + 1 / 1024.0f);
      for (size_t i = b; i < b + 32; ++i) {
        ASSERT_LE(std::fabs(before[i] - after[i]), bound) << tensor::name(c.dtype) << " " << i;
        error += std::pow(before[i] - after[i], 2);
        sum += std::pow(before[i], 2);
      }
    }
    EXPECT_LT(std::sqrt(error / sum), 0.006) << tensor::name(c.dtype);
  }
}

TEST(Requantize, ScalesThatFp16DoesNotHold) {
  std::vector<std::byte> row(17), out(22);
  const auto largest = [&](int exponent) {
    row[0] = static_cast<std::byte>(exponent);
    requantize_row(DType::kMXFP4, row.data(), out.data(), 32);
    float amax = 0;
    for (const float v : decoded(DType::kQ5_0, out.data(), 32)) amax = std::max(amax, std::fabs(v));
    return amax;
  };
  for (std::byte& byte : row) byte = std::byte{0x77};  // 12 in every place
  EXPECT_EQ(largest(128), 12);
  EXPECT_EQ(largest(103), 6 * 0x1p-24f);
  EXPECT_EQ(largest(0), 0);
  EXPECT_EQ(largest(144), 15 * 0x1p15f);
  EXPECT_EQ(largest(255), 15 * 0x1p15f);
}

TEST(EncodeQ8_0, TakesTheScaleThatFits) {
  // Multiples of amax / 121: only that scale of the eight has them all.
  std::vector<float> x(32);
  for (size_t i = 0; i < 32; ++i)
    x[i] = (i % 2 == 0 ? -1.0f : 1.0f) * (121 - 7 * static_cast<float>(i)) / 64;
  std::vector<std::byte> row(34);
  encode_q8_0(x.data(), 32, row.data());
  EXPECT_EQ(decoded(DType::kQ8_0, row.data(), 32), x);
}

TEST(EncodeQ8_0, ExtremeBlocks) {
  const auto first = [](float value) {
    std::vector<float> x(32, 0.0f);
    x[0] = value;
    std::vector<std::byte> row(34);
    encode_q8_0(x.data(), 32, row.data());
    return decoded(DType::kQ8_0, row.data(), 32)[0];
  };
  EXPECT_EQ(first(0), 0);
  EXPECT_EQ(first(1e-30f), 0);
  EXPECT_NEAR(first(0x1p-12f), 0x1p-12f, 0x1p-18f);  // a scale of five bits
  EXPECT_EQ(first(1e7f), 127 * 65504.0f);
  EXPECT_EQ(first(-3e38f), -127 * 65504.0f);
  EXPECT_TRUE(std::isnan(first(INFINITY)));
  EXPECT_TRUE(std::isnan(first(-INFINITY)));
  EXPECT_TRUE(std::isnan(first(NAN)));
}

}  // namespace
}  // namespace tulou::kernels
