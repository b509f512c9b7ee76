// A dozen operations on native vectors of floats. No include guard: included once inside each
// region of foreach_level.h, in that level's namespace, so that a family is written once for all of
// them. TULOU_SIMD tells the level: 0 portable, 1 NEON, 2 AVX2, 3 AVX-512.
//
// fma is fused on every level but portable, where it is a product and a sum; sums over lanes are
// taken in a fixed tree. So results depend on the level and on nothing else.

#define TULOU_INLINE static inline __attribute__((always_inline, unused))
// For what is rare: inlined in dozens of places it would take minutes to compile.
#define TULOU_RARE static __attribute__((noinline, unused))

// On a lambda that must become part of its caller.
#define TULOU_LAMBDA __attribute__((always_inline))

#if TULOU_SIMD == 2

using V = __m256;
using VI = __m256i;
constexpr int64_t kLanes = 8;
TULOU_INLINE V zero() { return _mm256_setzero_ps(); }
TULOU_INLINE V set1(float x) { return _mm256_set1_ps(x); }
TULOU_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
TULOU_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
TULOU_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
TULOU_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
TULOU_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
TULOU_INLINE V div(V a, V b) { return _mm256_div_ps(a, b); }
TULOU_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
TULOU_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
TULOU_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
TULOU_INLINE V round_nearest(V a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// p * 2^n for whole n, by adding to the exponent: the result must be a normal number. A NaN p stays
// one if n is NaN, too.
TULOU_INLINE V add_exponent(V p, V n) {
  const VI shifted = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shifted));
}
// a < b ? x : y, lane by lane.
TULOU_INLINE V select_less(V a, V b, V x, V y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
TULOU_INLINE V load_bf16(const uint16_t* p) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
}
// The lower and the upper bf16 of each 32-bit word.
TULOU_INLINE V bf16_low(const uint32_t* p) {
  const VI words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}
TULOU_INLINE V bf16_high(const uint32_t* p) {
  const VI words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(-65536)));
}
TULOU_INLINE V load_f16(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
TULOU_INLINE V load_i8(const int8_t* p) {
  const __m128i raw = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(raw));
}
// (p[i] >> shift) & mask; no mask is needed where all bits that are left are wanted.
TULOU_INLINE V load_bits(const uint8_t* p, int shift, int mask) {
  const __m128i raw = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const VI moved = _mm256_srl_epi32(_mm256_cvtepu8_epi32(raw), _mm_cvtsi32_si128(shift));
  if (mask == 255 >> shift) return _mm256_cvtepi32_ps(moved);
  return _mm256_cvtepi32_ps(_mm256_and_si256(moved, _mm256_set1_epi32(mask)));
}
TULOU_INLINE __m128 half_sum(V v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

#elif TULOU_SIMD == 3

using V = __m512;
using VI = __m512i;
constexpr int64_t kLanes = 16;
TULOU_INLINE V zero() { return _mm512_setzero_ps(); }
TULOU_INLINE V set1(float x) { return _mm512_set1_ps(x); }
TULOU_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
TULOU_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
TULOU_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
TULOU_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
TULOU_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
TULOU_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
TULOU_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
TULOU_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
TULOU_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
TULOU_INLINE V round_nearest(V a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
TULOU_INLINE V add_exponent(V p, V n) {
  const VI shifted = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shifted));
}
TULOU_INLINE V select_less(V a, V b, V x, V y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
TULOU_INLINE V load_bf16(const uint16_t* p) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}
TULOU_INLINE V bf16_low(const uint32_t* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}
TULOU_INLINE V bf16_high(const uint32_t* p) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(-65536)));
}
TULOU_INLINE V load_f16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
TULOU_INLINE V load_i8(const int8_t* p) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(raw));
}
TULOU_INLINE V load_bits(const uint8_t* p, int shift, int mask) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const VI moved = _mm512_srl_epi32(_mm512_cvtepu8_epi32(raw), _mm_cvtsi32_si128(shift));
  if (mask == 255 >> shift) return _mm512_cvtepi32_ps(moved);
  return _mm512_cvtepi32_ps(_mm512_and_si512(moved, _mm512_set1_epi32(mask)));
}
TULOU_INLINE __m128 half_sum(V v) {
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), high);
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

#elif TULOU_SIMD == 1

