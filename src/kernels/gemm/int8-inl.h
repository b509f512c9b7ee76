// The int8 recipe of gemm.h for levels with vectors of bytes. Included once for each of them.

#include "kernels/gemm/int8_codes-inl.h"

// Keeps a running sum in its register and its order: the compiler would build trees of sums of
// integers and run out of registers.
#if defined(TULOU_EMULATE_AVX512)
#define TULOU_IN_ORDER(sum) static_cast<void>(0)
#else
#define TULOU_IN_ORDER(sum) asm("" : "+x"(sum))
#endif

TULOU_INLINE int32_t four_bytes(const int8_t* p) {
  int32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// float(I) of a block for kM rows of x and kR vectors of rows of W: the exact sum of products.
#if TULOU_SIMD == 2

template <typename Source, int kM, int kR>
TULOU_INLINE void block_products(const typename Source::Place (&at)[kR / kPanelVectors],
                                 const QuantizedRows (&x)[kM], int64_t block, V (&out)[kM][kR]) {
  using Codes = typename Source::Codes;
  const VI ones = _mm256_set1_epi16(1);
  VI total[kM][kR], part[kM][kR];
  for (int m = 0; m < kM; ++m) {
    for (int r = 0; r < kR; ++r) {
      total[m][r] = _mm256_setzero_si256();
      if constexpr (Codes::kOffset != 0 && !Codes::kSub)
        total[m][r] = set_words(-Codes::kOffset * x[m].sum[block]);
    }
  }
  unrolled<8>([&]<int g>() TULOU_LAMBDA {
    VI w[kR];
    for (int r = 0; r < kR; ++r)
      w[r] = Source::template codes<g>(at[r / kPanelVectors], r % kPanelVectors);
    for (int m = 0; m < kM; ++m) {
      const VI v = set_words(four_bytes(x[m].values + kBlock * block + 4 * g));
      for (int r = 0; r < kR; ++r) {
        if constexpr (Codes::kSigned) {
          const VI pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w[r]), _mm256_sign_epi8(v, w[r]));
          total[m][r] = add_words(total[m][r], _mm256_madd_epi16(pairs, ones));
        } else {
          const VI pairs = _mm256_maddubs_epi16(w[r], v);
          part[m][r] = g % Codes::kFlush == 0 ? pairs : _mm256_add_epi16(part[m][r], pairs);
          TULOU_IN_ORDER(part[m][r]);
          if constexpr (g % Codes::kFlush == Codes::kFlush - 1) {
            VI factor = ones;
            if constexpr (Codes::kSub) {
              // The sub-scale in both halves of a lane: sums of pairs are multiplied by it at once.
              const VI sub = Source::sub_scale(at[r / kPanelVectors], g / 4, r % kPanelVectors);
              factor = bits_or(_mm256_slli_epi32(sub, 16), bits_and(sub, set_words(0xffff)));
            }
            total[m][r] = add_words(total[m][r], _mm256_madd_epi16(part[m][r], factor));
          }
        }
      }
    }
  });
  for (int r = 0; r < kR; ++r) {
    VI subs = ones;
    if constexpr (Codes::kSub) {
      const typename Source::Place place = at[r / kPanelVectors];
      subs = _mm256_blend_epi16(
          Source::sub_scale(place, 0, r % kPanelVectors),
          _mm256_slli_epi32(Source::sub_scale(place, 1, r % kPanelVectors), 16), 0xAA);
    }
    for (int m = 0; m < kM; ++m) {
      if constexpr (Codes::kSub) {
        const VI sums = _mm256_madd_epi16(subs, set_words(x[m].half_sums[block]));
        total[m][r] = _mm256_sub_epi32(total[m][r], bits_left<5>(sums));
      }
      out[m][r] = words_to_floats(total[m][r]);
    }
  }
}

#else

