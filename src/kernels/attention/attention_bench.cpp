// Measures attention on 1 and 2 threads, at the level that TULOU_ISA names or the best one: a
// decode step (1 row, 4 query heads a KV head of 256) at depth 4096, as bytes of cache read a
// second, beside a plain read of as many bytes; and 512 rows of prefill, as operations a second.
// Each thread has a KV head of its own, and more layers of them than the caches hold.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/kernels.h"

namespace tulou::kernels {
namespace {

constexpr int64_t kHeadDim = 256, kHeads = 4, kDepth = 4096, kLayers = 8, kRows = 64;
constexpr size_t kPlane = size_t{kAttentionBlock} * kHeadDim * 2;

struct Cache {
  std::vector<std::byte> memory;
  std::vector<int32_t> blocks;
  Cache() : memory(kLayers * kDepth / kAttentionBlock * 2 * kPlane, std::byte{0x3c}) {
    for (int32_t i = 0; i < kDepth / kAttentionBlock; ++i) blocks.push_back(i);
  }
  size_t layer_bytes() const { return memory.size() / kLayers; }
};

void attend(benchmark::State& state, int64_t rows, int64_t position) {
  const Cache cache;
  const int64_t width = kHeads * kHeadDim;
  std::vector<float> q(static_cast<size_t>(rows * width), 0.01f), out(q.size());
  std::vector<float> scratch(static_cast<size_t>(attention_scratch(kRows * kHeads, kHeadDim)));
  const Kernels& kernels = select_kernels("");
  size_t layer = 0;
  for (auto run : state) {
    for (int64_t r = 0; r < rows; r += kRows) {
      AttentionArgs args;
      args.q = q.data() + r * width;
      args.q_stride = width;
      args.q_head_stride = kHeadDim;
      args.rows = std::min(kRows, rows - r);
      args.num_heads = kHeads;
      args.head_dim = kHeadDim;
      args.position = position + r;
      args.base = cache.memory.data() + layer * cache.layer_bytes();
      args.blocks = cache.blocks.data();
      args.block_stride = 2 * kPlane;
      args.value_offset = kPlane;
      args.type = CacheType::kF16;
      args.scale = 1.0f / 16;
      args.out = out.data() + r * width;
      args.out_stride = width;
      args.scratch = scratch.data();
      kernels.attention.attention(args);
    }
    layer = (layer + 1) % kLayers;
    benchmark::ClobberMemory();
  }
  double pairs = 0;
  for (int64_t r = 0; r < rows; ++r) pairs += static_cast<double>(position + r + 1);
  if (rows == 1) state.SetBytesProcessed(state.iterations() * (position + 1) * kHeadDim * 2 * 2);
  state.counters["flops"] = benchmark::Counter(pairs * kHeads * kHeadDim * 4,
                                               benchmark::Counter::kIsIterationInvariantRate);
}

void read(benchmark::State& state) {
  const Cache cache;
  size_t layer = 0;
  for (auto run : state) {
    const auto* p = cache.memory.data() + layer * cache.layer_bytes();
    std::array<uint64_t, 16> sum = {};
    for (size_t i = 0; i < cache.layer_bytes(); i += 128) {
      uint64_t part[16];
      std::memcpy(part, p + i, sizeof part);
      for (size_t j = 0; j < 16; ++j) sum[j] += part[j];
    }
    benchmark::DoNotOptimize(sum);
    layer = (layer + 1) % kLayers;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(cache.layer_bytes()));
}

BENCHMARK(read)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(attend, decode_4096, 1, kDepth - 1)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(attend, prefill_512, 512, 0)->Threads(1)->UseRealTime();

}  // namespace
}  // namespace tulou::kernels

BENCHMARK_MAIN();
