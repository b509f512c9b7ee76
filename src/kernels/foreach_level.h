// Compiles the file named by TULOU_KERNEL_FILE once for each level, in a region with that level's
// instructions and a namespace of its own. No include guard: each family includes it once.
//
// Regions and not per-file flags: with per-file flags shared inline functions get compiled with
// AVX-512 and the linker may keep that copy for everyone (docs/decisions/0001-regions.md).
// Everything the kernel files need is included here, before the first region.
//
// The AMX level uses the AVX-512 kernels. A family that has others for it names their file in
// TULOU_AMX_KERNEL_FILE; that is compiled once more behind the AVX-512 region, whose functions it
// may call.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"
#include "tensor/block_formats.h"
#include "tensor/float16.h"

// A test program defines TULOU_EMULATE_AVX512: then SIMDe's functions stand in for the intrinsics,
// and the regions are compiled for the baseline.
#if defined(TULOU_EMULATE_AVX512)
#include "kernels/simd_emulated.h"
#elif defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define TULOU_SIMD 0
namespace tulou::kernels::portable {
#include "kernels/simd-inl.h"
#include TULOU_KERNEL_FILE
}  // namespace tulou::kernels::portable
#include "kernels/region_end-inl.h"

#if defined(__x86_64__)

#if defined(TULOU_EMULATE_AVX512)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#define TULOU_SIMD 2
namespace tulou::kernels::avx2 {
#include "kernels/simd-inl.h"
#include TULOU_KERNEL_FILE
}  // namespace tulou::kernels::avx2
#include "kernels/region_end-inl.h"

#if defined(TULOU_EMULATE_AVX512)
#elif defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#endif
#define TULOU_SIMD 3
namespace tulou::kernels::avx512 {
#include "kernels/simd-inl.h"
#include TULOU_KERNEL_FILE
}  // namespace tulou::kernels::avx512
#include "kernels/region_end-inl.h"

#if defined(TULOU_AMX_KERNEL_FILE)
#if defined(TULOU_EMULATE_AVX512)
#elif defined(__clang__)
#pragma clang attribute push(                                                                \
    __attribute__((target("amx-tile,amx-int8,amx-bf16,avx512bf16,avx512f,avx512bw,avx512dq," \
                          "avx512vl,avx512vnni,avx2,fma,f16c"))),                            \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("amx-tile,amx-int8,amx-bf16,avx512bf16", \
                   "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#endif
#define TULOU_SIMD 3
namespace tulou::kernels::amx {
#include "kernels/simd-inl.h"
#include TULOU_AMX_KERNEL_FILE
}  // namespace tulou::kernels::amx
#include "kernels/region_end-inl.h"
#endif

#elif defined(__aarch64__)

#define TULOU_SIMD 1
namespace tulou::kernels::neon {
#include "kernels/simd-inl.h"
#include TULOU_KERNEL_FILE
}  // namespace tulou::kernels::neon
#include "kernels/region_end-inl.h"

#endif

// The table of a family: TULOU_LEVEL_TABLE(NormKernels, norm_kernels, rms_norm, l2_norm) defines
// `const NormKernels& norm_kernels(hardware::Level)`. AMX has that of AVX-512.
#define TULOU_FILL_1(ns, a) {&ns::a}
#define TULOU_FILL_2(ns, a, b) {&ns::a, &ns::b}
#define TULOU_FILL_3(ns, a, b, c) {&ns::a, &ns::b, &ns::c}
#define TULOU_FILL_4(ns, a, b, c, d) {&ns::a, &ns::b, &ns::c, &ns::d}
#define TULOU_FILL_6(ns, a, b, c, d, e, f) {&ns::a, &ns::b, &ns::c, &ns::d, &ns::e, &ns::f}
#if defined(__x86_64__)
#define TULOU_LEVEL_CASES(Table, FILL, ...)                   \
  if (level >= hardware::Level::kAvx512) {                    \
    static constexpr Table table = FILL(avx512, __VA_ARGS__); \
    return table;                                             \
  }                                                           \
  if (level == hardware::Level::kAvx2) {                      \
    static constexpr Table table = FILL(avx2, __VA_ARGS__);   \
    return table;                                             \
  }
#else
#define TULOU_LEVEL_CASES(Table, FILL, ...)                 \
  if (level == hardware::Level::kNeon) {                    \
    static constexpr Table table = FILL(neon, __VA_ARGS__); \
    return table;                                           \
  }
#endif
#define TULOU_LEVEL_TABLE(Table, function, FILL, ...)           \
  const Table& function(hardware::Level level) {                \
    TULOU_LEVEL_CASES(Table, FILL, __VA_ARGS__)                 \
    ASSERT(level == hardware::Level::kPortable);                \
    static constexpr Table table = FILL(portable, __VA_ARGS__); \
    return table;                                               \
  }
