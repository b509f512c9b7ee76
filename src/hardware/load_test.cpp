#include "hardware/load.h"

#include <gtest/gtest.h>

#include <vector>

namespace tulou::hardware {
namespace {

TEST(Load, ReadsTheSystemsCounters) {
  EXPECT_EQ(busy_ticks("cpu  10 20 30 1000 2000 1 2 4 8 16\ncpu0 1 1 1 1 1 1 1 1\n"), 67u);
  EXPECT_EQ(busy_ticks("cpu  10 20 30 1000 2000 1 2 4"), 67u);
  EXPECT_FALSE(busy_ticks("cpu  10 20 30 1000 2000 1 2"));  // an old kernel without steal
  EXPECT_FALSE(busy_ticks("cpu  10 20 x 1000 2000 1 2 4"));
  EXPECT_FALSE(busy_ticks("intr 10 20 30 1000 2000 1 2 4"));
  EXPECT_FALSE(busy_ticks(""));
}

TEST(Load, OthersAreEveryoneWithoutThisProcess) {
  const LoadMoment begin = {100.0, 5.0, 50.0};
  EXPECT_DOUBLE_EQ(others_between(begin, {104.0, 8.0, 52.0}).value(), 0.5);
  EXPECT_EQ(others_between(begin, {101.0, 6.5, 52.0}).value(), 0.0);  // ticks lag behind
  EXPECT_FALSE(others_between(begin, {std::nullopt, 8.0, 52.0}));
  EXPECT_FALSE(others_between(begin, begin));
}

TEST(Load, OwnTimePasses) {
  const LoadMoment begin = load_now();
  volatile double sum = 0;
  for (int i = 0; i < 3'000'000; ++i) sum = sum + 1;
  const LoadMoment end = load_now();
  EXPECT_GT(end.own, begin.own);
  EXPECT_GT(end.clock, begin.clock);
}

TEST(Load, PeakMemoryGrowsWithWhatIsTouched) {
  const uint64_t before = peak_memory();
  ASSERT_GT(before, 0u);
  const std::vector<char> block(size_t{256} << 20, 'x');
  EXPECT_GE(peak_memory(), before + (uint64_t{128} << 20)) << block.back();
  EXPECT_GT(total_memory(), peak_memory() / 2);
}

}  // namespace
}  // namespace tulou::hardware
