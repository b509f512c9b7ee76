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

// The sub-scale in both halves of each lane, so that sums of pairs are multiplied by it.
TULOU_INLINE VI both_halves(VI sub_scale) {
  return bits_or(_mm256_slli_epi32(sub_scale, 16), bits_and(sub_scale, set_words(0xffff)));
}

// The first sub-scale in the lower half of each lane, the second in the upper: times half_sums.
TULOU_INLINE VI lower_and_upper(VI first, VI second) {
  return _mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xAA);
}

// What the offsets of the codes of vector r are multiplied with: for Q6_K its sub-scales.
template <typename Source>
TULOU_INLINE VI offset_factors(typename Source::Place at, int r) {
  if constexpr (Source::Codes::kSub)
    return lower_and_upper(Source::sub_scale(at, 0, r), Source::sub_scale(at, 1, r));
  return _mm256_setzero_si256();
}

// float(I) of the sum of products of codes, without the offset that unsigned codes have in it.
template <typename Codes>
TULOU_INLINE V without_offset(VI total, VI factors, const QuantizedRows& x, int64_t block) {
  if constexpr (Codes::kSub) {
    const VI sums = _mm256_madd_epi16(factors, set_words(x.half_sums[block]));
    total = _mm256_sub_epi32(total, bits_left<5>(sums));
  } else if constexpr (Codes::kOffset != 0) {
    const VI sum = set_words(x.sum[block]);
    total = _mm256_sub_epi32(total, Codes::kOffset == 8 ? bits_left<3>(sum) : bits_left<4>(sum));
  }
  return words_to_floats(total);
}

// For kR vectors of rows from vector `row` on: values 4 g and 16 + 4 g together, as they are
// packed.
template <typename Source, int kM, int kR>
TULOU_INLINE void packed_products(typename Source::Place at, int row, const QuantizedRows (&x)[kM],
                                  int64_t block, V (*out)[kPanelVectors]) {
  using Codes = typename Source::Codes;
  const VI ones = _mm256_set1_epi16(1);
  VI total[kM][kR], low[kM][kR], high[kM][kR];
  unrolled<4>([&]<int g>() TULOU_LAMBDA {
    VI first[kR], second[kR];
    for (int r = 0; r < kR; ++r) Source::template pair<g>(at, row + r, first[r], second[r]);
    for (int m = 0; m < kM; ++m) {
      const int8_t* values = x[m].values + kBlock * block + 4 * g;
      const VI v = set_words(four_bytes(values)), u = set_words(four_bytes(values + 16));
      for (int r = 0; r < kR; ++r) {
        VI &l = low[m][r], &h = high[m][r], &t = total[m][r];
        if constexpr (Codes::kSigned) {
          const VI p =
              _mm256_maddubs_epi16(_mm256_abs_epi8(first[r]), _mm256_sign_epi8(v, first[r]));
          const VI q =
              _mm256_maddubs_epi16(_mm256_abs_epi8(second[r]), _mm256_sign_epi8(u, second[r]));
          // 16 bits hold one sum of pairs, 32 bits all of them.
          l = g == 0 ? _mm256_madd_epi16(p, ones) : add_words(l, _mm256_madd_epi16(p, ones));
          h = g == 0 ? _mm256_madd_epi16(q, ones) : add_words(h, _mm256_madd_epi16(q, ones));
          TULOU_IN_ORDER(l);
          TULOU_IN_ORDER(h);
          if constexpr (g == 3) t = add_words(l, h);
        } else {
          constexpr bool kFirst = g % std::min(Codes::kFlush, 4) == 0;
          const VI p = _mm256_maddubs_epi16(first[r], v), q = _mm256_maddubs_epi16(second[r], u);
          l = kFirst ? p : _mm256_add_epi16(l, p);
          h = kFirst ? q : _mm256_add_epi16(h, q);
          TULOU_IN_ORDER(l);
          TULOU_IN_ORDER(h);
          if constexpr (Codes::kFlush == 8 && g == 3) {
            t = _mm256_madd_epi16(_mm256_add_epi16(l, h), ones);
          } else if constexpr (g % Codes::kFlush == Codes::kFlush - 1) {
            VI first_factor = ones, second_factor = ones;
            if constexpr (Codes::kSub) {
              first_factor = both_halves(Source::sub_scale(at, 0, row + r));
              second_factor = both_halves(Source::sub_scale(at, 1, row + r));
            }
            const VI sum =
                add_words(_mm256_madd_epi16(l, first_factor), _mm256_madd_epi16(h, second_factor));
            t = g == Codes::kFlush - 1 ? sum : add_words(t, sum);
          }
        }
      }
    }
  });
  for (int r = 0; r < kR; ++r) {
    const VI factors = offset_factors<Source>(at, row + r);
    for (int m = 0; m < kM; ++m)
      out[m][row + r] = without_offset<Codes>(total[m][r], factors, x[m], block);
  }
}

