#include "hardware/bandwidth.h"

#include <gtest/gtest.h>

namespace tulou::hardware {
namespace {

TEST(Bandwidth, IsThatOfAMemory) {
  for (const size_t num_threads : {size_t{1}, size_t{2}, size_t{3}}) {
    base::ThreadPool pool(num_threads);
    const base::ThreadPool::Lease lease(pool);
    const double speed = read_bandwidth(lease, size_t{64} << 20, 3);
    EXPECT_GT(speed, 1e8) << num_threads;   // slower than any memory, even under emulation
    EXPECT_LT(speed, 1e13) << num_threads;  // faster than any: then nothing was read
  }
}

TEST(Bandwidth, TheSmallestBlockWillDo) {
  base::ThreadPool pool(2);
  const base::ThreadPool::Lease lease(pool);
  EXPECT_GT(read_bandwidth(lease, size_t{1} << 20, 1), 0);
}

}  // namespace
}  // namespace tulou::hardware
