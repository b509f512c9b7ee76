// The normalisations at each level, against double precision.
#include "kernels/norm/norm.h"

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

constexpr int64_t kWidths[] = {0,  1,  2,  3,  4,  5,   7,   8,    9,   15,
                               16, 17, 31, 33, 64, 128, 576, 1023, 2048};
constexpr float kEps = 1e-6f;

double square_sum(const Fenced<float>& x) {
  double sum = 0;
  for (int64_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

// Roundings of an output. A sum of squares has no cancellation, so its relative error is r u, which
// the root halves; mean, eps, root and reciprocal add one each (the first two halved), the factors
// of the output three.
double norm_roundings(hardware::Level level, int64_t width) {
  return dot_roundings(level, width) / 2 + 1 + 2 + 3;
}

TEST(Norm, RmsNorm) {
  Random random(1);
  for (const int64_t width : kWidths) {
    for (const double size : {1e-30, 1e-3, 1.0, 1e4, 1e17}) {
      for (const float offset : {0.0f, 1.0f}) {
        const auto x = uniform(random, width, -size, size), weight = uniform(random, width, -2, 2);
        const double factor = 1 / std::sqrt(square_sum(x) / static_cast<double>(width) + kEps);
        for (const auto level : levels()) {
          Fenced<float> out(width), same(x);
          const auto& kernels = norm_kernels(level);
          kernels.rms_norm(x.data(), weight.data(), offset, kEps, out.data(), width);
          kernels.rms_norm(same.data(), weight.data(), offset, kEps, same.data(), width);
          EXPECT_TRUE(same.same_bits(out)) << "in place";
          for (int64_t i = 0; i < width; ++i) {
            const double truth = x[i] * factor * (static_cast<double>(offset) + weight[i]);
            ASSERT_NEAR(out[i], truth,
                        std::abs(truth) * norm_roundings(level, width) * kUnit + 4 * kSmallest)
                << hardware::name(level) << " " << width << " " << i;
          }
        }
      }
    }
  }
}

TEST(Norm, GatedRmsNorm) {
  Random random(2);
  for (const int64_t width : kWidths) {
    for (const double size : {0.1, 5.0, 100.0}) {
      const auto x = uniform(random, width, -size, size), weight = uniform(random, width, -2, 2);
      const auto gate = uniform(random, width, -size, size);
      const double factor = 1 / std::sqrt(square_sum(x) / static_cast<double>(width) + kEps);
      for (const auto level : levels()) {
        Fenced<float> out(width), over_x(x), over_gate(gate);
        const auto& kernels = norm_kernels(level);
        kernels.gated_rms_norm(x.data(), weight.data(), gate.data(), kEps, out.data(), width);
        kernels.gated_rms_norm(over_x.data(), weight.data(), gate.data(), kEps, over_x.data(),
                               width);
        kernels.gated_rms_norm(x.data(), weight.data(), over_gate.data(), kEps, over_gate.data(),
                               width);
        EXPECT_TRUE(over_x.same_bits(out) && over_gate.same_bits(out)) << "in place";
        for (int64_t i = 0; i < width; ++i) {
          const double normed = x[i] * factor * weight[i], g = gate[i];
          const double sigmoid = 1 / (1 + std::exp(-g));
          // silu adds 6 roundings and flushes below |g| 2^-126 (simd_test.cpp).
          const double bound =
              std::abs(normed * g) *
              (sigmoid * (norm_roundings(level, width) + 6) * kUnit + kSmallNormal);
          ASSERT_NEAR(out[i], normed * g * sigmoid, bound + 4 * kSmallest);
        }
      }
    }
  }
}

TEST(Norm, L2Norm) {
  Random random(3);
  for (const int64_t width : kWidths) {
    for (const float scale : {1.0f, 0.0883883f}) {
      const auto x = uniform(random, width);
      const double factor = scale / std::sqrt(square_sum(x) + kEps);
      for (const auto level : levels()) {
        Fenced<float> out(width), same(x);
        norm_kernels(level).l2_norm(x.data(), kEps, scale, out.data(), width);
        norm_kernels(level).l2_norm(same.data(), kEps, scale, same.data(), width);
        EXPECT_TRUE(same.same_bits(out)) << "in place";
        for (int64_t i = 0; i < width; ++i) {
          const double truth = x[i] * factor;
          ASSERT_NEAR(out[i], truth, std::abs(truth) * norm_roundings(level, width) * kUnit);
        }
      }
    }
  }
}

TEST(Norm, ZerosStayZerosAndNanSpoilsItsRow) {
  for (const auto level : levels()) {
    Fenced<float> x(20), weight(20), out(20);
    x.fill(0);
    weight.fill(1);
    norm_kernels(level).rms_norm(x.data(), weight.data(), 0, kEps, out.data(), 20);
    for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(out[i], 0.0f);
    norm_kernels(level).l2_norm(x.data(), kEps, 1, out.data(), 20);
    for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(out[i], 0.0f);
    x[19] = std::numeric_limits<float>::quiet_NaN();
    norm_kernels(level).rms_norm(x.data(), weight.data(), 0, kEps, out.data(), 20);
    for (int64_t i = 0; i < 20; ++i) EXPECT_TRUE(std::isnan(out[i]));
  }
}

}  // namespace
}  // namespace tulou::kernels
