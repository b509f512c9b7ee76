// The operations of simd-inl.h at each level, against plain C++.
#include <gtest/gtest.h>

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

enum class Operation {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFma,
  kMax,
  kMin,
  kRound,
  kSelectLess,
  kExp,
  kSigmoid,
  kSilu
};
enum class Format { kBf16, kF16, kI8 };

struct SimdFunctions {
  void (*run)(Operation operation, const float* a, const float* b, const float* c, float* out,
              int64_t count);
  void (*convert)(Format format, const void* in, float* out, int64_t count);
  void (*bits_of)(const uint8_t* in, int shift, int mask, float* out, int64_t count);
  float (*sum_lanes)(const float* a);
  void (*sum_four)(const float* a, float* out);
  float (*dot_of)(const float* a, const float* b, int64_t count);
};

}  // namespace
}  // namespace tulou::kernels

#define TULOU_KERNEL_FILE "kernels/simd_test-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
namespace {

using namespace testing;

TULOU_LEVEL_TABLE(SimdFunctions, simd_functions, TULOU_FILL_6, run, convert, bits_of, sum_lanes,
                  sum_four, dot_of)

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Values of all sizes, zeros, denormals, infinities and NaN.
Fenced<float> mixed(Random& random, int64_t count) {
  const float special[] = {0.0f, -0.0f,  1.0f,    -1.0f,   kInf, -kInf,
                           kNan, 1e-45f, -1e-40f, 3.4e38f, 0.5f, 2.5f};
  Fenced<float> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = random.below(3) == 0 ? special[random.below(std::size(special))]
                                     : std::ldexp(random.uniform(-1, 1),
                                                  static_cast<int>(random.between(-140, 120)));
  }
  return values;
}

float expected_of(Operation operation, float x, float y, float z) {
  switch (operation) {
    case Operation::kAdd:
      return x + y;
    case Operation::kSub:
      return x - y;
    case Operation::kMul:
      return x * y;
    case Operation::kDiv:
      return x / y;
    case Operation::kMax:
      return x > y ? x : y;
    case Operation::kMin:
      return x < y ? x : y;
    case Operation::kSelectLess:
      return x < y ? z : x;
    default:
      return 0;
  }
}

TEST(Simd, ArithmeticIsThatOfIeee754) {
  Random random(1);
  const int64_t count = 4096;
  const auto a = mixed(random, count), b = mixed(random, count), c = mixed(random, count);
  for (const auto level : levels()) {
    for (const auto operation : {Operation::kAdd, Operation::kSub, Operation::kMul, Operation::kDiv,
                                 Operation::kMax, Operation::kMin, Operation::kSelectLess}) {
      Fenced<float> out(count);
      simd_functions(level).run(operation, a.data(), b.data(), c.data(), out.data(), count);
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_TRUE(same_value(out[i], expected_of(operation, a[i], b[i], c[i])))
            << hardware::name(level) << " " << static_cast<int>(operation) << ": " << a[i] << " "
            << b[i] << " -> " << out[i];
      }
    }
  }
}

// Fused or not, by the level; never a third thing.
TEST(Simd, FusedMultiplyAddIsTheSameEverywhereInALevel) {
  Random random(2);
  const int64_t count = 4096;
  const auto a = uniform(random, count), b = uniform(random, count), c = uniform(random, count);
  for (const auto level : levels()) {
    Fenced<float> out(count);
    simd_functions(level).run(Operation::kFma, a.data(), b.data(), c.data(), out.data(), count);
    int64_t fused = 0, rounded = 0;
    for (int64_t i = 0; i < count; ++i) {
      fused += out[i] == std::fma(a[i], b[i], c[i]);
      rounded += out[i] == a[i] * b[i] + c[i];
    }
#ifdef TULOU_EMULATE_AVX512
    EXPECT_TRUE(fused == count || rounded == count);  // the emulation may do either
#else
    EXPECT_EQ(level == hardware::Level::kPortable ? rounded : fused, count)
        << hardware::name(level);
#endif
  }
}

TEST(Simd, RoundsToNearestEven) {
  const int64_t count = 4096;
  Fenced<float> in(count);
  for (int64_t i = 0; i < count; ++i) in[i] = static_cast<float>(i - count / 2) * 0.125f;
  for (const auto level : levels()) {
    Fenced<float> out(count);
    simd_functions(level).run(Operation::kRound, in.data(), in.data(), in.data(), out.data(),
                              count);
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(out[i], std::nearbyint(in[i])) << in[i];
  }
}

