// Weights in the order in which the kernels read them: panels of 16 rows, k running outside, made
// once when a model is loaded. The same panels serve one row of activations and many.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tulou::kernels {

inline constexpr int64_t kPanelRows = 16;
inline constexpr int64_t kBlock = 32;  // values that share a scale of activations

// How a panel holds a type. Values of k come in groups; a group lies in `group_bytes` bytes, a
// multiple of 64. `r` is a row of the panel, `b` a block of 32 values in a group.
//
// F32           1 value:  float[r]
// F16, BF16     2 values: F16 half[k][r]; BF16 pairs [r][k], as AMX tiles want them
// Q4_0, IQ4_NL  2 blocks: codes[b], fp16 d[b][r]
// Q4_1          2 blocks: codes[b], fp16 d[b][r], fp16 m[b][r]
// Q5_0          2 blocks: codes[b], fifth[b], fp16 d[b][r]
// Q8_0          2 blocks: int8[b][k / 4][r][k % 4], fp16 d[b][r]
// Q4_K          8 blocks: codes[b], fp16 d[r], fp16 dmin[r], u8 sc[b][r], u8 mn[b][r]
// Q5_K          8 blocks: codes[b], fifth[b], then as Q4_K
// Q6_K          8 blocks: codes[b], high[b], fp16 d[r] (and 32 unused bytes), i8 sc[b][2][r]
// IQ4_XS        8 blocks: codes[b], i8 scale - 32 [b][r], fp16 d[r] (and 32 unused bytes)
//
// codes[b]: word [g][r] of 4 bytes for g in 0..3: byte t holds value 4 g + t in its low nibble and
// value 16 + 4 g + t in its high one. fifth[b]: word [r], bit g of byte t belongs to value 4 g + t.
// high[b]: words [2][r], bits 2 g and 2 g + 1 of byte t of word h belong to value 16 h + 4 g + t.
struct PanelLayout {
  int64_t group_values = 0;  // 0: the type has no panel of its own
  size_t group_bytes = 0;
  size_t second = 0, scales = 0, mins = 0, sub_scales = 0;  // offsets in a group
};

constexpr PanelLayout panel_layout(tensor::DType dtype) {
  using tensor::DType;
  switch (dtype) {
    case DType::kF32:
      return {1, 64};
    case DType::kF16:
    case DType::kBF16:
      return {2, 64};
    case DType::kQ4_0:
    case DType::kIQ4_NL:
      return {64, 576, 0, 512};
    case DType::kQ4_1:
      return {64, 640, 0, 512, 576};
    case DType::kQ5_0:
      return {64, 704, 512, 640};
    case DType::kQ8_0:
      return {64, 1088, 0, 1024};
    case DType::kQ4_K:
      return {256, 2368, 0, 2048, 2080, 2112};
    case DType::kQ5_K:
      return {256, 2880, 2048, 2560, 2592, 2624};
    case DType::kQ6_K:
      return {256, 3392, 2048, 3072, 0, 3136};
    case DType::kIQ4_XS:
      return {256, 2240, 0, 2176, 0, 2048};
    default:
      return {};
  }
}

// The type that the panels of a stored type have: its own, or F32 for those without.
constexpr tensor::DType panel_type(tensor::DType stored) {
  return panel_layout(stored).group_values != 0 ? stored : tensor::DType::kF32;
}

// Bytes of one panel of width k.
constexpr size_t panel_bytes(tensor::DType type, int64_t k) {
  const PanelLayout layout = panel_layout(type);
  const size_t bytes =
      static_cast<size_t>((k + layout.group_values - 1) / layout.group_values) * layout.group_bytes;
  return (bytes + 63) / 64 * 64;
}

// Bytes of all panels of a matrix [rows, k] that is stored as `stored`.
constexpr size_t matrix_bytes(tensor::DType stored, int64_t rows, int64_t k) {
  return static_cast<size_t>((rows + kPanelRows - 1) / kPanelRows) *
         panel_bytes(panel_type(stored), k);
}

// The stored rows of a panel, null for rows past the matrix: those become zeros.
using PanelSource = std::array<const std::byte*, kPanelRows>;

// Writes the panel of `rows`, stored as `stored`, k values each (a multiple of the type's block
// size), to panel_bytes(panel_type(stored), k) zeroed bytes at `panel`. Nothing is rounded.
void pack_panel(tensor::DType stored, const PanelSource& rows, int64_t k, std::byte* panel);

}  // namespace tulou::kernels
