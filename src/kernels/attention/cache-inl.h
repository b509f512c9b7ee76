// Planes of cached keys or values as vectors of floats, and how they are written. No include guard:
// a part of attention-inl.h.

// A cache: row(j) is token j's place, load_some_of `n` values of it from dimension d on.
struct F32Cache {
  using Row = const float*;
  const float* data;
  int64_t width, begin = 0;  // token `begin` comes first
  F32Cache(const float* values, int64_t head_dim, int64_t first)
      : data(values), width(head_dim), begin(first) {}
  F32Cache(const std::byte* plane, int64_t head_dim)
      : data(reinterpret_cast<const float*>(plane)), width(head_dim) {}
  Row row(int64_t j) const { return data + (j - begin) * width; }
  TULOU_INLINE V load_some_of(Row row, int64_t d, int64_t n) { return load_some(row + d, n); }
};

// Numbers of 16 bits, of which kLoad takes kLanes.
template <V (*kLoad)(const uint16_t*)>
struct HalfCache {
  using Row = const uint16_t*;
  const uint16_t* data;
  int64_t width;
  HalfCache(const std::byte* plane, int64_t head_dim)
      : data(reinterpret_cast<const uint16_t*>(plane)), width(head_dim) {}
  Row row(int64_t j) const { return data + j * width; }
  TULOU_INLINE V load_some_of(Row row, int64_t d, int64_t n) {
    return n == kLanes ? kLoad(row + d) : load_partial_of<kLoad>(row + d, n);
  }
};
using Bf16Cache = HalfCache<load_bf16>;
using F16Cache = HalfCache<load_f16>;

struct Q8Cache {
  struct Row {
    const int8_t* numbers;
    const uint16_t* scales;
  };
  const int8_t* data;
  const uint16_t* scales;
  int64_t width, groups;
  Q8Cache(const std::byte* plane, int64_t head_dim)
      : data(reinterpret_cast<const int8_t*>(plane)),
        scales(reinterpret_cast<const uint16_t*>(plane + kAttentionBlock * head_dim)),
        width(head_dim),
        groups((head_dim + kCacheGroup - 1) / kCacheGroup) {}
  Row row(int64_t j) const { return {data + j * width, scales + j * groups}; }
  TULOU_INLINE V load_some_of(Row row, int64_t d, int64_t n) {
    const V scale = set1(tensor::bf16_to_float(row.scales[d / kCacheGroup]));
    return mul(
        n == kLanes ? load_i8(row.numbers + d) : load_partial_of<load_i8>(row.numbers + d, n),
        scale);
  }
};

// Tokens [begin, end) in fp32, as a cache whose rows have the same numbers.
template <typename Cache>
TULOU_INLINE F32Cache convert(const Cache& cache, int64_t begin, int64_t end, int64_t head_dim,
                              float* out) {
  for (int64_t j = begin; j < end; ++j) {
    const typename Cache::Row row = cache.row(j);
    float* to = out + (j - begin) * head_dim;
    for_lanes(head_dim,
              [&](int64_t d, int64_t n) { store_some(to + d, Cache::load_some_of(row, d, n), n); });
  }
  return {out, head_dim, begin};
}

// One group of kQ8_0; the same operations at every level.
TULOU_INLINE uint16_t store_group(const float* x, int64_t count, int8_t* out) {
  float largest = 0;
  bool finite = true;
  for (int64_t i = 0; i < count; ++i) {
    const float size = std::fabs(x[i]);
    finite &= size <= 3.4028235e38f;
    largest = size > largest ? size : largest;
  }
  // Upwards to a bfloat16: then no number exceeds 127. Too small for a normal scale is zero.
  const uint32_t up = (std::bit_cast<uint32_t>(largest / 127) + 0xffff) & 0xffff0000u;
  const float scale = up >= 0x00800000u ? std::bit_cast<float>(up) : 0.0f;
  const float inverse = finite && scale > 0 ? 1.0f / scale : 0.0f;
  for (int64_t i = 0; i < count; ++i) {
    // Adding 1.5 * 2^23 rounds to nearest, ties to even.
    const float rounded = (finite ? x[i] * inverse : 0.0f) + 12582912.0f;
    out[i] = static_cast<int8_t>(static_cast<int32_t>(rounded - 12582912.0f));
  }
  constexpr uint16_t kNan = 0x7fc0;
  return finite ? static_cast<uint16_t>(std::bit_cast<uint32_t>(scale) >> 16) : kNan;
}

// kLanes numbers as f16, rounded to nearest, ties to even.
TULOU_INLINE void store_f16(uint16_t* p, V v) {
#if TULOU_SIMD == 1
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
#else
  float lanes[kLanes];
  store(lanes, v);
#if TULOU_SIMD >= 2
  for (int64_t i = 0; i < kLanes; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(lanes + i), _MM_FROUND_TO_NEAREST_INT));
#else
  for (int64_t i = 0; i < kLanes; ++i) p[i] = tensor::float_to_fp16(lanes[i]);
#endif
#endif
}

TULOU_INLINE void store_f16_row(const float* x, int64_t count, uint16_t* out) {
  const V most = set1(65504.0f), least = set1(-65504.0f);
  for_lanes(count, [&](int64_t i, int64_t n) {
    const V value = load_some(x + i, n);
    uint16_t halves[kLanes];
    // The product is NaN for an infinity and for NaN, which would be lost within the range.
    store_f16(halves, fma(value, zero(), max(min(value, most), least)));
    std::memcpy(out + i, halves, static_cast<size_t>(n) * sizeof(uint16_t));
  });
}

void cache_store(CacheType type, const float* x, int64_t head_dim, int64_t slot, std::byte* plane) {
  std::byte* to = plane + static_cast<size_t>(slot * head_dim) * (type == CacheType::kF32    ? 4
                                                                  : type == CacheType::kQ8_0 ? 1
                                                                                             : 2);
  auto* halves = reinterpret_cast<uint16_t*>(to);
  if (type == CacheType::kF32) {
    std::memcpy(to, x, static_cast<size_t>(head_dim) * sizeof(float));
  } else if (type == CacheType::kBF16) {
    for (int64_t d = 0; d < head_dim; ++d) halves[d] = tensor::float_to_bf16(x[d]);
  } else if (type == CacheType::kF16) {
    store_f16_row(x, head_dim, halves);
  } else {
    const int64_t groups = (head_dim + kCacheGroup - 1) / kCacheGroup;
    auto* scales = reinterpret_cast<uint16_t*>(plane + kAttentionBlock * head_dim) + slot * groups;
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t d = g * kCacheGroup;
      scales[g] = store_group(x + d, std::min(kCacheGroup, head_dim - d),
                              reinterpret_cast<int8_t*>(to) + d);
    }
  }
}
