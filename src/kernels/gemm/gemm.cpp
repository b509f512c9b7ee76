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
    static constexpr GemmKernels table = {&amx::gemm,  &avx512::quantize, &avx512::unpack,
                                          &amx::round, amx::kTileRows,    amx::kScratch};
    return table;
  }
#endif
  return kernels_without_tiles(level);
}

}  // namespace tulou::kernels
