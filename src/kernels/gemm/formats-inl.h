// How 32 values of a stored row become vectors, for the types that are worth it; the others go
// through dequantize_row. Included once a level by gemm-inl.h. The formats are described in
// tensor/block_formats.h. Products are rounded before sums (mul, then add), as the reference
// decoders do, so the bits are theirs.

constexpr int64_t kChunk = 32;  // values that are decoded at a time
constexpr int64_t kChunkVectors = kChunk / kLanes;

TULOU_INLINE float half(const tensor::Word16& word) {
#if TULOU_SIMD >= 2
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(word.bits())));
#else
  return word.fp16();
#endif
}

// Two halves that follow each other, each in all lanes.
struct Halves {
  V first, second;
};
TULOU_INLINE Halves halves(const tensor::Word16& first, const tensor::Word16& second) {
#if TULOU_SIMD == 2
  int32_t both;
  std::memcpy(&both, first.byte.data(), 2);
  std::memcpy(reinterpret_cast<char*>(&both) + 2, second.byte.data(), 2);
  const __m128 pair = _mm_cvtph_ps(_mm_cvtsi32_si128(both));
  return {_mm256_broadcastss_ps(pair), _mm256_broadcastss_ps(_mm_movehdup_ps(pair))};
#else
  return {set1(half(first)), set1(half(second))};
#endif
}

// Each format has decode(row, c, out): values [32 c, 32 c + 32) of a row to kChunkVectors vectors.

struct F32Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto* p = reinterpret_cast<const float*>(row) + c * kChunk;
    for (int64_t j = 0; j < kChunkVectors; ++j) out[j] = load(p + j * kLanes);
  }
};

struct F16Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto* p = reinterpret_cast<const uint16_t*>(row) + c * kChunk;
    for (int64_t j = 0; j < kChunkVectors; ++j) out[j] = load_f16(p + j * kLanes);
  }
};

struct BF16Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto* p = reinterpret_cast<const uint16_t*>(row) + c * kChunk;
    for (int64_t j = 0; j < kChunkVectors; ++j) out[j] = load_bf16(p + j * kLanes);
  }
};

struct Q8_0Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ8_0*>(row)[c];
    const V d = set1(half(block.d));
    for (int64_t j = 0; j < kChunkVectors; ++j)
      out[j] = mul(d, load_i8(block.qs.data() + j * kLanes));
  }
};

struct Q4_0Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ4_0*>(row)[c];
    const V d = set1(half(block.d)), offset = set1(8.0f);
    for (int64_t j = 0; j < kChunkVectors / 2; ++j) {
      const uint8_t* q = block.qs.data() + j * kLanes;
      out[j] = mul(d, sub(load_bits(q, 0, 15), offset));
      out[j + kChunkVectors / 2] = mul(d, sub(load_bits(q, 4, 15), offset));
    }
  }
};

struct Q4_1Format {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ4_1*>(row)[c];
    const auto [d, m] = halves(block.d, block.m);
    for (int64_t j = 0; j < kChunkVectors / 2; ++j) {
      const uint8_t* q = block.qs.data() + j * kLanes;
      out[j] = add(mul(d, load_bits(q, 0, 15)), m);
      out[j + kChunkVectors / 2] = add(mul(d, load_bits(q, 4, 15)), m);
    }
  }
};

struct Q4_KFormat {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ4_K*>(row)[c / 8];
    const auto group = tensor::scale_and_min(block.scales, static_cast<size_t>(c % 8));
    const V d = set1(half(block.d) * static_cast<float>(group.scale));
    const V m = set1(half(block.dmin) * static_cast<float>(group.min));
    const uint8_t* q = block.qs.data() + c % 8 / 2 * 32;
    const int shift = c % 2 == 0 ? 0 : 4;
    for (int64_t j = 0; j < kChunkVectors; ++j)
      out[j] = sub(mul(d, load_bits(q + j * kLanes, shift, 15)), m);
  }
};

struct Q5_KFormat {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ5_K*>(row)[c / 8];
    const auto group = tensor::scale_and_min(block.scales, static_cast<size_t>(c % 8));
    const V d = set1(half(block.d) * static_cast<float>(group.scale));
    const V m = set1(half(block.dmin) * static_cast<float>(group.min));
    const uint8_t* q = block.qs.data() + c % 8 / 2 * 32;
    const int shift = c % 2 == 0 ? 0 : 4, bit = static_cast<int>(c % 8);
    for (int64_t j = 0; j < kChunkVectors; ++j) {
      const V high = mul(load_bits(block.qh.data() + j * kLanes, bit, 1), set1(16.0f));
      out[j] = sub(mul(d, add(load_bits(q + j * kLanes, shift, 15), high)), m);
    }
  }
};

struct Q6_KFormat {
  TULOU_INLINE void decode(const std::byte* row, int64_t c, V* out) {
    const auto& block = reinterpret_cast<const tensor::BlockQ6_K*>(row)[c / 8];
    const int64_t n = c % 8 / 4, g = c % 4;
    const float d = half(block.d);
    const uint8_t* low = block.ql.data() + 64 * n + 32 * (g % 2);
    const uint8_t* high = block.qh.data() + 32 * n;
    const int low_shift = g < 2 ? 0 : 4, high_shift = static_cast<int>(2 * g);
    for (int64_t j = 0; j < kChunkVectors; ++j) {
      const int64_t i = j * kLanes;
      const float scale = block.scales[static_cast<size_t>(2 * (c % 8) + i / 16)];
      const V top = sub(mul(load_bits(high + i, high_shift, 3), set1(16.0f)), set1(32.0f));
      out[j] = mul(set1(d * scale), add(load_bits(low + i, low_shift, 15), top));
    }
  }
};

// Calls f with the format of a type; false if it has none here.
template <typename F>
TULOU_INLINE bool with_format(tensor::DType dtype, const F& f) {
  using tensor::DType;
  switch (dtype) {
    case DType::kF32:
      f(F32Format{});
      return true;
    case DType::kF16:
      f(F16Format{});
      return true;
    case DType::kBF16:
      f(BF16Format{});
      return true;
    case DType::kQ8_0:
      f(Q8_0Format{});
      return true;
    case DType::kQ4_0:
      f(Q4_0Format{});
      return true;
    case DType::kQ4_1:
      f(Q4_1Format{});
      return true;
    case DType::kQ4_K:
      f(Q4_KFormat{});
      return true;
    case DType::kQ5_K:
      f(Q5_KFormat{});
      return true;
    case DType::kQ6_K:
      f(Q6_KFormat{});
      return true;
    default:
      return false;
  }
}
