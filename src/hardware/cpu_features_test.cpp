// Tests of the choice of a kernel level.
#include "hardware/cpu_features.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tulou::hardware {
namespace {

TEST(CpuFeatures, NamesAndLevelsAgree) {
  for (int i = 0; i < kNumLevels; ++i) {
    const auto level = static_cast<Level>(i);
    EXPECT_EQ(level_named(name(level)), level);
  }
  EXPECT_FALSE(level_named("avx"));
}

TEST(CpuFeatures, SelectsTheBestOrTheForcedOne) {
  EXPECT_EQ(select_level(""), available_levels().back());
  EXPECT_EQ(select_level("portable"), Level::kPortable);
}

TEST(CpuFeatures, AnUnavailableLevelIsAnErrorNotAFallback) {
  EXPECT_THROW(select_level("avx9000"), base::Error);
#if defined(__x86_64__)
  EXPECT_THROW(select_level("neon"), base::Error);
#else
  EXPECT_THROW(select_level("avx2"), base::Error);
#endif
}

}  // namespace
}  // namespace tulou::hardware
