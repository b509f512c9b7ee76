// Element types as files store them: plain numbers and the block formats of GGML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tulou::tensor {

// The types that weights may have. Block formats hold block_size() values in block_bytes() bytes.
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kIQ1_S,
  kIQ1_M,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kTQ1_0,
  kTQ2_0,
  kMXFP4,
  kNVFP4,
  kQ1_0,
  kQ2_0,
};
inline constexpr int kNumDTypes = 28;

struct DTypeInfo {
  std::string_view name;  // as written by ggml: "F32", "Q4_K"
  int block_size;         // values in a block; 1 for plain numbers
  int block_bytes;
};

const DTypeInfo& info(DType dtype);
inline std::string_view name(DType dtype) { return info(dtype).name; }

// Bytes of a row of `width` values; width must be a multiple of the block size.
size_t row_bytes(DType dtype, int64_t width);

}  // namespace tulou::tensor
