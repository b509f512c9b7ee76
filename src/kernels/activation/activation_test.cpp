// The elementwise functions at each level, against double precision.
#include "kernels/activation/activation.h"

#include <algorithm>

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int64_t kCounts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 1536};

TEST(Activation, SiluMul) {
  Random random(1);
  for (const int64_t count : kCounts) {
    const auto gate = uniform(random, count, -95, 95), up = uniform(random, count, -3, 3);
    for (const auto level : levels()) {
      Fenced<float> out(count), over_gate(gate), over_up(up);
      const auto& kernels = activation_kernels(level);
      kernels.silu_mul(gate.data(), up.data(), out.data(), count);
      kernels.silu_mul(over_gate.data(), up.data(), over_gate.data(), count);
      kernels.silu_mul(gate.data(), over_up.data(), over_up.data(), count);
      EXPECT_TRUE(over_gate.same_bits(out) && over_up.same_bits(out)) << "in place";
      for (int64_t i = 0; i < count; ++i) {
        // 6 roundings and the flush of silu (simd_test.cpp), one of the product.
        const double g = gate[i], u = up[i], sigmoid = 1 / (1 + std::exp(-g));
        ASSERT_NEAR(out[i], g * sigmoid * u,
                    std::abs(g * u) * (sigmoid * 7 * kUnit + kSmallNormal) + kSmallest);
      }
    }
  }
}

TEST(Activation, SigmoidMul) {
  Random random(2);
  for (const int64_t count : kCounts) {
    const auto x = uniform(random, count, -3, 3), gate = uniform(random, count, -95, 95);
    for (const auto level : levels()) {
      Fenced<float> out(count), same(x);
      activation_kernels(level).sigmoid_mul(x.data(), gate.data(), out.data(), count);
      activation_kernels(level).sigmoid_mul(same.data(), gate.data(), same.data(), count);
      EXPECT_TRUE(same.same_bits(out)) << "in place";
      for (int64_t i = 0; i < count; ++i) {
        const double sigmoid = 1 / (1 + std::exp(-static_cast<double>(gate[i])));
        ASSERT_NEAR(out[i], x[i] * sigmoid,
                    std::abs(x[i]) * (sigmoid * 7 * kUnit + kSmallNormal) + kSmallest);
      }
    }
  }
}

TEST(Activation, AddScaled) {
  Random random(3);
  for (const int64_t count : kCounts) {
    const auto x = uniform(random, count), start = uniform(random, count);
    for (const float scale : {1.0f, 0.0f, -0.37f}) {
      for (const auto level : levels()) {
        Fenced<float> out(start);
        activation_kernels(level).add_scaled(x.data(), scale, out.data(), count);
        for (int64_t i = 0; i < count; ++i) {
          const double product = static_cast<double>(x[i]) * scale, sum = start[i] + product;
          ASSERT_NEAR(out[i], sum, kUnit * (std::abs(product) + std::abs(sum)) * 1.01);
        }
      }
    }
  }
}

// p = exp(x - max) / sum. The difference is off by |x - max| u, which exp turns into as much of a
// relative error; exp adds 4, the sum (no cancellation) count / lanes + log2(lanes) and the mean of
// its terms' errors, at most those of the largest |x - max|, reciprocal and product 2.
TEST(Activation, Softmax) {
  Random random(4);
  for (const int64_t count : kCounts) {
    for (const double size : {0.0, 1.0, 30.0, 200.0}) {
      const auto x = uniform(random, count, -size, size);
      double largest = -1e300, sum = 0;
      for (int64_t i = 0; i < count; ++i) largest = std::max<double>(largest, x[i]);
      for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - largest);
      for (const auto level : levels()) {
        Fenced<float> out(x);
        activation_kernels(level).softmax(out.data(), count);
        for (int64_t i = 0; i < count; ++i) {
          const double truth = std::exp(x[i] - largest) / sum;
          const double roundings = 2 * (2 * size + 4) + dot_roundings(level, count) + 2;
          ASSERT_NEAR(out[i], truth, truth * roundings * kUnit + kSmallNormal)
              << hardware::name(level) << " " << count;
        }
      }
    }
  }
}

TEST(Activation, SoftmaxOfInfinities) {
  for (const auto level : levels()) {
    Fenced<float> x(21);
    x.fill(-kInf);
    x[20] = 2;
    x[3] = 2;
    activation_kernels(level).softmax(x.data(), 21);
    for (int64_t i = 0; i < 21; ++i) EXPECT_EQ(x[i], i == 3 || i == 20 ? 0.5f : 0.0f);
    x[7] = std::numeric_limits<float>::quiet_NaN();
    activation_kernels(level).softmax(x.data(), 21);
    for (int64_t i = 0; i < 21; ++i) EXPECT_TRUE(std::isnan(x[i]));
  }
}

}  // namespace
}  // namespace tulou::kernels
