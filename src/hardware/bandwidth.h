// How fast this machine reads memory: what decoding is measured against.
#pragma once

#include <cstddef>

#include "base/thread_pool.h"

namespace tulou::hardware {

// More than the caches of most processors, so that what is read comes from memory.
inline constexpr size_t kBandwidthBytes = size_t{256} << 20;

// Bytes per second that all threads of the lease read together from a block of `bytes` (at least
// 1 MiB) that is not cached: each thread follows 4 streams that lie far apart, 256 bytes of each in
// turn. The best of `rounds` (at least 1) that follow each other: what the machine can do in a
// moment when nobody disturbs. Error memory.exhausted if the block is not to be had.
double read_bandwidth(const base::ThreadPool::Lease& threads, size_t bytes, int rounds);

}  // namespace tulou::hardware
