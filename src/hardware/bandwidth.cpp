#include "hardware/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/buffer.h"

namespace tulou::hardware {
namespace {

// Several streams with short turns keep the processor's own prefetchers busiest: of the patterns
// tried on Zen 3, none was clearly faster (1 to 32 streams, turns of 128 to 2,304 bytes, with and
// without prefetch instructions).
constexpr size_t kStreams = 4;
constexpr size_t kStep = 256;          // bytes of one stream before the next one
constexpr size_t kPartsPerThread = 4;  // claimed one by one, so that a slow thread does fewer
constexpr size_t kLine = 64;

// 16 bytes: a register of every processor that the program is compiled for.
using Vector = uint64_t __attribute__((vector_size(16)));

// Reads all of [begin, begin + bytes), `bytes` being a multiple of kStreams * kStep. The result
// depends on every byte, so that the compiler must read them.
uint64_t read_all(const std::byte* begin, size_t bytes) {
  Vector sums[4] = {};
  const size_t stream_bytes = bytes / kStreams;
  for (size_t at = 0; at < stream_bytes; at += kStep) {
    for (size_t stream = 0; stream < kStreams; ++stream) {
      const std::byte* from = begin + stream * stream_bytes + at;
      for (size_t line = 0; line < kStep; line += kLine) {
        for (size_t i = 0; i < 4; ++i) {
          Vector value;
          std::memcpy(&value, from + line + i * sizeof(Vector), sizeof(Vector));
          sums[i] ^= value;
        }
      }
    }
  }
  const Vector sum = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
  return sum[0] ^ sum[1];
}

}  // namespace

double read_bandwidth(const base::ThreadPool::Lease& threads, size_t bytes, int rounds) {
  ASSERT(bytes >= size_t{1} << 20 && rounds >= 1);
  using Clock = std::chrono::steady_clock;
  const size_t num_parts = threads.num_threads() * kPartsPerThread;
  const size_t unit = kStreams * kStep;
  const size_t part_bytes = std::max<size_t>(1, bytes / num_parts / unit) * unit;
  base::Buffer block(num_parts * part_bytes, "the measurement of the memory's speed");
  // Memory that was never written is one page of zeros, and that page is cached.
  threads.parallel_for(num_parts, [&](size_t part, size_t) {
    std::memset(block.data() + part * part_bytes, static_cast<int>(part % 255) + 1, part_bytes);
  });
  std::atomic<uint64_t> sink{0};
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    const Clock::time_point begin = Clock::now();
    threads.parallel_for(num_parts, [&](size_t part, size_t) {
      sink.fetch_xor(read_all(block.data() + part * part_bytes, part_bytes) + 1);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, static_cast<double>(block.size()) / std::max(seconds, 1e-9));
  }
  return best;
}

}  // namespace tulou::hardware
