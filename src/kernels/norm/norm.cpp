#include "kernels/norm/norm.h"

#define TULOU_KERNEL_FILE "kernels/norm/norm-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(NormKernels, norm_kernels, TULOU_FILL_3, rms_norm, gated_rms_norm, l2_norm)
}  // namespace tulou::kernels
