#include "engine/step_times.h"

#include <gtest/gtest.h>

namespace tulou::engine {
namespace {

constexpr int64_t kMost = 512;
constexpr double kRow = 0.002;

// A machine on which a step without prompts takes 20 ms and 4 ms more for each sequence after the
// first, and a row of a prompt 2 ms.
double decode(int64_t generating) { return 0.016 + 0.004 * static_cast<double>(generating); }

StepTimes measured() {
  StepTimes times;
  times.measure(0, 512, 512 * kRow);
  times.measure(1, 0, decode(1));
  return times;
}

TEST(StepTimes, NothingKnown) {
  StepTimes times;
  EXPECT_EQ(times.prompt_rows(0, 1, kMost), kMost);
  EXPECT_EQ(times.prompt_rows(4, 1, kMost), kMost);
  EXPECT_EQ(times.prompt_row_seconds(), 0);
  times.measure(1, 0, decode(1));
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), kMost);
  times.measure(1, 8, decode(1) + 8 * kRow);  // is not told apart yet
  times.measure(0, 4, 1);                     // too few to say anything
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), kMost);
}

TEST(StepTimes, OnePromptBesideOneAnswer) {
  const StepTimes times = measured();
  EXPECT_DOUBLE_EQ(times.prompt_row_seconds(), kRow);
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), 12);  // 1.2 * 20 ms
  EXPECT_EQ(times.prompt_rows(1, 1, 8), 8);
  EXPECT_EQ(times.prompt_rows(0, 1, kMost), kMost);
}

TEST(StepTimes, MoreWaitThanGenerate) {
  const StepTimes times = measured();
  EXPECT_EQ(times.prompt_rows(1, 2, kMost), 150);  // 300 ms
  EXPECT_EQ(times.prompt_rows(8, 8, kMost), 20);   // 1.2 * (20 ms + 7 * 2 ms)
}

TEST(StepTimes, EachNumberOfSequencesIsItsOwn) {
  StepTimes times = measured();
  times.measure(16, 0, decode(16));
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), 12);
  EXPECT_EQ(times.prompt_rows(16, 1, kMost), 48);  // 1.2 * 80 ms
  EXPECT_EQ(times.prompt_rows(15, 1, kMost), 29);  // 1.2 * (20 ms + 14 * 2 ms)
  StepTimes only_many;
  only_many.measure(0, 512, 512 * kRow);
  only_many.measure(8, 0, decode(8));
  EXPECT_EQ(only_many.prompt_rows(2, 1, kMost), 29);  // nothing smaller is known: 1.2 * 48 ms
}

TEST(StepTimes, RowsBesideAnswersMayCostMore) {
  StepTimes times = measured();
  times.measure(1, 8, decode(1) + 8 * 2 * kRow);
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), 6);
  for (int i = 0; i < 100; ++i) times.measure(1, 8, decode(1));  // nor less than alone
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), 12);
  for (int i = 0; i < 100; ++i) times.measure(1, 8, 10);
  EXPECT_EQ(times.prompt_rows(1, 1, kMost), StepTimes::kFewestPromptRows);
  EXPECT_EQ(times.prompt_rows(1, 1, 2), 2);
}

}  // namespace
}  // namespace tulou::engine