// The same for several vectors of rows whose codes are bytes already.
template <typename Source, int kM, int kR>
TULOU_INLINE void expanded_products(const typename Source::Place (&at)[kR / kPanelVectors],
                                    const QuantizedRows (&x)[kM], int64_t block, V (&out)[kM][kR]) {
  using Codes = typename Source::Codes;
  const VI ones = _mm256_set1_epi16(1);
  VI total[kM][kR], part[kM][kR];
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kR; ++r) total[m][r] = _mm256_setzero_si256();
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
              factor =
                  both_halves(Source::sub_scale(at[r / kPanelVectors], g / 4, r % kPanelVectors));
            }
            total[m][r] = add_words(total[m][r], _mm256_madd_epi16(part[m][r], factor));
          }
        }
      }
    }
  });
  for (int r = 0; r < kR; ++r) {
    const VI factors = offset_factors<Source>(at[r / kPanelVectors], r % kPanelVectors);
    for (int m = 0; m < kM; ++m)
      out[m][r] = without_offset<Codes>(total[m][r], factors, x[m], block);
  }
}

template <typename Source, int kM, int kR>
TULOU_INLINE void block_products(const typename Source::Place (&at)[kR / kPanelVectors],
                                 const QuantizedRows (&x)[kM], int64_t block, V (&out)[kM][kR]) {
  if constexpr (Source::kPacked) {
    static_assert(kR == kPanelVectors);
    // Rows side by side read a line of memory once; other types would run out of registers.
    constexpr int kAtOnce = Source::Codes::kSigned && kM == 1 ? kR : 1;
    for (int r = 0; r < kR; r += kAtOnce)
      packed_products<Source, kM, kAtOnce>(at[0], r, x, block, out);
  } else {
    expanded_products<Source, kM, kR>(at, x, block, out);
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
  const auto multiply = [&]<int g>(VI codes, int r) TULOU_LAMBDA {
    if constexpr (Codes::kSigned) codes = _mm512_xor_si512(codes, set_bytes(-128));
    for (int m = 0; m < kM; ++m) {
      VI& sum = total[kParts == 2 ? g / 4 : 0][m][r];
      sum = _mm512_dpbusd_epi32(sum, codes,
                                set_words(four_bytes(x[m].values + kBlock * block + 4 * g)));
    }
  };
  if constexpr (Source::kPacked) {
    unrolled<4>([&]<int g>() TULOU_LAMBDA {
      for (int r = 0; r < kR; ++r) {
        VI first, second;
        Source::template pair<g>(at[r], 0, first, second);
        multiply.template operator()<g>(first, r);
        multiply.template operator()<g + 4>(second, r);
      }
    });
  } else {
    unrolled<8>([&]<int g>() TULOU_LAMBDA {
      for (int r = 0; r < kR; ++r)
        multiply.template operator()<g>(Source::template codes<g>(at[r], 0), r);
    });
  }
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

// Adds a block of kP panels, which lie at `at`, to acc.
template <typename Source, int kM, int kR>
TULOU_INLINE void add_block(const typename Source::Place (&at)[kR / kPanelVectors],
                            const QuantizedRows (&x)[kM], int64_t block, V (&acc)[kM][kR]) {
  V products[kM][kR];
  block_products<Source, kM, kR>(at, x, block, products);
  for (int r = 0; r < kR; ++r) {
    const V scale = Source::scale(at[r / kPanelVectors], r % kPanelVectors);
    for (int m = 0; m < kM; ++m) {
      acc[m][r] = fma(mul(products[m][r], scale), set1(x[m].scale[block]), acc[m][r]);
      if constexpr (Source::Codes::kMin) {
        const V min = Source::min(at[r / kPanelVectors], r % kPanelVectors);
        acc[m][r] = fma(min, set1(x[m].scaled_sum[block]), acc[m][r]);
      }
    }
  }
}

// Groups of a panel that are read before the next stream has its turn: 1 to 4 KiB.
template <tensor::DType kType>
constexpr int64_t kTurnGroups = group_blocks(kType) == 2 ? 2 : 1;

// Asks for a block's share of the group that is a turn ahead: the requests are spread over the
// turn.
template <tensor::DType kType>
TULOU_INLINE void prefetch_share(const std::byte* group, int64_t b) {
  constexpr size_t kBytes = panel_layout(kType).group_bytes;
  constexpr int64_t kLines = kBytes / 64, kBlocks = group_blocks(kType);
  for (int64_t line = b * kLines / kBlocks; line < (b + 1) * kLines / kBlocks; ++line)
    prefetch_line(
        group, static_cast<size_t>(kTurnGroups<kType>) * kBytes + 64 * static_cast<size_t>(line));
}

// Adds the blocks [first, end) of a panel, a turn, to sums[m][16]; `group` holds block `first`.
template <tensor::DType kType, int kM>
TULOU_INLINE void int8_turn(const std::byte* group, int64_t first, int64_t end,
                            const QuantizedRows (&x)[kM], float* sums) {
  V acc[kM][kPanelVectors];
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kPanelVectors; ++r) acc[m][r] = load(sums + m * kPanelRows + r * kLanes);
  const auto add = [&](int64_t b) TULOU_LAMBDA {
    prefetch_share<kType>(group, b);
    const typename PackedPanel<kType>::Place at[1] = {{group, b}};
    add_block<PackedPanel<kType>, kM, kPanelVectors>(at, x, first + b, acc);
  };
  for (; first < end; first += group_blocks(kType), group += panel_layout(kType).group_bytes) {
    if constexpr (group_blocks(kType) == 2) {  // offsets that the compiler knows
      add(0);
      if (first + 1 < end) add(1);
    } else {
      for (int64_t b = 0; b < std::min(group_blocks(kType), end - first); ++b) add(b);
    }
  }
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kPanelVectors; ++r) store(sums + m * kPanelRows + r * kLanes, acc[m][r]);
}

