// The table of kernels.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace tulou::kernels {
namespace {

TEST(Kernels, EachLevelHasItsOwnTable) {
  for (const auto level : hardware::available_levels()) {
    const Kernels& kernels = kernels_for(level);
    EXPECT_EQ(kernels.level, level);
    EXPECT_EQ(kernels.gemm.gemm, gemm_kernels(level).gemm);
    EXPECT_EQ(&select_kernels(hardware::name(level)), &kernels);
    for (const auto other : hardware::available_levels()) {
      if (other == level) continue;
      EXPECT_NE(kernels.gemm.gemm, kernels_for(other).gemm.gemm);
      // AMX takes what it has no kernels for from AVX-512.
      const bool shared = std::min(level, other) == hardware::Level::kAvx512;
      EXPECT_EQ(kernels.attention.attention == kernels_for(other).attention.attention, shared);
    }
  }
}

TEST(Kernels, TheLevelOfTheProcessorIsTheDefault) {
  EXPECT_EQ(select_kernels("").level, hardware::select_level(""));  // TULOU_ISA may force it
}

TEST(Kernels, AnUnknownLevelIsAnError) { EXPECT_THROW(select_kernels("avx9000"), base::Error); }

}  // namespace
}  // namespace tulou::kernels
