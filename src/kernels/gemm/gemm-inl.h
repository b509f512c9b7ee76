// The kernels of gemm.h on the vectors of simd-inl.h; included once a level by gemm.cpp.

#include "kernels/gemm/formats-inl.h"

void decode(tensor::DType dtype, const std::byte* row, int64_t begin, int64_t end, float* out) {
  const std::byte* from = row + tensor::row_bytes(dtype, begin);
  const int64_t chunks = (end - begin) / kChunk;
  const bool known = with_format(dtype, [&](auto format) {
    for (int64_t c = 0; c < chunks; ++c) {
      V values[kChunkVectors];
      format.decode(from, c, values);
      for (int64_t j = 0; j < kChunkVectors; ++j) store(out + c * kChunk + j * kLanes, values[j]);
    }
  });
  const int64_t done = known ? chunks * kChunk : 0;
  if (begin + done < end)
    dequantize_row(dtype, from + tensor::row_bytes(dtype, done), out + done, end - begin - done);
}

// Finishes y[m][n ... n + count): lanes together, then the bias, then what is there.
TULOU_INLINE void put(const GemmArgs& a, int64_t m, int64_t n, const V* sums, int64_t count) {
  float* y = a.y + m * a.y_stride + n;
  float values[kGemmRows];
  int64_t r = 0;
  for (; r + 4 <= count; r += 4) reduce_add4(sums + r, values + r);
  for (; r < count; ++r) values[r] = reduce_add(sums[r]);
  for (r = 0; r < count; ++r) {
    const float value = a.bias != nullptr ? values[r] + a.bias[n + r] : values[r];
    y[r] = a.accumulate ? y[r] + value : value;
  }
}

// One row of x and kRows of weights, decoded in registers. Each sum takes the steps of
// multiply_tile.
template <int kRows, typename Format>
TULOU_INLINE void multiply_single(const GemmArgs& a, Format format, int64_t m, int64_t n) {
  const size_t row_bytes = tensor::row_bytes(a.dtype, a.k);
  const std::byte* w = a.weight + static_cast<size_t>(n) * row_bytes;
  const float* x = a.x + m * a.x_stride;
  V acc[kRows];
  for (int r = 0; r < kRows; ++r) acc[r] = zero();
  const int64_t chunks = a.k / kChunk, rest = a.k % kChunk;
  const size_t chunk_bytes = chunks == 0 ? 0 : row_bytes / static_cast<size_t>(chunks);
  for (int64_t c = 0; c < chunks; ++c) {
    for (int r = 0; r < kRows; ++r) {
      // The same place of the next group of rows: the processor does not see so far ahead.
      const size_t ahead = static_cast<size_t>(r + kRows) * row_bytes;
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(w) + ahead +
                                                       static_cast<size_t>(c) * chunk_bytes));
      V values[kChunkVectors];
      format.decode(w + static_cast<size_t>(r) * row_bytes, c, values);
      for (int64_t j = 0; j < kChunkVectors; ++j)
        acc[r] = fma(load(x + c * kChunk + j * kLanes), values[j], acc[r]);
    }
  }
  if (rest != 0) {
    const float* last = x + chunks * kChunk;
    for (int r = 0; r < kRows; ++r) {
      float values[kChunk] = {};
      decode(a.dtype, w + static_cast<size_t>(r) * row_bytes, a.k - rest, a.k, values);
      for_lanes(rest, [&](int64_t i, int64_t count) {
        acc[r] = fma(load_some(last + i, count), load(values + i), acc[r]);
      });
    }
  }
  put(a, m, n, acc, kRows);
}

