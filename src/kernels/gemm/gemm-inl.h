// The kernels of gemm.h on the vectors of simd-inl.h; included once a level by gemm.cpp.

// Decoding. Products are rounded before sums (mul, then add), as the reference decoders do.

TULOU_INLINE void decode_f16(const std::byte* row, int64_t begin, int64_t end, float* out) {
  const auto* p = reinterpret_cast<const uint16_t*>(row);
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) store(out + i - begin, load_f16(p + i));
  for (; i < end; ++i) out[i - begin] = tensor::fp16_to_float(p[i]);
}

TULOU_INLINE void decode_bf16(const std::byte* row, int64_t begin, int64_t end, float* out) {
  const auto* p = reinterpret_cast<const uint16_t*>(row);
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) store(out + i - begin, load_bf16(p + i));
  for (; i < end; ++i) out[i - begin] = tensor::bf16_to_float(p[i]);
}

TULOU_INLINE uint16_t half_word(const uint8_t* p) {
  uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

TULOU_INLINE float half_at(const uint8_t* p) {
#if TULOU_SIMD >= 2
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half_word(p))));
#else
  return tensor::fp16_to_float(half_word(p));
#endif
}

TULOU_INLINE void decode_q8_0(const std::byte* row, int64_t begin, int64_t end, float* out) {
  const auto* block = reinterpret_cast<const uint8_t*>(row) + begin / 32 * 34;
  for (int64_t i = begin; i < end; i += 32, block += 34, out += 32) {
    const V d = set1(half_at(block));
    const auto* q = reinterpret_cast<const int8_t*>(block + 2);
    for (int64_t j = 0; j < 32; j += kLanes) store(out + j, mul(d, load_i8(q + j)));
  }
}

TULOU_INLINE void decode_q4_0(const std::byte* row, int64_t begin, int64_t end, float* out) {
  const auto* block = reinterpret_cast<const uint8_t*>(row) + begin / 32 * 18;
  const V offset = set1(8.0f);
  for (int64_t i = begin; i < end; i += 32, block += 18, out += 32) {
    const V d = set1(half_at(block));
    const uint8_t* q = block + 2;
    for (int64_t j = 0; j < 16; j += kLanes) {
      store(out + j, mul(d, sub(load_u4_low(q + j), offset)));
      store(out + 16 + j, mul(d, sub(load_u4_high(q + j), offset)));
    }
  }
}

TULOU_INLINE void decode_q4_1(const std::byte* row, int64_t begin, int64_t end, float* out) {
  const auto* block = reinterpret_cast<const uint8_t*>(row) + begin / 32 * 20;
  for (int64_t i = begin; i < end; i += 32, block += 20, out += 32) {
    const V d = set1(half_at(block)), m = set1(half_at(block + 2));
    const uint8_t* q = block + 4;
    for (int64_t j = 0; j < 16; j += kLanes) {
      store(out + j, add(mul(d, load_u4_low(q + j)), m));
      store(out + 16 + j, add(mul(d, load_u4_high(q + j)), m));
    }
  }
}

void decode(tensor::DType dtype, const std::byte* row, int64_t begin, int64_t end, float* out) {
  using tensor::DType;
  const auto bytes = static_cast<size_t>(end - begin) * sizeof(float);
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, row + static_cast<size_t>(begin) * sizeof(float), bytes);
      break;
    case DType::kF16:
      decode_f16(row, begin, end, out);
      break;
    case DType::kBF16:
      decode_bf16(row, begin, end, out);
      break;
    case DType::kQ8_0:
      decode_q8_0(row, begin, end, out);
      break;
    case DType::kQ4_0:
      decode_q4_0(row, begin, end, out);
      break;
    case DType::kQ4_1:
      decode_q4_1(row, begin, end, out);
      break;
    default:
      dequantize_row(dtype, row + tensor::row_bytes(dtype, begin), out, end - begin);
  }
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
#if TULOU_SIMD == 3
  for (; i + 3 <= m; i += 3)
    multiply_tile<3, 8>(w, w_stride, x + i * x_stride, x_stride, depth, sums + i * kStep);
#else
  for (; i + 3 <= m; i += 3) {
    multiply_tile<3, 4>(w, w_stride, x + i * x_stride, x_stride, depth, sums + i * kStep);
    multiply_tile<3, 4>(w + 4 * w_stride, w_stride, x + i * x_stride, x_stride, depth,
                        sums + i * kStep + 4 * kLanes);
  }
#endif
  for (; i < m; ++i)
    multiply_tile<1, 8>(w, w_stride, x + i * x_stride, x_stride, depth, sums + i * kStep);
}

// One group of up to 8 weight rows, up to kGemmTokens rows of x.
TULOU_INLINE void multiply_group(const GemmArgs& a, int64_t n, int64_t rows, int64_t m,
                                 int64_t tokens) {
  float* decoded = a.scratch;
  float* sums = a.scratch + kGemmRows * kGemmDepth;
  const size_t row_bytes = tensor::row_bytes(a.dtype, a.k);
  const bool plain = a.dtype == tensor::DType::kF32 && rows == kGemmRows;
  std::memset(sums, 0, static_cast<size_t>(tokens * kGemmRows * kLanes) * sizeof(float));
  for (int64_t k = 0; k < a.k; k += kGemmDepth) {
    const int64_t depth = std::min(kGemmDepth, a.k - k);
    const std::byte* row = a.weight + static_cast<size_t>(n) * row_bytes;
    const float* x = a.x + m * a.x_stride + k;
    if (plain) {
      multiply_rows(reinterpret_cast<const float*>(row) + k, a.k, x, a.x_stride, tokens, depth,
                    sums);
      continue;
    }
    for (int64_t r = 0; r < kGemmRows; ++r) {
      // Past the end the last row stands in: its sums are never looked at.
      const std::byte* stored = row + static_cast<size_t>(std::min(r, rows - 1)) * row_bytes;
      decode(a.dtype, stored, k, k + depth, decoded + r * kGemmDepth);
    }
    multiply_rows(decoded, kGemmDepth, x, a.x_stride, tokens, depth, sums);
  }
  for (int64_t t = 0; t < tokens; ++t) {
    float* y = a.y + (m + t) * a.y_stride + n;
    for (int64_t r = 0; r < rows; ++r) {
      float value = reduce_add(load(sums + (t * kGemmRows + r) * kLanes));
      if (a.bias != nullptr) value += a.bias[n + r];
      y[r] = a.accumulate ? y[r] + value : value;
    }
  }
}

void gemm(const GemmArgs& a) {
  for (int64_t m = 0; m < a.m; m += kGemmTokens) {
    const int64_t tokens = std::min(kGemmTokens, a.m - m);
    for (int64_t n = a.begin; n < a.end; n += kGemmRows)
      multiply_group(a, n, std::min(kGemmRows, a.end - n), m, tokens);
  }
}
