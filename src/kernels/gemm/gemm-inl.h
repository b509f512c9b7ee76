// The kernels of gemm.h on the vectors of simd-inl.h; included once a level by gemm.cpp.

#include "kernels/gemm/block-inl.h"
#include "kernels/gemm/float-inl.h"
#if TULOU_SIMD >= 2
#include "kernels/gemm/int8-inl.h"
#else
#include "kernels/gemm/int8_plain-inl.h"
#endif

void gemm(const GemmArgs& a) {
  if (a.quantized.values == nullptr) return float_gemm(a);
  with_block_type(a.type, [&]<tensor::DType kType>() { int8_type<kType>(a); });
}

constexpr int64_t kBlockVectors = kBlock / kLanes;
using BlockVectors = V[kBlockVectors];

// Partial sums of a[i] * b[i] over a block; with reduce_add they are one tree at every level.
TULOU_INLINE V block_dot(const BlockVectors& a, const BlockVectors& b) {
  constexpr int64_t kHalf = kBlockVectors / 2;
  V sums[kHalf];
  for (int64_t i = 0; i < kHalf; ++i) sums[i] = fma(a[kHalf + i], b[kHalf + i], mul(a[i], b[i]));
  for (int64_t n = kHalf / 2; n > 0; n /= 2)
    for (int64_t i = 0; i < n; ++i) sums[i] = add(sums[i], sums[n + i]);
  return sums[0];
}

// The largest value of a block becomes 127, or one of the next smaller whole numbers: how the
// others fall between whole numbers is chance, and the best of kTries leaves about a fifth less
// of the squared error (of normal numbers and of Student-t with 6 degrees of freedom).
constexpr int kTries = 8;
constexpr int kFirstTry = 127;

// The try with the least sum of squared errors; the first of equal ones.
TULOU_INLINE int best_try(const BlockVectors& x, float largest) {
  V sums[kTries];
  for (int t = 0; t < kTries; ++t) {
    const V inverse = set1(static_cast<float>(kFirstTry - t) / largest);
    BlockVectors error;
    for (int64_t i = 0; i < kBlockVectors; ++i) {
      const V scaled = mul(x[i], inverse);
      error[i] = sub(scaled, round_nearest(scaled));
    }
    sums[t] = block_dot(error, error);
  }
  float errors[kTries];
  for (int t = 0; t < kTries; t += 4) reduce_add4(sums + t, errors + t);
  int best = 0;
  float least = errors[0] * (1.0f / (kFirstTry * kFirstTry));
  for (int t = 1; t < kTries; ++t) {
    const float error = errors[t] * (1.0f / static_cast<float>((kFirstTry - t) * (kFirstTry - t)));
    best = error < least ? t : best;
    least = error < least ? error : least;
  }
  return best;
}

// Rounds a block to whole numbers up to 127. -> the scale, that of least squares for them.
TULOU_INLINE float quantize_block(const float* x, float* rounded) {
  BlockVectors value, whole;
  V most = zero(), rest = zero();
  for (int64_t i = 0; i < kBlockVectors; ++i) {
    value[i] = load(x + i * kLanes);
    most = max(most, max(value[i], sub(zero(), value[i])));
    rest = fma(value[i], zero(), rest);
  }
  float lanes[kLanes], largest = 0;
  store(lanes, most);
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  // 0 for finite values, else NaN: max() does not see every NaN.
  const bool finite = reduce_add(rest) == 0.0f;
  // Smaller ones are 0 beside anything else, and 127 / largest might overflow.
  if (!finite || largest <= 0x1p-100f) {
    for (int64_t i = 0; i < kBlock; i += kLanes) store(rounded + i, zero());
    return finite ? 0.0f : __builtin_nanf("");
  }
  const auto top = static_cast<float>(kFirstTry - best_try(value, largest));
  const V inverse = set1(top / largest);
  for (int64_t i = 0; i < kBlockVectors; ++i) {
    value[i] = mul(value[i], inverse);
    whole[i] = round_nearest(value[i]);
    store(rounded + i * kLanes, whole[i]);
  }
  const float fit = reduce_add(block_dot(value, whole)) / reduce_add(block_dot(whole, whole));
  return largest / top * fit;
}

// A block's whole numbers as bytes, and the sums of its two halves.
TULOU_INLINE void put_whole(const float* rounded, int8_t* values, int32_t (&sums)[2]) {
#if TULOU_SIMD >= 2
  __m256i words[4];
  for (int i = 0; i < 4; ++i) words[i] = _mm256_cvtps_epi32(_mm256_loadu_ps(rounded + 8 * i));
  // Packing works in each 128-bit half: groups of four come out as 0 2 4 6 1 3 5 7.
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(words[0], words[1]),
                                           _mm256_packs_epi32(words[2], words[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(values),
                      _mm256_permutevar8x32_epi32(bytes, order));
  const __m256i pairs =
      _mm256_hadd_epi32(_mm256_add_epi32(words[0], words[1]), _mm256_add_epi32(words[2], words[3]));
  const __m256i fours = _mm256_hadd_epi32(pairs, pairs);
  const __m128i halves =
      _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(sums), halves);
#else
  sums[0] = sums[1] = 0;
  for (int64_t i = 0; i < kBlock; ++i) {
    const auto value = static_cast<int32_t>(rounded[i]);
    values[i] = static_cast<int8_t>(value);
    sums[i / 16] += value;
  }
#endif
}

void quantize(const float* x, int64_t k, const QuantizedRows& row) {
  for (int64_t b = 0; b < k / kBlock; ++b) {
    const int64_t at = b * row.tile_rows;
    float rounded[kBlock];
    int32_t sums[2];
    row.scale[at] = quantize_block(x + kBlock * b, rounded);
    put_whole(rounded, row.values + kBlock * at, sums);
    row.sum[at] = sums[0] + sums[1];
    row.half_sums[at] = static_cast<int32_t>(static_cast<uint32_t>(sums[1]) << 16 |
                                             (static_cast<uint32_t>(sums[0]) & 0xffffu));
    row.scaled_sum[at] = row.scale[at] * static_cast<float>(row.sum[at]);
  }
}

void unpack(tensor::DType type, const std::byte* panel, int64_t r, int64_t begin, int64_t end,
            float* out) {
  const bool blocks = panel_layout(type).group_values >= kBlock;
  const int64_t step = blocks ? kBlock : 1;
  const int64_t first = begin / step * step;
  alignas(64) float values[kBlock * kPanelRows];
  for (int64_t k = first; k < end; k += kBlock) {
    const int64_t stop = blocks ? k + kBlock : std::min(end, k + kBlock);
    expand_floats(type, panel, k, stop, values);
    for (int64_t i = std::max(begin, k); i < std::min(end, stop); ++i)
      out[i - begin] = values[(i - k) * kPanelRows + r];
  }
}
