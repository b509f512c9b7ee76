// Measures the gated delta rule on 1 and 2 threads, at the level that TULOU_ISA names or the best
// one: 16 heads of 128 x 128, one token (more layers of states than the caches hold) and 512.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/kernels.h"

namespace tulou::kernels {
namespace {

constexpr int64_t kHeads = 16, kDim = 128, kWidth = 3 * kHeads * kDim, kLayers = 18;

void rule(benchmark::State& state) {
  const int64_t tokens = state.range(0);
  const auto rows = static_cast<size_t>(tokens);
  std::vector<float> qkv(rows * kWidth, 0.08f), out(rows * kHeads * kDim);
  std::vector<float> gate(rows * kHeads, 0.9f);
  std::vector<float> memory(kLayers * kHeads * kDim * kDim, 0.1f);
  const Kernels& kernels = select_kernels("");
  int64_t layer = 0;
  for (auto run : state) {
    for (int64_t head = 0; head < kHeads; ++head) {
      DeltaRuleArgs args;
      args.q = qkv.data() + head * kDim;
      args.k = args.q + kHeads * kDim;
      args.v = args.k + kHeads * kDim;
      args.qk_stride = args.v_stride = kWidth;
      args.decay = args.beta = gate.data() + head;
      args.gate_stride = kHeads;
      args.state = memory.data() + (layer * kHeads + head) * kDim * kDim;
      args.out = out.data() + head * kDim;
      args.out_stride = kHeads * kDim;
      args.tokens = tokens;
      args.key_dim = args.value_dim = args.end = kDim;
      kernels.delta_rule.gated_delta_rule(args);
    }
    layer = (layer + 1) % kLayers;
    benchmark::ClobberMemory();
  }
  state.counters["token_heads"] = benchmark::Counter(static_cast<double>(tokens * kHeads),
                                                     benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * kHeads * kDim * kDim * 8);
}

BENCHMARK(rule)->Arg(1)->Arg(512)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace tulou::kernels

BENCHMARK_MAIN();
