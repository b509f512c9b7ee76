#include "kernels/activation/activation.h"

#define TULOU_KERNEL_FILE "kernels/activation/activation-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(ActivationKernels, activation_kernels, TULOU_FILL_4, silu_mul, sigmoid_mul,
                  add_scaled, softmax)
}  // namespace tulou::kernels