using V = float32x4_t;
using VI = int32x4_t;
constexpr int64_t kLanes = 4;
TULOU_INLINE V zero() { return vdupq_n_f32(0); }
TULOU_INLINE V set1(float x) { return vdupq_n_f32(x); }
TULOU_INLINE V load(const float* p) { return vld1q_f32(p); }
TULOU_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
TULOU_INLINE V add(V a, V b) { return vaddq_f32(a, b); }
TULOU_INLINE V sub(V a, V b) { return vsubq_f32(a, b); }
TULOU_INLINE V mul(V a, V b) { return vmulq_f32(a, b); }
TULOU_INLINE V div(V a, V b) { return vdivq_f32(a, b); }
TULOU_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
TULOU_INLINE V max(V a, V b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
TULOU_INLINE V min(V a, V b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
TULOU_INLINE V round_nearest(V a) { return vrndnq_f32(a); }
TULOU_INLINE V add_exponent(V p, V n) {
  const VI shifted = vshlq_n_s32(vcvtq_s32_f32(n), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), shifted));
}
TULOU_INLINE V select_less(V a, V b, V x, V y) { return vbslq_f32(vcltq_f32(a, b), x, y); }
TULOU_INLINE V load_bf16(const uint16_t* p) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
}
TULOU_INLINE V bf16_low(const uint32_t* p) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vld1q_u32(p), 16));
}
TULOU_INLINE V bf16_high(const uint32_t* p) {
  return vreinterpretq_f32_u32(vandq_u32(vld1q_u32(p), vdupq_n_u32(0xffff0000u)));
}
TULOU_INLINE V load_f16(const uint16_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
// Four bytes, in the lower half of a vector of eight.
TULOU_INLINE uint8x8_t load_four(const void* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return vreinterpret_u8_u32(vdup_n_u32(bytes));
}
TULOU_INLINE V load_i8(const int8_t* p) {
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u8(load_four(p)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}
TULOU_INLINE V load_bits(const uint8_t* p, int shift, int mask) {
  const uint8x8_t moved = vshl_u8(load_four(p), vdup_n_s8(static_cast<int8_t>(-shift)));
  const uint8x8_t bits = vand_u8(moved, vdup_n_u8(static_cast<uint8_t>(mask)));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bits))));
}
TULOU_INLINE float reduce_add(V v) {
  const float32x2_t s = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
// Four sums at once; each with the bits of reduce_add.
TULOU_INLINE void reduce_add4(const V* v, float* out) {
  float32x2_t s[4];
  for (int i = 0; i < 4; ++i) s[i] = vadd_f32(vget_low_f32(v[i]), vget_high_f32(v[i]));
  vst1q_f32(out, vcombine_f32(vpadd_f32(s[0], s[1]), vpadd_f32(s[2], s[3])));
}

#else

// GCC's and Clang's vector extension: SSE2 on x86-64, NEON on AArch64, plain code elsewhere.
using V __attribute__((vector_size(16))) = float;
using VI __attribute__((vector_size(16))) = int32_t;
using U __attribute__((vector_size(16))) = uint32_t;
constexpr int64_t kLanes = 4;
TULOU_INLINE V set1(float x) { return V{x, x, x, x}; }
TULOU_INLINE V zero() { return set1(0); }
TULOU_INLINE V load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
TULOU_INLINE void store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
TULOU_INLINE V add(V a, V b) { return a + b; }
TULOU_INLINE V sub(V a, V b) { return a - b; }
TULOU_INLINE V mul(V a, V b) { return a * b; }
TULOU_INLINE V div(V a, V b) { return a / b; }
TULOU_INLINE V fma(V a, V b, V c) { return a * b + c; }
TULOU_INLINE V select(VI mask, V x, V y) {
  return reinterpret_cast<V>((mask & reinterpret_cast<VI>(x)) | (~mask & reinterpret_cast<VI>(y)));
}
TULOU_INLINE V max(V a, V b) { return select(a > b, a, b); }
TULOU_INLINE V min(V a, V b) { return select(a < b, a, b); }
// Adding 1.5 * 2^23 leaves no fraction bits: nearest, ties to even; |a| < 2^22.
TULOU_INLINE V round_nearest(V a) { return (a + set1(12582912.0f)) - set1(12582912.0f); }
TULOU_INLINE V add_exponent(V p, V n) {
  // A NaN may become any number here; shifted as unsigned, no number is undefined.
  const U shifted = reinterpret_cast<U>(__builtin_convertvector(n, VI)) << 23;
  return reinterpret_cast<V>(reinterpret_cast<U>(p) + shifted);
}
TULOU_INLINE V select_less(V a, V b, V x, V y) { return select(a < b, x, y); }
TULOU_INLINE V load_bf16(const uint16_t* p) {
  const float lanes[4] = {tensor::bf16_to_float(p[0]), tensor::bf16_to_float(p[1]),
                          tensor::bf16_to_float(p[2]), tensor::bf16_to_float(p[3])};
  return load(lanes);
}
TULOU_INLINE V bf16_low(const uint32_t* p) {
  U words;
  std::memcpy(&words, p, sizeof words);
  return reinterpret_cast<V>(words << 16);
}
TULOU_INLINE V bf16_high(const uint32_t* p) {
  U words;
  std::memcpy(&words, p, sizeof words);
  return reinterpret_cast<V>(words & 0xffff0000u);
}
TULOU_INLINE V load_f16(const uint16_t* p) {
  const float lanes[4] = {tensor::fp16_to_float(p[0]), tensor::fp16_to_float(p[1]),
                          tensor::fp16_to_float(p[2]), tensor::fp16_to_float(p[3])};
  return load(lanes);
}
TULOU_INLINE V load_i8(const int8_t* p) {
  return __builtin_convertvector((VI{p[0], p[1], p[2], p[3]}), V);
}
TULOU_INLINE V load_bits(const uint8_t* p, int shift, int mask) {
  const VI raw = {p[0], p[1], p[2], p[3]};
  return __builtin_convertvector((raw >> shift) & mask, V);
}
TULOU_INLINE float reduce_add(V v) { return (v[0] + v[2]) + (v[1] + v[3]); }
// Four sums at once; each with the bits of reduce_add.
TULOU_INLINE void reduce_add4(const V* v, float* out) {
  for (int i = 0; i < 4; ++i) out[i] = reduce_add(v[i]);
}

#endif

#if TULOU_SIMD == 2 || TULOU_SIMD == 3
TULOU_INLINE float reduce_add(V v) {
  __m128 s = half_sum(v);
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}
// Four sums at once; each with the bits of reduce_add.
TULOU_INLINE __m128 add_lanes(__m128 a, __m128 b, __m128 c, __m128 d) {
  const __m128 ab = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
  const __m128 cd = _mm_add_ps(_mm_movelh_ps(c, d), _mm_movehl_ps(d, c));
  return _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd));
}
TULOU_INLINE void reduce_add4(const V* v, float* out) {
  _mm_storeu_ps(out, add_lanes(half_sum(v[0]), half_sum(v[1]), half_sum(v[2]), half_sum(v[3])));
}
#endif

