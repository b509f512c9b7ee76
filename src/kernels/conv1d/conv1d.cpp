#include "kernels/conv1d/conv1d.h"

#define TULOU_KERNEL_FILE "kernels/conv1d/conv1d-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(Conv1dKernels, conv1d_kernels, TULOU_FILL_1, causal_conv_silu)
}  // namespace tulou::kernels
