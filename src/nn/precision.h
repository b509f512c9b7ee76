// How exactly matrix products are computed.
#pragma once

namespace tulou::nn {

// kExact: fp32 activations, to compare with the reference. kDefault: what is fastest within the
// accuracy that is promised (int8 activations for weights in blocks, bf16 for BF16 weights where
// the level has it). kBf16Prefill: the same, but passes with many rows multiply weights in blocks
// in bf16, too; it needs a level with the bf16 recipe, and the recipe rule (decision 2) no longer
// holds between such passes and others.
enum class Precision { kDefault, kExact, kBf16Prefill };

}  // namespace tulou::nn
