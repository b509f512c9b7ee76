// Tests of the choice of a kernel level.
#include "hardware/cpu_features.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

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
  EXPECT_EQ(select_level(""), default_level(available_levels()));
  EXPECT_EQ(default_level({Level::kPortable, Level::kAvx2}), Level::kAvx2);
  EXPECT_EQ(default_level({Level::kPortable, Level::kAvx2, Level::kAvx512, Level::kAmx}),
            Level::kAvx512);
  EXPECT_EQ(select_level("portable"), Level::kPortable);
  ::setenv("TULOU_ISA", "portable", 1);
  EXPECT_EQ(select_level(""), Level::kPortable);
  EXPECT_EQ(select_level(name(available_levels().back())), available_levels().back());
  ::setenv("TULOU_ISA", "avx9000", 1);
  EXPECT_THROW(select_level(""), base::Error);
  ::setenv("TULOU_ISA", before.c_str(), 1);
}

// A Sapphire Rapids under Linux (the bits that count), and what each missing part takes away.
TEST(CpuFeatures, LevelsOfAnX86Processor) {
  const X86Features whole = {0x38001000, 0xC0030020, 0x800, 0x03400000, 0x20, 0x602E6};
  const auto best = [](const X86Features& f, bool permitted = true) {
    return x86_levels(f, permitted ? [] { return true; } : [] { return false; }).back();
  };
  EXPECT_EQ(x86_levels(whole, [] { return true; }),
            (std::vector{Level::kPortable, Level::kAvx2, Level::kAvx512, Level::kAmx}));
  EXPECT_EQ(best(whole, false), Level::kAvx512);
  const auto without = [&](auto member, int i) {
    X86Features f = whole;
    const auto bit = std::remove_reference_t<decltype(f.*member)>{1} << i;
    EXPECT_NE(f.*member & bit, 0u) << i;
    f.*member &= ~bit;
    return best(f);
  };
  for (const int i : {22, 24, 25})
    EXPECT_EQ(without(&X86Features::leaf7_edx, i), Level::kAvx512) << i;
  for (const int i : {17, 18}) EXPECT_EQ(without(&X86Features::xcr0, i), Level::kAvx512) << i;
  EXPECT_EQ(without(&X86Features::leaf7_1_eax, 5), Level::kAvx512);
  for (const int i : {16, 17, 30, 31})
    EXPECT_EQ(without(&X86Features::leaf7_ebx, i), Level::kAvx2) << i;
  for (const int i : {5, 6, 7}) EXPECT_EQ(without(&X86Features::xcr0, i), Level::kAvx2) << i;
  EXPECT_EQ(without(&X86Features::leaf7_ecx, 11), Level::kAvx2);
  for (const int i : {12, 27, 28, 29})
    EXPECT_EQ(without(&X86Features::leaf1_ecx, i), Level::kPortable) << i;
  for (const int i : {1, 2}) EXPECT_EQ(without(&X86Features::xcr0, i), Level::kPortable) << i;
  EXPECT_EQ(without(&X86Features::leaf7_ebx, 5), Level::kPortable);
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
