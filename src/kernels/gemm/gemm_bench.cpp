// Measures the matrix product on one thread, at the level that TULOU_ISA names or the best one:
// with one row of x (decode: bytes of stored weights per second, more of them than the caches hold)
// and with 256 rows (prefill: operations per second), beside what the arithmetic units can do.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tulou::kernels {
namespace {

// The first address in it that is a multiple of 64, as the arena of a pass hands them out.
float* aligned(std::vector<float>& memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / sizeof(float);
}

void multiply(benchmark::State& state, tensor::DType dtype) {
  const int64_t m = state.range(0), k = state.range(1);
  const int64_t n = (m == 1 ? int64_t{64} << 20 : int64_t{1} << 20) / k / kGemmRows * kGemmRows;
  const size_t stored = static_cast<size_t>(n) * tensor::row_bytes(dtype, k);
  const std::vector<std::byte> weight(stored, std::byte{0x21});
  std::vector<float> x_memory(static_cast<size_t>(m * k + 16), 0.5f), y(static_cast<size_t>(m * n));
  std::vector<float> scratch(kGemmScratch + 16);
  const Kernels& kernels = select_kernels("");
  GemmArgs args;
  args.weight = weight.data();
  args.dtype = dtype;
  args.k = k;
  args.end = n;
  args.x = aligned(x_memory);
  args.x_stride = k;
  args.m = m;
  args.y = y.data();
  args.y_stride = n;
  args.scratch = aligned(scratch);
  for (auto run : state) {
    kernels.gemm.gemm(args);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stored));
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
  for (const auto dtype : {tensor::DType::kQ4_1, tensor::DType::kQ4_0, tensor::DType::kQ8_0,
                           tensor::DType::kBF16, tensor::DType::kF32}) {
    for (const int64_t m : {1, 256}) {
      for (const int64_t k : {576, 1536, 1024, 3584}) {
        const std::string name = "gemm/" + std::string(tensor::name(dtype));
        benchmark::RegisterBenchmark(name.c_str(), multiply, dtype)->Args({m, k});
      }
    }
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
