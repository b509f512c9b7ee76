#include "kernels/attention/attention.h"

#define TULOU_KERNEL_FILE "kernels/attention/attention-inl.h"
#include "kernels/foreach_level.h"

namespace tulou::kernels {
TULOU_LEVEL_TABLE(AttentionKernels, attention_kernels, TULOU_FILL_4, attention, attention_span,
                  attention_merge, cache_store)
}  // namespace tulou::kernels