// Adds products of kM rows of x and kN rows of decoded weights to their vectors of partial sums:
// sums[m * kGemmRows * kLanes + n * kLanes], kept in memory between pieces of k.
template <int kM, int kN>
TULOU_INLINE void multiply_tile(const float* w, int64_t w_stride, const float* x, int64_t x_stride,
                                int64_t depth, float* sums) {
  V acc[kM][kN];
  for (int m = 0; m < kM; ++m) {
    for (int n = 0; n < kN; ++n) acc[m][n] = load(sums + (m * kGemmRows + n) * kLanes);
  }
  int64_t i = 0;
  for (; i + kLanes <= depth; i += kLanes) {
    V xv[kM];
    for (int m = 0; m < kM; ++m) xv[m] = load(x + m * x_stride + i);
    for (int n = 0; n < kN; ++n) {
      const V wv = load(w + n * w_stride + i);
      for (int m = 0; m < kM; ++m) acc[m][n] = fma(xv[m], wv, acc[m][n]);
    }
  }
  if (i < depth) {
    for (int m = 0; m < kM; ++m) {
      const V xv = load_partial(x + m * x_stride + i, depth - i);
      for (int n = 0; n < kN; ++n)
        acc[m][n] = fma(xv, load_partial(w + n * w_stride + i, depth - i), acc[m][n]);
    }
  }
  for (int m = 0; m < kM; ++m) {
    for (int n = 0; n < kN; ++n) store(sums + (m * kGemmRows + n) * kLanes, acc[m][n]);
  }
}

// All rows of x in [0, m) against 8 rows of weights, in tiles that fit the registers.
TULOU_INLINE void multiply_rows(const float* w, int64_t w_stride, const float* x, int64_t x_stride,
                                int64_t m, int64_t depth, float* sums) {
  constexpr int64_t kStep = kGemmRows * kLanes;
  int64_t i = 0;
  for (; i + 3 <= m; i += 3) {
    const float* here = x + i * x_stride;
#if TULOU_SIMD == 3
    multiply_tile<3, 8>(w, w_stride, here, x_stride, depth, sums + i * kStep);
#else
    multiply_tile<3, 4>(w, w_stride, here, x_stride, depth, sums + i * kStep);
    multiply_tile<3, 4>(w + 4 * w_stride, w_stride, here, x_stride, depth,
                        sums + i * kStep + 4 * kLanes);
#endif
  }
  for (; i < m; ++i) {
    const float* here = x + i * x_stride;
    multiply_tile<1, 8>(w, w_stride, here, x_stride, depth, sums + i * kStep);
  }
}

// One group of up to 8 weight rows, up to kGemmTokens rows of x.
TULOU_INLINE void multiply_group(const GemmArgs& a, int64_t n, int64_t rows, int64_t m,
                                 int64_t tokens) {
  float* decoded = a.scratch;
  float* sums = a.scratch + kGemmRows * kGemmStride;
  const size_t row_bytes = tensor::row_bytes(a.dtype, a.k);
  std::memset(sums, 0, static_cast<size_t>(tokens * kGemmRows * kLanes) * sizeof(float));
  for (int64_t k = 0; k < a.k; k += kGemmDepth) {
    const int64_t depth = std::min(kGemmDepth, a.k - k);
    const std::byte* row = a.weight + static_cast<size_t>(n) * row_bytes;
    for (int64_t r = 0; r < kGemmRows; ++r) {
      // Past the end the last row stands in: its sums are never looked at.
      const std::byte* stored = row + static_cast<size_t>(std::min(r, rows - 1)) * row_bytes;
      decode(a.dtype, stored, k, k + depth, decoded + r * kGemmStride);
    }
    multiply_rows(decoded, kGemmStride, a.x + m * a.x_stride + k, a.x_stride, tokens, depth, sums);
  }
  for (int64_t t = 0; t < tokens; ++t) {
    V finished[kGemmRows];
    for (int64_t r = 0; r < kGemmRows; ++r) finished[r] = load(sums + (t * kGemmRows + r) * kLanes);
    put(a, m + t, n, finished, rows);
  }
}

void gemm(const GemmArgs& a) {
  constexpr int64_t kSingleRows = 4;
  int64_t n = a.begin;
  if (a.m == 1) {
    const bool known = with_format(a.dtype, [&](auto format) {
      for (; n + kSingleRows <= a.end; n += kSingleRows)
        multiply_single<kSingleRows>(a, format, 0, n);
      for (; n < a.end; ++n) multiply_single<1>(a, format, 0, n);
    });
    if (known) return;
  }
  for (int64_t m = 0; m < a.m; m += kGemmTokens) {
    const int64_t tokens = std::min(kGemmTokens, a.m - m);
    for (n = a.begin; n < a.end; n += kGemmRows)
      multiply_group(a, n, std::min(kGemmRows, a.end - n), m, tokens);
  }
}
