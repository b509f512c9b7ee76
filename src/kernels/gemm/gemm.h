// Products of activations with weights as they are stored: y = x W^T, W [n, k] row by row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hardware/cpu_features.h"
#include "tensor/dtype.h"

namespace tulou::kernels {

// Weights are decoded to fp32 in pieces that stay in the L1 cache, and multiplied with fp32
// activations. The recipe of every output value, whatever the number of rows, the range or the
// thread: one vector of partial sums, k rising, fused multiply-adds, then the level's tree of
// lanes; then the bias, then what is already in y.
struct GemmArgs {
  const std::byte* weight = nullptr;  // row 0; rows follow each other without gaps
  tensor::DType dtype = tensor::DType::kF32;
  int64_t k = 0;               // a multiple of the type's block size
  int64_t begin = 0, end = 0;  // the rows of W to do: columns of y
  const float* x = nullptr;    // [m, k], rows x_stride apart
  int64_t x_stride = 0;
  int64_t m = 0;
  const float* bias = nullptr;  // [n] or null
  bool accumulate = false;      // y += instead of y =
  float* y = nullptr;           // [m, n], rows y_stride apart
  int64_t y_stride = 0;
  float* scratch = nullptr;  // kGemmScratch floats, 64-byte aligned, of this thread
};

// Weight rows that are decoded together; ranges should be multiples of it.
inline constexpr int64_t kGemmRows = 8;
// Values of a weight row that are decoded at a time: a multiple of every block size.
inline constexpr int64_t kGemmDepth = 512;
// Floats from one decoded row to the next: not a power of two, which would put the same column of
// all rows into one set of the L1 cache.
inline constexpr int64_t kGemmStride = kGemmDepth + 16;
// Rows of x that use a decoded piece before the next one is decoded.
inline constexpr int64_t kGemmTokens = 128;
inline constexpr int64_t kMaxLanes = 16;
inline constexpr int64_t kGemmScratch =
    kGemmRows * kGemmStride + kGemmTokens * kGemmRows * kMaxLanes;

struct GemmKernels {
  void (*gemm)(const GemmArgs& args);
  // Decodes values [begin, end) (block-aligned) of a stored row; bits as dequantize_row.
  void (*decode)(tensor::DType dtype, const std::byte* row, int64_t begin, int64_t end, float* out);
};

const GemmKernels& gemm_kernels(hardware::Level level);

}  // namespace tulou::kernels
