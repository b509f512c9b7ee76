#include "kernels/gemm/gemm.h"

#define TULOU_KERNEL_FILE "kernels/gemm/gemm-inl.h"
#define TULOU_AMX_KERNEL_FILE "kernels/gemm/gemm_amx-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
namespace {
TULOU_LEVEL_TABLE(GemmKernels, kernels_without_tiles, TULOU_FILL_3, gemm, quantize, unpack)
}  // namespace

const GemmKernels& gemm_kernels(hardware::Level level) {
#if defined(__x86_64__)
  if (level == hardware::Level::kAmx) {
    static constexpr GemmKernels table = {.gemm = &amx::gemm,
                                          .quantize = &avx512::quantize,
                                          .unpack = &avx512::unpack,
                                          .round = &amx::round,
                                          .tile_rows = amx::kTileRows,
                                          .scratch = amx::kScratch};
    return table;
  }
  if (level == hardware::Level::kAvx2) {
    static constexpr GemmKernels table = {.gemm = &avx2::gemm,
                                          .quantize = &avx2::quantize,
                                          .unpack = &avx2::unpack,
                                          .int8_streams = 1};
    return table;
  }
#endif
  return kernels_without_tiles(level);
}

}  // namespace tulou::kernels
