// Measures the matrix product on one thread, at the level that TULOU_ISA names or the best one:
// with one row of x (decode: bytes of stored weights per second, more of them than the caches hold)
// and with 256 rows (prefill: operations per second), beside what the arithmetic units can do.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tulou::kernels {
namespace {

// The first address in it that is a multiple of 64, as the arena of a pass hands them out.
template <typename T>
T* aligned(std::vector<T>& memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / sizeof(T);
}

// Memory of `bytes` in huge pages, filled with 0x21: weights are finite and not denormal.
base::Buffer weights(size_t bytes) {
  base::Buffer buffer(bytes, "weights");
  std::memset(buffer.data(), 0x21, bytes);
  return buffer;
}

void multiply(benchmark::State& state, tensor::DType type) {
  const int64_t m = state.range(0), k = state.range(1), streams = state.range(2);
  const int64_t values = int64_t{1} << state.range(3);
  const int64_t panels = values / k / kPanelRows / kMaxStreams * kMaxStreams;
  const int64_t n = panels * kPanelRows;
  const size_t bytes = static_cast<size_t>(panels) * panel_bytes(type, k);
  const base::Buffer packed = weights(bytes);
  std::vector<float> x(static_cast<size_t>(m * k), 0.5f), y(static_cast<size_t>(m * n));
  std::vector<float> scratch(kGemmScratch + 16), floats(static_cast<size_t>(m * k / 32 * 2));
  std::vector<int8_t> quantized(static_cast<size_t>(m * k + 64));
  std::vector<int32_t> sums(floats.size());
  const Kernels& kernels = select_kernels("");
  GemmArgs args;
  args.panels = packed.data();
  args.type = type;
  args.n = n;
  args.k = k;
  args.x = x.data();
  args.x_stride = k;
  if (has_int8_recipe(type)) {
    args.quantized = {aligned(quantized), floats.data(), floats.data() + m * k / 32, sums.data(),
                      sums.data() + m * k / 32};
    for (int64_t i = 0; i < m; ++i)
      kernels.gemm.quantize(x.data() + i * k, k, args.quantized.from(i, k));
  }
  args.m = m;
  args.y = y.data();
  args.y_stride = n;
  args.scratch = aligned(scratch);
  const int64_t per_stream = panels / streams;
  for (auto run : state) {
    for (int64_t i = 0; i < per_stream; ++i) {
      args.first = i;
      args.step = per_stream;
      args.count = streams;
      if (m > kDirectRows) {
        args.first = 0;
        args.step = 1;
        args.count = panels;
        i = per_stream;
      }
      kernels.gemm.gemm(args);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
  state.counters["flops"] = benchmark::Counter(2.0 * static_cast<double>(m * n * k),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

#if defined(__x86_64__)
// Ten independent chains of fused multiply-adds in registers.
__attribute__((target("avx2,fma"))) void peak(benchmark::State& state) {
  const __m256 factor = _mm256_set1_ps(0.5f);
  __m256 s0 = factor, s1 = factor, s2 = factor, s3 = factor, s4 = factor, s5 = factor, s6 = factor,
         s7 = factor, s8 = factor, s9 = factor;
  for (auto run : state) {
    for (int i = 0; i < 10000; ++i) {
      asm volatile(
          "vfmadd213ps %10, %10, %0\n vfmadd213ps %10, %10, %1\n vfmadd213ps %10, %10, %2\n"
          "vfmadd213ps %10, %10, %3\n vfmadd213ps %10, %10, %4\n vfmadd213ps %10, %10, %5\n"
          "vfmadd213ps %10, %10, %6\n vfmadd213ps %10, %10, %7\n vfmadd213ps %10, %10, %8\n"
          "vfmadd213ps %10, %10, %9"
          : "+x"(s0), "+x"(s1), "+x"(s2), "+x"(s3), "+x"(s4), "+x"(s5), "+x"(s6), "+x"(s7),
            "+x"(s8), "+x"(s9)
          : "x"(factor));
    }
  }
  state.counters["flops"] =
      benchmark::Counter(2.0 * 8 * 10 * 10000, benchmark::Counter::kIsIterationInvariantRate);
}
#endif

void register_all() {
#if defined(__x86_64__)
  if (hardware::available_levels().back() >= hardware::Level::kAvx2)
    benchmark::RegisterBenchmark("avx2_peak", peak);
#endif
  for (const auto type :
       {tensor::DType::kQ4_0, tensor::DType::kQ4_1, tensor::DType::kQ8_0, tensor::DType::kQ4_K,
        tensor::DType::kQ5_K, tensor::DType::kQ6_K, tensor::DType::kIQ4_XS, tensor::DType::kBF16}) {
    const std::string name = "gemm/" + std::string(tensor::name(type));
    auto* bench = benchmark::RegisterBenchmark(name.c_str(), multiply, type);
    for (const int64_t streams : {1, 2, 4, 8}) bench->Args({1, 1024, streams, 27});
    for (const int64_t m : {1, 2, 3, 4, 8, 16, 32, 256}) bench->Args({m, 1024, 1, 18});
    bench->Args({256, 3584, 1, 20});
  }
}

}  // namespace
}  // namespace tulou::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  tulou::kernels::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
