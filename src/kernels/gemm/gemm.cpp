#include "kernels/gemm/gemm.h"

#define TULOU_KERNEL_FILE "kernels/gemm/gemm-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(GemmKernels, gemm_kernels, TULOU_FILL_3, gemm, quantize, unpack)
}  // namespace tulou::kernels