template <typename Source, int kM, int kR>
TULOU_INLINE void block_products(const typename Source::Place (&at)[kR / kPanelVectors],
                                 const QuantizedRows (&x)[kM], int64_t block, V (&out)[kM][kR]) {
  using Codes = typename Source::Codes;
  constexpr int kParts = Codes::kSub ? 2 : 1;
  constexpr int kOffset = Codes::kSigned ? 128 : Codes::kOffset;
  VI total[kParts][kM][kR];
  for (int m = 0; m < kM; ++m) {
    for (int h = 0; h < kParts; ++h) {
      int32_t sum = x[m].sum[block];
      if constexpr (Codes::kSub) {
        const int32_t both = x[m].half_sums[block];
        sum = h == 0 ? static_cast<int16_t>(both & 0xffff) : both >> 16;
      }
      for (int r = 0; r < kR; ++r) total[h][m][r] = set_words(-kOffset * sum);
    }
  }
  unrolled<8>([&]<int g>() TULOU_LAMBDA {
    VI w[kR];
    for (int r = 0; r < kR; ++r) {
      w[r] = Source::template codes<g>(at[r], 0);
      if constexpr (Codes::kSigned) w[r] = _mm512_xor_si512(w[r], set_bytes(-128));
    }
    for (int m = 0; m < kM; ++m) {
      const VI v = set_words(four_bytes(x[m].values + kBlock * block + 4 * g));
      VI(&sums)[kR] = total[kParts == 2 ? g / 4 : 0][m];
      for (int r = 0; r < kR; ++r) sums[r] = _mm512_dpbusd_epi32(sums[r], w[r], v);
    }
  });
  for (int r = 0; r < kR; ++r) {
    for (int m = 0; m < kM; ++m) {
      out[m][r] = words_to_floats(total[0][m][r]);
      if constexpr (Codes::kSub) {  // exact: |I| <= 2^24
        out[m][r] = mul(out[m][r], words_to_floats(Source::sub_scale(at[r], 0, 0)));
        out[m][r] = fma(words_to_floats(total[1][m][r]),
                        words_to_floats(Source::sub_scale(at[r], 1, 0)), out[m][r]);
      }
    }
  }
}

#endif

// Adds blocks [begin, end) to sums[p][m][16].
template <typename Source, int kM, int kP>
TULOU_INLINE void int8_tile(const Source& source, int64_t begin, int64_t end,
                            const QuantizedRows (&x)[kM], float* const (&sums)[kP]) {
  constexpr int kR = kP * kPanelVectors;
  // Sums stay in memory, which the L1 cache holds: the products need the registers.
  const auto sum = [&](int m, int r) TULOU_LAMBDA {
    return sums[r / kPanelVectors] + m * kPanelRows + r % kPanelVectors * kLanes;
  };
  for (int64_t block = begin; block < end; ++block) {
    typename Source::Place at[kP];
    for (int p = 0; p < kP; ++p) at[p] = Source::place(source, p, block);
    V products[kM][kR];
    block_products<Source, kM, kR>(at, x, block, products);
    for (int r = 0; r < kR; ++r) {
      const V scale = Source::scale(at[r / kPanelVectors], r % kPanelVectors);
      for (int m = 0; m < kM; ++m) {
        V acc = fma(mul(products[m][r], scale), set1(x[m].scale[block]), load(sum(m, r)));
        if constexpr (Source::Codes::kMin) {
          const V min = Source::min(at[r / kPanelVectors], r % kPanelVectors);
          acc = fma(min, set1(x[m].scaled_sum[block]), acc);
        }
        store(sum(m, r), acc);
      }
    }
  }
}

// Blocks of a panel that are read before the next stream has its turn.
constexpr int64_t kStreamBlocks = 8;

// kM rows of x from row m on, straight from the panels: all panels of the call side by side.
template <int kM, tensor::DType kType>
TULOU_INLINE void int8_direct(const GemmArgs& a, int64_t m) {
  const size_t bytes = panel_bytes(kType, a.k);
  const int64_t blocks = a.k / kBlock;
  QuantizedRows x[kM];
  for (int i = 0; i < kM; ++i) x[i] = a.quantized.from(m + i, a.k);
  for (int64_t i = 0; i < a.count; i += kMaxStreams) {
    const int64_t streams = std::min(kMaxStreams, a.count - i);
    std::memset(a.scratch, 0, sizeof(float) * static_cast<size_t>(streams * kM * kPanelRows));
    for (int64_t begin = 0; begin < blocks; begin += kStreamBlocks) {
      const int64_t end = std::min(blocks, begin + kStreamBlocks);
      for (int64_t s = 0; s < streams; ++s) {
        const std::byte* panel = a.panels + static_cast<size_t>(a.first + (i + s) * a.step) * bytes;
        float* const sums[1] = {a.scratch + s * kM * kPanelRows};
        int8_tile<PackedPanels<kType>, kM, 1>({{panel, panel}}, begin, end, x, sums);
      }
    }
    for (int64_t s = 0; s < streams; ++s)
      put_panel(a, a.first + (i + s) * a.step, m, kM, a.scratch + s * kM * kPanelRows);
  }
}