// kM rows of x from row m on, straight from the panels: neighbours one after another, panels far
// apart side by side, some groups of each in turn.
template <int kM, tensor::DType kType>
TULOU_INLINE void int8_direct(const GemmArgs& a, int64_t m) {
  const size_t bytes = panel_bytes(kType, a.k);
  const int64_t blocks = a.k / kBlock;
  const int64_t side_by_side = a.step == 1 ? 1 : kMaxStreams;
  const int64_t turn = a.step == 1 ? blocks : kTurnGroups<kType> * group_blocks(kType);
  QuantizedRows x[kM];
  for (int i = 0; i < kM; ++i) x[i] = a.quantized.from(m + i, a.k);
  for (int64_t i = 0; i < a.count; i += side_by_side) {
    const int64_t streams = std::min(side_by_side, a.count - i);
    const std::byte* group[kMaxStreams];
    for (int64_t s = 0; s < streams; ++s)
      group[s] = a.panels + static_cast<size_t>(a.first + (i + s) * a.step) * bytes;
    std::memset(a.scratch, 0, sizeof(float) * static_cast<size_t>(streams * kM * kPanelRows));
    for (int64_t first = 0; first < blocks; first += turn) {
      const int64_t end = std::min(blocks, first + turn);
      for (int64_t s = 0; s < streams; ++s) {
        int8_turn<kType, kM>(group[s], first, end, x, a.scratch + s * kM * kPanelRows);
        group[s] += kTurnGroups<kType> * panel_layout(kType).group_bytes;
      }
    }
    for (int64_t s = 0; s < streams; ++s)
      put_panel(a, a.first + (i + s) * a.step, m, kM, a.scratch + s * kM * kPanelRows);
  }
}

// Adds `count` expanded blocks, block `first` and those after it, to sums[p][m][16].
template <tensor::DType kType, int kM, int kP>
TULOU_INLINE void int8_tile(const ExpandedBlock* const (&panels)[kP], int64_t first, int64_t count,
                            const QuantizedRows (&x)[kM], float* const (&sums)[kP]) {
  using Source = ExpandedPanel<kType>;
  constexpr int kR = kP * kPanelVectors;
  const auto sum = [&](int m, int r) TULOU_LAMBDA {
    return sums[r / kPanelVectors] + m * kPanelRows + r % kPanelVectors * kLanes;
  };
  V acc[kM][kR];
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kR; ++r) acc[m][r] = load(sum(m, r));
  for (int64_t b = 0; b < count; ++b) {
    typename Source::Place at[kP];
    for (int p = 0; p < kP; ++p) at[p] = panels[p] + b;
    add_block<Source, kM, kR>(at, x, first + b, acc);
  }
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kR; ++r) store(sum(m, r), acc[m][r]);
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
    const ExpandedBlock* source[kInt8Panels];
    for (int p = 0; p < kInt8Panels; ++p) {
      const int64_t panel = a.first + std::min(i + p, a.count - 1) * a.step;
      ExpandedBlock* here = expanded + p * kExpandedBlocks;
      for (int64_t block = begin; block < end; ++block)
        expand_block<kType>(a.panels + static_cast<size_t>(panel) * bytes, block,
                            here[block - begin]);
      source[p] = here;
    }
    int64_t t = 0;
    const auto tile = [&]<int kM>() TULOU_LAMBDA {
      QuantizedRows x[kM];
      for (int j = 0; j < kM; ++j) x[j] = a.quantized.from(m + t + j, a.k);
      float* at[kInt8Panels];
      for (int p = 0; p < kInt8Panels; ++p) at[p] = sums + (p * rows + t) * kPanelRows;
      const ExpandedBlock* const(&from)[kInt8Panels] = source;
      float* const(&to)[kInt8Panels] = at;
      int8_tile<kType, kM, kInt8Panels>(from, begin, end - begin, x, to);
    };
    for (; t + kInt8Rows <= rows; t += kInt8Rows) tile.template operator()<kInt8Rows>();
    for (; t < rows; ++t) tile.template operator()<1>();
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
