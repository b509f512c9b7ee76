// Codes and scales of packed block types in vectors of the level: AVX2 holds 8 rows of a panel,
// AVX-512 all 16; a lane of 4 bytes is 4 neighbouring values of k of one row. Included once for
// each of these levels.

#if TULOU_SIMD == 2
TULOU_INLINE VI load_bytes(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
TULOU_INLINE void store_bytes(void* p, VI v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
TULOU_INLINE VI set_bytes(int8_t x) { return _mm256_set1_epi8(x); }
TULOU_INLINE VI set_words(int32_t x) { return _mm256_set1_epi32(x); }
TULOU_INLINE VI bits_and(VI a, VI b) { return _mm256_and_si256(a, b); }
TULOU_INLINE VI bits_or(VI a, VI b) { return _mm256_or_si256(a, b); }
template <int kBits>
TULOU_INLINE VI bits_left(VI a) {
  return _mm256_slli_epi32(a, kBits);
}
template <int kBits>
TULOU_INLINE VI bits_right(VI a) {
  return _mm256_srli_epi32(a, kBits);
}
TULOU_INLINE VI add_words(VI a, VI b) { return _mm256_add_epi32(a, b); }
TULOU_INLINE VI sub_bytes(VI a, VI b) { return _mm256_sub_epi8(a, b); }
TULOU_INLINE V words_to_floats(VI a) { return _mm256_cvtepi32_ps(a); }
TULOU_INLINE VI iq4_values(VI codes) {
  const __m128i table =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(tensor::kIq4Values.data()));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), codes);
}
TULOU_INLINE VI load_u8(const std::byte* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
TULOU_INLINE VI load_s8(const std::byte* p) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
#else
TULOU_INLINE VI load_bytes(const void* p) { return _mm512_loadu_si512(p); }
TULOU_INLINE void store_bytes(void* p, VI v) { _mm512_storeu_si512(p, v); }
TULOU_INLINE VI set_bytes(int8_t x) { return _mm512_set1_epi8(x); }
TULOU_INLINE VI set_words(int32_t x) { return _mm512_set1_epi32(x); }
TULOU_INLINE VI bits_and(VI a, VI b) { return _mm512_and_si512(a, b); }
TULOU_INLINE VI bits_or(VI a, VI b) { return _mm512_or_si512(a, b); }
template <int kBits>
TULOU_INLINE VI bits_left(VI a) {
  return _mm512_slli_epi32(a, kBits);
}
template <int kBits>
TULOU_INLINE VI bits_right(VI a) {
  return _mm512_srli_epi32(a, kBits);
}
TULOU_INLINE VI add_words(VI a, VI b) { return _mm512_add_epi32(a, b); }
TULOU_INLINE VI sub_bytes(VI a, VI b) { return _mm512_sub_epi8(a, b); }
TULOU_INLINE V words_to_floats(VI a) { return _mm512_cvtepi32_ps(a); }
TULOU_INLINE VI iq4_values(VI codes) {
  const __m128i table =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(tensor::kIq4Values.data()));
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), codes);
}
TULOU_INLINE VI load_u8(const std::byte* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
TULOU_INLINE VI load_s8(const std::byte* p) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
#endif
constexpr int64_t kVectorBytes = 4 * kLanes;

// What is known of a type's codes. A weight is (code - kOffset) * scale + min.
template <tensor::DType kType>
struct CodesOf {
  using enum tensor::DType;
  static constexpr bool kSigned = kType == kQ8_0 || kType == kIQ4_NL || kType == kIQ4_XS;
  static constexpr bool kMin = has_min(kType);
  static constexpr bool kSub = kType == kQ6_K;  // two sub-scales in a block
  static constexpr int kOffset = kType == kQ4_0 ? 8 : kType == kQ5_0 ? 16 : kType == kQ6_K ? 32 : 0;
  // Products of 4 values that 16 bits can hold together: 2 n max(code) * 127 < 32768.
  static constexpr int kFlush = kType == kQ6_K ? 2 : kType == kQ5_0 || kType == kQ5_K ? 4 : 8;
};

// A panel as it is packed.
template <tensor::DType kType>
struct PackedPanel {
  using Codes = CodesOf<kType>;
  static constexpr PanelLayout kLayout = panel_layout(kType);
  static constexpr bool kPacked = true;

  // Where a block lies.
  struct Place {
    const std::byte* group;
    int64_t b;
  };

  // Codes of values 4 g ... 4 g + 3, and of those 16 after them, for the rows of vector r; g < 4.
  template <int g>
  TULOU_INLINE void pair(Place at, int r, VI& first, VI& second) {
    using enum tensor::DType;
    const int64_t row = r * kVectorBytes;
    if constexpr (kType == kQ8_0) {
      const std::byte* from = at.group + 512 * at.b + 64 * g + row;
      first = load_bytes(from);
      second = load_bytes(from + 256);
      return;
    }
    const VI words = load_bytes(at.group + 256 * at.b + 64 * g + row);
    first = bits_and(words, set_bytes(15));
    second = bits_and(bits_right<4>(words), set_bytes(15));
    if constexpr (kType == kIQ4_NL || kType == kIQ4_XS) {
      first = iq4_values(first);
      second = iq4_values(second);
    }
    if constexpr (kType == kQ5_0 || kType == kQ5_K) {
      const VI fifth = load_bytes(at.group + kLayout.second + 64 * at.b + row);
      const VI bit = set_bytes(16);
      first = bits_or(first, bits_and(bits_left<4 - g>(fifth), bit));
      second = bits_or(second, bits_and(g == 0 ? fifth : bits_right<g>(fifth), bit));
    }
    if constexpr (kType == kQ6_K) {
      const std::byte* from = at.group + kLayout.second + 128 * at.b + row;
      const VI bits = set_bytes(48);
      first = bits_or(first, bits_and(to_high<g>(load_bytes(from)), bits));
      second = bits_or(second, bits_and(to_high<g>(load_bytes(from + 64)), bits));
    }
  }
  // Bits 2 g and 2 g + 1 to 4 and 5.
  template <int g>
  TULOU_INLINE VI to_high(VI bits) {
    if constexpr (g < 2) return bits_left<4 - 2 * g>(bits);
    if constexpr (g == 2) return bits;
    return bits_right<2>(bits);
  }
  TULOU_INLINE V halves(const std::byte* group, int64_t offset, int r) {
    return load_f16(reinterpret_cast<const uint16_t*>(group + offset) + r * kLanes);
  }
  TULOU_INLINE V scale(Place at, int r) {
    using enum tensor::DType;
    if constexpr (kType == kQ6_K) return halves(at.group, kLayout.scales, r);
    if constexpr (kLayout.sub_scales != 0) {
      const std::byte* factors = at.group + kLayout.sub_scales + kPanelRows * at.b + r * kLanes;
      const VI factor = kType == kIQ4_XS ? load_s8(factors) : load_u8(factors);
      return mul(halves(at.group, kLayout.scales, r), words_to_floats(factor));
    }
    return halves(at.group, kLayout.scales + 2 * kPanelRows * static_cast<size_t>(at.b), r);
  }
  TULOU_INLINE V min(Place at, int r) {
    using enum tensor::DType;
    if constexpr (kType == kQ4_1)
      return halves(at.group, kLayout.mins + 2 * kPanelRows * static_cast<size_t>(at.b), r);
    const std::byte* factors =
        at.group + kLayout.sub_scales + kPanelRows * (group_blocks(kType) + at.b) + r * kLanes;
    const V positive = mul(halves(at.group, kLayout.mins, r), words_to_floats(load_u8(factors)));
    return sub(zero(), positive);
  }
  // Sub-scale `half` of Q6_K.
  TULOU_INLINE VI sub_scale(Place at, int half, int r) {
    return load_s8(at.group + kLayout.sub_scales + kPanelRows * (2 * at.b + half) + r * kLanes);
  }
};

// A block of a panel with its codes as bytes and its scales as floats.
struct alignas(64) ExpandedBlock {
  std::byte codes[8 * 64];
  float scale[kPanelRows];
  float min[kPanelRows];
  int32_t sub_scale[2][kPanelRows];
};

template <tensor::DType kType>
struct ExpandedPanel {
  using Codes = CodesOf<kType>;
  static constexpr bool kPacked = false;
  using Place = const ExpandedBlock*;
  template <int g>
  TULOU_INLINE VI codes(Place at, int r) {
    return load_bytes(at->codes + 64 * g + r * kVectorBytes);
  }
  TULOU_INLINE V scale(Place at, int r) { return load(at->scale + r * kLanes); }
  TULOU_INLINE V min(Place at, int r) { return load(at->min + r * kLanes); }
  TULOU_INLINE VI sub_scale(Place at, int half, int r) {
    return load_bytes(at->sub_scale[half] + r * kLanes);
  }
};

// kSigned: the codes without their offset, for instructions that take signed bytes.
template <tensor::DType kType, bool kSigned = false>
TULOU_INLINE void expand_block(const std::byte* panel, int64_t block, ExpandedBlock& out) {
  using Packed = PackedPanel<kType>;
  const typename Packed::Place at = {group_of(kType, panel, block), block % group_blocks(kType)};
  for (int r = 0; r < kPanelVectors; ++r) {
    unrolled<4>([&]<int g>() TULOU_LAMBDA {
      VI first, second;
      Packed::template pair<g>(at, r, first, second);
      if constexpr (kSigned && Packed::Codes::kOffset != 0) {
        first = sub_bytes(first, set_bytes(Packed::Codes::kOffset));
        second = sub_bytes(second, set_bytes(Packed::Codes::kOffset));
      }
      store_bytes(out.codes + 64 * g + r * kVectorBytes, first);
      store_bytes(out.codes + 64 * (g + 4) + r * kVectorBytes, second);
    });
    store(out.scale + r * kLanes, Packed::scale(at, r));
    if constexpr (Packed::Codes::kMin) store(out.min + r * kLanes, Packed::min(at, r));
    if constexpr (Packed::Codes::kSub) {
      for (int half = 0; half < 2; ++half)
        store_bytes(out.sub_scale[half] + r * kLanes, Packed::sub_scale(at, half, r));
    }
  }
}
