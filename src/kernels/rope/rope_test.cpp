// The rotations at each level, against double precision.
#include "kernels/rope/rope.h"

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

struct Angles {
  Fenced<float> cos, sin;
  Angles(Random& random, int64_t half) : cos(half), sin(half) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = random.uniform(-4, 4);
      cos[i] = std::cos(angle);
      sin[i] = std::sin(angle);
    }
  }
};

// Each output is a sum of two products: three roundings, the last one of the sum.
void check_pair(double first, double second, double cos, double sin, float got_first,
                float got_second) {
  const double bound = 2 * kUnit * (std::abs(first) + std::abs(second));
  ASSERT_NEAR(got_first, first * cos - second * sin, bound);
  ASSERT_NEAR(got_second, second * cos + first * sin, bound);
}

TEST(Rope, TurnsPairsAndLeavesTheRest) {
  Random random(1);
  for (const int64_t half : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 32, 64}) {
    for (const int64_t rest : {0, 1, 64}) {
      const Angles angles(random, half);
      const auto x = uniform(random, 2 * half + rest, -5, 5);
      for (const auto level : levels()) {
        Fenced<float> halves(x), pairs(x);
        rope_kernels(level).rotate_half(halves.data(), angles.cos.data(), angles.sin.data(), half);
        rope_kernels(level).rotate_pairs(pairs.data(), angles.cos.data(), angles.sin.data(), half);
        for (int64_t i = 0; i < half; ++i) {
          check_pair(x[i], x[half + i], angles.cos[i], angles.sin[i], halves[i], halves[half + i]);
          check_pair(x[2 * i], x[2 * i + 1], angles.cos[i], angles.sin[i], pairs[2 * i],
                     pairs[2 * i + 1]);
        }
        for (int64_t i = 2 * half; i < x.size(); ++i) {
          EXPECT_EQ(halves[i], x[i]);
          EXPECT_EQ(pairs[i], x[i]);
        }
      }
    }
  }
}

// Both do the same operations in a different order of dimensions.
TEST(Rope, HalvesAndPairsHaveTheSameBits) {
  Random random(2);
  const int64_t half = 37;
  const Angles angles(random, half);
  const auto x = uniform(random, 2 * half);
  for (const auto level : levels()) {
    Fenced<float> halves(x), pairs(2 * half);
    for (int64_t i = 0; i < half; ++i) {
      pairs[2 * i] = x[i];
      pairs[2 * i + 1] = x[half + i];
    }
    rope_kernels(level).rotate_half(halves.data(), angles.cos.data(), angles.sin.data(), half);
    rope_kernels(level).rotate_pairs(pairs.data(), angles.cos.data(), angles.sin.data(), half);
    for (int64_t i = 0; i < half; ++i) {
      EXPECT_EQ(halves[i], pairs[2 * i]);
      EXPECT_EQ(halves[half + i], pairs[2 * i + 1]);
    }
  }
}

}  // namespace
}  // namespace tulou::kernels
