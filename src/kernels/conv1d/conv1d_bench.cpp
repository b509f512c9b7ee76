// Measures the causal convolution on 1 thread, at the level that TULOU_ISA names or the best one:
// 512 tokens and 1 token of 6144 channels, as values a second.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/kernels.h"

namespace tulou::kernels {
namespace {

constexpr int64_t kChannels = 6144, kTaps = 4, kPiece = 256;

void convolve(benchmark::State& state) {
  const int64_t tokens = state.range(0);
  std::vector<float> in(static_cast<size_t>(tokens * kChannels), 0.3f), out(in.size());
  std::vector<float> weight(kTaps * kChannels, 0.2f), tail((kTaps - 1) * kChannels, 0.1f);
  const Kernels& kernels = select_kernels("");
  for (auto run : state) {
    for (int64_t c = 0; c < kChannels; c += kPiece) {
      ConvArgs args;
      args.in = in.data() + c;
      args.weight = weight.data() + c;
      args.state = tail.data() + c;
      args.out = out.data() + c;
      args.in_stride = args.weight_stride = args.out_stride = kChannels;
      args.tokens = tokens;
      args.channels = kPiece;
      args.kernel = kTaps;
      kernels.conv1d.causal_conv_silu(args);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * tokens * kChannels);
}

BENCHMARK(convolve)->Arg(1)->Arg(512);

}  // namespace
}  // namespace tulou::kernels

BENCHMARK_MAIN();
