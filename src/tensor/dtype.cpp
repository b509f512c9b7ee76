#include "tensor/dtype.h"

#include <array>

#include "base/assert.h"

namespace tulou::tensor {
namespace {

// Sizes: ggml-common.h, and reference 8.1 of the formats.
constexpr std::array<DTypeInfo, kNumDTypes> kInfo = {{
    {"F32", 1, 4},        {"F16", 1, 2},        {"BF16", 1, 2},       {"Q4_0", 32, 18},
    {"Q4_1", 32, 20},     {"Q5_0", 32, 22},     {"Q5_1", 32, 24},     {"Q8_0", 32, 34},
    {"Q2_K", 256, 84},    {"Q3_K", 256, 110},   {"Q4_K", 256, 144},   {"Q5_K", 256, 176},
    {"Q6_K", 256, 210},   {"IQ4_NL", 32, 18},   {"IQ4_XS", 256, 136}, {"IQ1_S", 256, 50},
    {"IQ1_M", 256, 56},   {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74},  {"IQ2_S", 256, 82},
    {"IQ3_XXS", 256, 98}, {"IQ3_S", 256, 110},  {"TQ1_0", 256, 54},   {"TQ2_0", 256, 66},
    {"MXFP4", 32, 17},    {"NVFP4", 64, 36},    {"Q1_0", 128, 18},    {"Q2_0", 64, 18},
}};

}  // namespace

const DTypeInfo& info(DType dtype) { return kInfo[static_cast<size_t>(dtype)]; }

size_t row_bytes(DType dtype, int64_t width) {
  const DTypeInfo& type = info(dtype);
  DCHECK(width >= 0 && width % type.block_size == 0);
  return static_cast<size_t>(width / type.block_size) * static_cast<size_t>(type.block_bytes);
}

}  // namespace tulou::tensor
