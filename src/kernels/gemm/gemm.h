// Products of activations with packed weights: y = x W^T, W [n, k] in panels of 16 rows.
//
// Three recipes, chosen by the type of the panels, the level and the precision; within a level the
// bits of an output value depend on its row of x, its row of W and the recipe alone, whatever the
// number of rows or the order of panels.
//
// fp32 (F32, F16, BF16; with --precision exact all types): weights are decoded to fp32; a value is
// the sum over slices of 256 k, in rising order, each a chain of fused multiply-adds over rising k.
//
// int8 (block types): each row of x is quantised to int8 in blocks of 32 with one fp32 scale: the
// largest value of a block becomes the whole number from 127 down to 120 that leaves the least sum
// of squared errors, and the scale is that of least squares. The products of a block are summed
// exactly in int32 (as I, including the sub-scales of Q6_K), then
//   sum = fma(float(I) * d, x_scale, sum), and where the type has minima: sum = fma(m, x_scale *
//   float(sum of x), sum)
// over blocks of rising k, in fp32. AVX2, AVX-512 and AMX give the same bits.
//
// bf16 (BF16 at level AMX; on request block types, too): x and weights are rounded to bf16, to
// nearest even. For each 32 k the products of even k and those of odd k are summed from 0, k
// rising, then these two are added, and that to the sum, all in fp32, with denormal numbers taken
// and given as 0: what TDPBF16PS does (Intel SDM volume 2B), here with AVX-512 for few rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hardware/cpu_features.h"
#include "kernels/gemm/panel.h"
#include "tensor/dtype.h"

namespace tulou::kernels {

// How a product is computed; see above.
enum class Recipe { kFp32, kInt8, kBf16 };

// "fp32", "int8", "bf16".
constexpr std::string_view name(Recipe recipe) {
  constexpr std::string_view kNames[] = {"fp32", "int8", "bf16"};
  return kNames[static_cast<size_t>(recipe)];
}

// Blocks of 32 of k lie as [rows / tile_rows][blocks][tile_rows]: the rows of a tile side by side.
// With tile_rows 1 a row is whole. Memory is there for whole tiles; what lies in rows that are not
// there changes nothing, but should be 0: denormal numbers would take long.
constexpr int64_t block_place(int64_t row, int64_t blocks, int64_t tile_rows) {
  return row / tile_rows * tile_rows * blocks + row % tile_rows;
}

// Rows of activations in int8, in blocks of 32 of k.
struct QuantizedRows {
  int8_t* values = nullptr;      // 32 a block, |value| <= 127
  float* scale = nullptr;        // one a block: x is about scale * value
  float* scaled_sum = nullptr;   // one a block: scale * sum
  int32_t* sum = nullptr;        // one a block: of the block's values
  int32_t* half_sums = nullptr;  // one a block: of its first (low half) and last 16 values
  int64_t tile_rows = 1;
  // The rows from `row` on; block b of that row is then at b * tile_rows.
  QuantizedRows from(int64_t row, int64_t k) const {
    const int64_t b = block_place(row, k / kBlock, tile_rows);
    return {values + b * kBlock, scale + b, scaled_sum + b, sum + b, half_sums + b, tile_rows};
  }
};

// Rows of activations in bf16, in blocks of 32 of k, the last one filled up with zeros.
struct RoundedRows {
  uint16_t* values = nullptr;  // 32 a block
  int64_t tile_rows = 1;
  // As QuantizedRows::from.
  RoundedRows from(int64_t row, int64_t k) const {
    return {values + block_place(row, (k + kBlock - 1) / kBlock, tile_rows) * kBlock, tile_rows};
  }
};

struct GemmArgs {
  const std::byte* panels = nullptr;         // all panels of the matrix, one after the other
  tensor::DType type = tensor::DType::kF32;  // of the panels
  int64_t n = 0, k = 0;
  int64_t first = 0, step = 1, count = 0;  // the panels to do: first, first + step, ...
  const float* x = nullptr;                // [m, k], rows x_stride apart
  int64_t x_stride = 0;
  // x for the int8 or the bf16 recipe, in tiles of GemmKernels::tile_height(m) rows; the recipe is
  // fp32 if both have no values. With int8 or bf16 x itself is not read.
  QuantizedRows quantized;
  RoundedRows rounded;
  int64_t m = 0;
  const float* bias = nullptr;  // [n] or null
  bool accumulate = false;      // y += instead of y =
  float* y = nullptr;           // [m, n], rows y_stride apart
  int64_t y_stride = 0;
  float* scratch = nullptr;  // GemmKernels::scratch floats, 64-byte aligned, of this thread
};

// Rows of x up to which panels are read directly, in several streams; with more, a panel is
// expanded once and used for all of them.
inline constexpr int64_t kDirectRows = 4;
// Panels far apart that a call with few rows goes through side by side, and the most it takes:
// several streams keep more of the memory busy. One stream is neighbouring panels, step 1.
inline constexpr int64_t kStreams = 4, kMaxStreams = 8;
// Rows of x that use an expanded panel before the next panel is expanded.
inline constexpr int64_t kGemmTokens = 128;
// Values of k that are expanded at a time: a multiple of every group and slice.
inline constexpr int64_t kInt8Depth = 512, kFloatDepth = 256;
inline constexpr int64_t kGemmScratch = 2 * kPanelRows * (kInt8Depth + kGemmTokens) + 4096;

// Whether block types have an int8 recipe: every type with blocks of its own.
constexpr bool has_int8_recipe(tensor::DType panel_type) {
  return panel_layout(panel_type).group_values >= 64;
}

struct GemmKernels {
  void (*gemm)(const GemmArgs& args);
  // Quantises a row of x, [k], k a multiple of 32, as the int8 recipe says: AVX2 and AVX-512 give
  // the same bits. A value that is not finite makes the scale of its block NaN.
  void (*quantize)(const float* x, int64_t k, const QuantizedRows& row);
  // Values [begin, end) of row r of a panel; bits as dequantize_row.
  void (*unpack)(tensor::DType type, const std::byte* panel, int64_t r, int64_t begin, int64_t end,
                 float* out);
  // Rounds row `row` of x, [k]. Null: the level has no bf16 recipe.
  void (*round)(const float* x, int64_t k, const RoundedRows& row) = nullptr;
  // Streams that the int8 recipe wants with few rows (docs/decisions/0012-panels-and-int8.md).
  int64_t int8_streams = kStreams;
  int64_t tile_rows = 1;           // of the level's tiles
  int64_t scratch = kGemmScratch;  // floats that `gemm` needs
  // Rows of a tile that `gemm` wants with m rows of x.
  int64_t tile_height(int64_t m) const { return m > kDirectRows ? tile_rows : 1; }
};

const GemmKernels& gemm_kernels(hardware::Level level);

}  // namespace tulou::kernels
