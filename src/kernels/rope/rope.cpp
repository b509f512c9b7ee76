#include "kernels/rope/rope.h"

#define TULOU_KERNEL_FILE "kernels/rope/rope-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(RopeKernels, rope_kernels, TULOU_FILL_2, rotate_half, rotate_pairs)
}  // namespace tulou::kernels
