#include "kernels/delta_rule/delta_rule.h"

#define TULOU_KERNEL_FILE "kernels/delta_rule/delta_rule-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(DeltaRuleKernels, delta_rule_kernels, TULOU_FILL_1, gated_delta_rule)
}  // namespace tulou::kernels