// Distance in units of the last place of the true value, which is a normal float.
double error_in_ulp(float got, double truth) {
  int exponent;
  std::frexp(truth, &exponent);
  return std::abs(static_cast<double>(got) - truth) / std::ldexp(1.0, exponent - 24);
}

// Floats in steps of 701 over the whole range, plus all of those around its ends.
Fenced<float> exp_inputs() {
  std::vector<float> in;
  const uint32_t high = std::bit_cast<uint32_t>(88.72283f),
                 low = std::bit_cast<uint32_t>(87.33654f);
  for (uint32_t bits = 0; bits <= high; bits += 701) in.push_back(std::bit_cast<float>(bits));
  for (uint32_t bits = 0; bits <= low; bits += 701) in.push_back(-std::bit_cast<float>(bits));
  for (uint32_t i = 0; i < 5000; ++i) {
    in.push_back(std::bit_cast<float>(high - i));
    in.push_back(-std::bit_cast<float>(low - i));
  }
  while (in.size() % 16 != 0) in.push_back(0);
  Fenced<float> values(static_cast<int64_t>(in.size()));
  std::memcpy(values.data(), in.data(), in.size() * sizeof(float));
  return values;
}

TEST(Simd, ExpIsWithinTwoUlp) {
  const auto in = exp_inputs();
  for (const auto level : levels()) {
    Fenced<float> out(in.size());
    simd_functions(level).run(Operation::kExp, in.data(), in.data(), in.data(), out.data(),
                              in.size());
    double worst = 0;
    float where = 0;
    for (int64_t i = 0; i < in.size(); ++i) {
      // exp of double is off by less than 2^-29 units of float: nothing here.
      const double error = error_in_ulp(out[i], std::exp(static_cast<double>(in[i])));
      if (!(error <= worst)) worst = error, where = in[i];
    }
    EXPECT_LE(worst, 2.0) << hardware::name(level) << " at " << where;
  }
}

TEST(Simd, ExpAtItsEnds) {
  const float in[16] = {0.0f,   -0.0f,  kInf,   -kInf,   kNan,      -kNan,      88.72284f,  1e38f,
                        -87.4f, -1e38f, 1e-45f, -1e-40f, 88.72283f, -87.33654f, -87.33655f, 1e-8f};
  for (const auto level : levels()) {
    float out[16];
    simd_functions(level).run(Operation::kExp, in, in, in, out, 16);
    EXPECT_EQ(out[0], 1.0f);
    EXPECT_EQ(out[1], 1.0f);
    EXPECT_EQ(out[2], kInf);
    EXPECT_EQ(out[3], 0.0f);
    EXPECT_TRUE(std::isnan(out[4]) && std::isnan(out[5])) << hardware::name(level);
    EXPECT_EQ(out[6], kInf);
    EXPECT_EQ(out[7], kInf);
    EXPECT_EQ(out[8], 0.0f);
    EXPECT_EQ(out[9], 0.0f);
    EXPECT_EQ(out[10], 1.0f);
    EXPECT_EQ(out[11], 1.0f);
    EXPECT_TRUE(std::isfinite(out[12]));
    EXPECT_GE(out[13], static_cast<float>(kSmallNormal));
    EXPECT_EQ(out[14], 0.0f);
    EXPECT_EQ(out[15], 1.0f);
  }
}