// The first `count` < kLanes values; the others are 0.
TULOU_RARE V load_partial(const float* p, int64_t count) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
}
TULOU_RARE void store_partial(float* p, V v, int64_t count) {
  float lanes[kLanes];
  store(lanes, v);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}
// The first `count` < kLanes numbers of another type, which kLoad takes kLanes of.
template <auto kLoad, typename T>
TULOU_RARE V load_partial_of(const T* p, int64_t count) {
  T lanes[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return kLoad(lanes);
}

// e^x. Within 2 units in the last place for x in [-87.33654, 88.72283]; above it infinity, below it
// 0 (results that would be denormal are flushed); NaN stays. Cody-Waite reduction to |r| <= ln(2) /
// 2, Taylor polynomial of degree 7 (remainder < 2^-27).
TULOU_INLINE V exp(V x) {
  const V lowest = set1(-87.33654f), highest = set1(88.72283f);
  // The operand order keeps a NaN: max and min return the second one if either is NaN.
  const V clamped = min(highest, max(lowest, x));
  const V n = round_nearest(mul(clamped, set1(1.44269504f)));
  V r = fma(n, set1(-0.693359375f), clamped);  // the upper bits of ln 2: exact for |n| < 2^13
  r = fma(n, set1(2.12194440e-4f), r);         // and what is left of it
  V p = set1(1.0f / 5040);
  p = fma(p, r, set1(1.0f / 720));
  p = fma(p, r, set1(1.0f / 120));
  p = fma(p, r, set1(1.0f / 24));
  p = fma(p, r, set1(1.0f / 6));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  const V inside = select_less(x, lowest, zero(), add_exponent(p, n));
  return select_less(highest, x, set1(__builtin_inff()), inside);
}

TULOU_INLINE V sigmoid(V x) { return div(set1(1.0f), add(set1(1.0f), exp(sub(zero(), x)))); }
TULOU_INLINE V silu(V x) { return div(x, add(set1(1.0f), exp(sub(zero(), x)))); }

// f<0>(), f<1>(), ... f<kCount - 1>(), written out.
template <int kCount, typename F>
TULOU_INLINE void unrolled(const F& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) TULOU_LAMBDA {
    (f.template operator()<i>(), ...);
  }(std::make_integer_sequence<int, kCount>{});
}

// Applies f to count values: out[i] = f(a[i]). For elementwise kernels.
template <typename F>
TULOU_INLINE void for_lanes(int64_t count, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) f(i, kLanes);
  if (i < count) f(i, count - i);
}
TULOU_INLINE V load_some(const float* p, int64_t count) {
  return count == kLanes ? load(p) : load_partial(p, count);
}
TULOU_INLINE void store_some(float* p, V v, int64_t count) {
  if (count == kLanes) {
    store(p, v);
  } else {
    store_partial(p, v, count);
  }
}

// Sum of a[i] * b[i]: one vector of partial sums, i rising, then the tree of reduce_add.
TULOU_INLINE float dot(const float* a, const float* b, int64_t count) {
  V sum = zero();
  for_lanes(count, [&](int64_t i, int64_t n) {
    sum = fma(load_some(a + i, n), load_some(b + i, n), sum);
  });
  return reduce_add(sum);
}
