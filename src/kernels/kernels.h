// The table of kernels: chosen once at start, passed to whoever computes.
#pragma once

#include "hardware/cpu_features.h"
#include "kernels/activation/activation.h"
#include "kernels/attention/attention.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/delta_rule/delta_rule.h"
#include "kernels/gemm/gemm.h"
#include "kernels/norm/norm.h"
#include "kernels/rope/rope.h"

namespace tulou::kernels {

// Function pointers of one level. All kernels do one range of rows on the calling thread, take
// validated input, allocate nothing and throw nothing.
struct Kernels {
  hardware::Level level = hardware::Level::kPortable;
  GemmKernels gemm;
  NormKernels norm;
  ActivationKernels activation;
  RopeKernels rope;
  AttentionKernels attention;
  Conv1dKernels conv1d;
  DeltaRuleKernels delta_rule;
};

// The table of a level that this processor has (hardware::available_levels).
const Kernels& kernels_for(hardware::Level level);

// The best level, or the one forced by --isa / TULOU_ISA; Error as hardware::select_level.
const Kernels& select_kernels(std::string_view wanted);

}  // namespace tulou::kernels
