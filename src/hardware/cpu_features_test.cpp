// Tests of the choice of a kernel level.
#include "hardware/cpu_features.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

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
  const char* forced = std::getenv("TULOU_ISA");
  const std::string before = forced != nullptr ? forced : "";
  ::unsetenv("TULOU_ISA");
  EXPECT_EQ(select_level(""), available_levels().back());
  EXPECT_EQ(select_level("portable"), Level::kPortable);
  ::setenv("TULOU_ISA", "portable", 1);
  EXPECT_EQ(select_level(""), Level::kPortable);
  EXPECT_EQ(select_level(name(available_levels().back())), available_levels().back());
  ::setenv("TULOU_ISA", "avx9000", 1);
  EXPECT_THROW(select_level(""), base::Error);
  ::setenv("TULOU_ISA", before.c_str(), 1);
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