// Panels side by side and rows of x in a tile: what fits the registers.
constexpr int kInt8Panels = TULOU_SIMD == 3 ? 2 : 1;
constexpr int kInt8Rows = TULOU_SIMD == 3 ? 6 : 3;
constexpr int64_t kExpandedBlocks = kInt8Depth / kBlock;
static_assert(kInt8Panels * (kExpandedBlocks * sizeof(ExpandedBlock) +
                             kGemmTokens * kPanelRows * sizeof(float)) <=
              kGemmScratch * sizeof(float));

// Rows [m, m + rows) of x against up to kInt8Panels panels, expanded slice by slice.
template <tensor::DType kType>
TULOU_INLINE void int8_expanded(const GemmArgs& a, int64_t i, int64_t m, int64_t rows) {
  auto* expanded = reinterpret_cast<ExpandedBlock*>(a.scratch);
  auto* sums = reinterpret_cast<float*>(expanded + kInt8Panels * kExpandedBlocks);
  const size_t bytes = panel_bytes(kType, a.k);
  const int64_t blocks = a.k / kBlock;
  std::memset(sums, 0, sizeof(float) * static_cast<size_t>(kInt8Panels * rows * kPanelRows));
  for (int64_t begin = 0; begin < blocks; begin += kExpandedBlocks) {
    const int64_t end = std::min(blocks, begin + kExpandedBlocks);
    ExpandedPanels<kType> source{};
    source.first = begin;
    for (int p = 0; p < kInt8Panels; ++p) {
      const int64_t panel = a.first + std::min(i + p, a.count - 1) * a.step;
      ExpandedBlock* here = expanded + p * kExpandedBlocks;
      for (int64_t block = begin; block < end; ++block)
        expand_block<kType>(a.panels + static_cast<size_t>(panel) * bytes, block,
                            here[block - begin]);
      source.panel[p] = here;
    }
    int64_t t = 0;
    const auto tile = [&]<int kM>() TULOU_LAMBDA {
      QuantizedRows x[kM];
      for (int j = 0; j < kM; ++j) x[j] = a.quantized.from(m + t + j, a.k);
      float* at[kInt8Panels];
      for (int p = 0; p < kInt8Panels; ++p) at[p] = sums + (p * rows + t) * kPanelRows;
      float* const(&to)[kInt8Panels] = at;
      int8_tile<ExpandedPanels<kType>, kM, kInt8Panels>(source, begin, end, x, to);
      t += kM;
    };
    while (t + kInt8Rows <= rows) tile.template operator()<kInt8Rows>();
    while (t < rows) tile.template operator()<1>();
  }
  for (int p = 0; p < kInt8Panels && i + p < a.count; ++p)
    put_panel(a, a.first + (i + p) * a.step, m, rows, sums + p * rows * kPanelRows);
}

// A function of its own for each type: they are large.
template <tensor::DType kType>
TULOU_RARE void int8_type(const GemmArgs& a) {
  if (a.m <= kDirectRows) {
    int64_t m = 0;
    for (; m + 2 <= a.m; m += 2) int8_direct<2, kType>(a, m);
    for (; m < a.m; ++m) int8_direct<1, kType>(a, m);
    return;
  }
  for (int64_t m = 0; m < a.m; m += kGemmTokens) {
    for (int64_t i = 0; i < a.count; i += kInt8Panels)
      int8_expanded<kType>(a, i, m, std::min(kGemmTokens, a.m - m));
  }
}