// With e = exp(-x) off by 4 units (2 ulp) relative, 1 + e adds one and the division one: 6 units; e
// that overflows or is flushed changes the result by less than |x| 2^-126.
TEST(Simd, SigmoidAndSilu) {
  const int64_t count = 400000;
  Fenced<float> in(count);
  for (int64_t i = 0; i < count; ++i) in[i] = static_cast<float>(i - count / 2) * 0.0005f;
  for (const auto level : levels()) {
    Fenced<float> sigmoid(count), silu(count);
    simd_functions(level).run(Operation::kSigmoid, in.data(), in.data(), in.data(), sigmoid.data(),
                              count);
    simd_functions(level).run(Operation::kSilu, in.data(), in.data(), in.data(), silu.data(),
                              count);
    for (int64_t i = 0; i < count; ++i) {
      const double x = in[i], truth = 1 / (1 + std::exp(-x));
      ASSERT_NEAR(sigmoid[i], truth, truth * 6 * kUnit + kSmallNormal) << x;
      ASSERT_NEAR(silu[i], x * truth, std::abs(x) * (truth * 6 * kUnit + kSmallNormal)) << x;
    }
    const float ends[16] = {kInf, -kInf, kNan, 3e38f, -3e38f};
    float out[16];
    simd_functions(level).run(Operation::kSigmoid, ends, ends, ends, out, 16);
    EXPECT_EQ(out[0], 1.0f);
    EXPECT_EQ(out[1], 0.0f);
    EXPECT_TRUE(std::isnan(out[2]));
    simd_functions(level).run(Operation::kSilu, ends, ends, ends, out, 16);
    EXPECT_EQ(out[0], kInf);
    EXPECT_TRUE(std::isnan(out[2]));
    EXPECT_EQ(out[3], 3e38f);
    EXPECT_EQ(out[4], 0.0f);  // minus zero
  }
}

TEST(Simd, ReadsEveryHalfAndByte) {
  Fenced<uint16_t> halves(65536);
  Fenced<uint8_t> bytes(256);
  for (int64_t i = 0; i < 65536; ++i) halves[i] = static_cast<uint16_t>(i);
  for (int64_t i = 0; i < 256; ++i) bytes[i] = static_cast<uint8_t>(i);
  for (const auto level : levels()) {
    Fenced<float> out(65536);
    const auto& f = simd_functions(level);
    f.convert(Format::kF16, halves.data(), out.data(), 65536);
    for (int64_t i = 0; i < 65536; ++i)
      ASSERT_TRUE(same_value(out[i], tensor::fp16_to_float(halves[i]))) << i;
    f.convert(Format::kBf16, halves.data(), out.data(), 65536);
    for (int64_t i = 0; i < 65536; ++i)
      ASSERT_TRUE(same_value(out[i], tensor::bf16_to_float(halves[i]))) << i;
    f.convert(Format::kI8, bytes.data(), out.data(), 256);
    for (int64_t i = 0; i < 256; ++i) ASSERT_EQ(out[i], static_cast<int8_t>(bytes[i]));
    for (const int mask : {1, 3, 15, 255}) {
      for (int shift = 0; shift < 8; ++shift) {
        f.bits_of(bytes.data(), shift, mask, out.data(), 256);
        for (int64_t i = 0; i < 256; ++i)
          ASSERT_EQ(out[i], static_cast<float>((i >> shift) & mask)) << shift;
      }
    }
  }
}

// Whole numbers below 2^24 in total: any order of adding them is exact.
TEST(Simd, SumsEveryLaneOnce) {
  for (const auto level : levels()) {
    Fenced<float> in(lanes(level));
    float expected = 0;
    for (int64_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<float>(1 << i);
      expected += in[i];
    }
    EXPECT_EQ(simd_functions(level).sum_lanes(in.data()), expected);
  }
}

TEST(Simd, FourSumsHaveTheBitsOfOne) {
  Random random(4);
  for (const auto level : levels()) {
    for (int i = 0; i < 100; ++i) {
      const auto in = uniform(random, 4 * lanes(level));
      float out[4];
      simd_functions(level).sum_four(in.data(), out);
      for (int64_t j = 0; j < 4; ++j)
        ASSERT_EQ(out[j], simd_functions(level).sum_lanes(in.data() + j * lanes(level)));
    }
  }
}

TEST(Simd, DotReadsItsValuesAndNoMore) {
  Random random(3);
  for (const auto level : levels()) {
    for (int64_t count = 0; count < 70; ++count) {
      const auto a = uniform(random, count), b = uniform(random, count);
      double truth = 0, size = 0;
      for (int64_t i = 0; i < count; ++i) {
        truth += static_cast<double>(a[i]) * b[i];
        size += std::abs(static_cast<double>(a[i]) * b[i]);
      }
      EXPECT_NEAR(simd_functions(level).dot_of(a.data(), b.data(), count), truth,
                  dot_roundings(level, count) * kUnit * size);
    }
  }
}

}  // namespace
}  // namespace tulou::kernels
