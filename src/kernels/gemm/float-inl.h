// The fp32 recipe of gemm.h. Included once a level.

constexpr int kPanelVectors = static_cast<int>(kPanelRows / kLanes);
// Values of a panel that are read before the next stream has its turn.
constexpr int64_t kStreamValues = 64;

// kP panels of one plain type: get(k, r) is a vector of weights at k, r counting vectors of rows
// over all panels.
template <tensor::DType kType>
struct PlainPanels {
  const std::byte* panel[2];
  // Asks for what values k and k + 1 take, kStreamValues ahead: what the stream reads at its next
  // turn.
  TULOU_INLINE void prefetch(const PlainPanels& source, int panels, int64_t k) {
    constexpr size_t kBytes = kType == tensor::DType::kF32 ? 64 : 32;
    for (int p = 0; p < panels; ++p) {
      for (size_t i = 0; i < 2 * kBytes; i += 64)
        prefetch_line(source.panel[p], static_cast<size_t>(k + kStreamValues) * kBytes + i);
    }
  }
  TULOU_INLINE V get(const PlainPanels& p, int64_t k, int r) {
    using tensor::DType;
    const std::byte* from = p.panel[r / kPanelVectors];
    const int64_t row = r % kPanelVectors * kLanes;
    if constexpr (kType == DType::kF32) {
      return load(reinterpret_cast<const float*>(from) + kPanelRows * k + row);
    } else if constexpr (kType == DType::kF16) {
      return load_f16(reinterpret_cast<const uint16_t*>(from) + kPanelRows * k + row);
    } else {
      const auto* pairs = reinterpret_cast<const uint32_t*>(from) + k / 2 * kPanelRows + row;
      return k % 2 == 0 ? bf16_low(pairs) : bf16_high(pairs);
    }
  }
};

// The products of k in [begin, end) for sums[p][m][16]; x is row 0 at k = 0. Either they are a
// whole slice, whose chain is added to the sums, or (kPart) they go on with the chain that the sums
// are.
template <int kM, int kP, bool kPart, typename Source>
TULOU_INLINE void float_tile(const Source& source, int64_t begin, int64_t end, const float* x,
                             int64_t x_stride, float* const* sums) {
  constexpr int kR = kP * kPanelVectors;
  const auto sum = [&](int m, int r) TULOU_LAMBDA {
    return sums[r / kPanelVectors] + m * kPanelRows + r % kPanelVectors * kLanes;
  };
  V acc[kM][kR];
  for (int m = 0; m < kM; ++m)
    for (int r = 0; r < kR; ++r) acc[m][r] = kPart ? load(sum(m, r)) : zero();
  const auto step = [&](int64_t k) TULOU_LAMBDA {
    V w[kR];
    for (int r = 0; r < kR; ++r) w[r] = Source::get(source, k, r);
    for (int m = 0; m < kM; ++m) {
      const V xk = set1(x[m * x_stride + k]);
      for (int r = 0; r < kR; ++r) acc[m][r] = fma(w[r], xk, acc[m][r]);
    }
  };
  int64_t k = begin;
  for (; k + 2 <= end; k += 2) {
    Source::prefetch(source, kP, k);
    step(k);
    step(k + 1);
  }
  if (k < end) step(k);
  for (int m = 0; m < kM; ++m) {
    for (int r = 0; r < kR; ++r)
      store(sum(m, r), kPart ? acc[m][r] : add(load(sum(m, r)), acc[m][r]));
  }
}

// Writes the sums [m][16] of a panel to y: then the bias, then what is there.
TULOU_INLINE void put_panel(const GemmArgs& a, int64_t panel, int64_t m, int64_t rows,
                            const float* sums) {
  const int64_t n = panel * kPanelRows;
  const int64_t width = std::min(kPanelRows, a.n - n);
  for (int64_t i = 0; i < rows; ++i) {
    float* y = a.y + (m + i) * a.y_stride + n;
    for_lanes(width, [&](int64_t c, int64_t count) TULOU_LAMBDA {
      V value = load(sums + i * kPanelRows + c);
      if (a.bias != nullptr) value = add(value, load_some(a.bias + n + c, count));
      if (a.accumulate) value = add(load_some(y + c, count), value);
      store_some(y + c, value, count);
    });
  }
}

// kM rows of x from row m on, straight from the panels: all panels of the call side by side.
template <int kM, tensor::DType kType>
TULOU_INLINE void float_direct(const GemmArgs& a, int64_t m) {
  constexpr int kP = kM == 1 ? 2 : 1;
  constexpr int64_t kSums = kM * kPanelRows;
  const size_t bytes = panel_bytes(kType, a.k);
  const float* x = a.x + m * a.x_stride;
  float* sums = a.scratch;
  float* chains = sums + kMaxStreams * kSums;
  for (int64_t i = 0; i < a.count; i += kMaxStreams) {
    const int64_t streams = std::min(kMaxStreams, a.count - i);
    std::fill_n(sums, streams * kSums, 0.0f);
    for (int64_t slice = 0; slice < a.k; slice += kFloatDepth) {
      std::fill_n(chains, streams * kSums, 0.0f);
      const int64_t slice_end = std::min(a.k, slice + kFloatDepth);
      for (int64_t k = slice; k < slice_end; k += kStreamValues) {
        const int64_t end = std::min(slice_end, k + kStreamValues);
        for (int64_t s = 0; s < streams; s += kP) {
          PlainPanels<kType> source{};
          float* to[kP];
          for (int p = 0; p < kP; ++p) {
            // The last one of an odd number is done twice, the second time beside itself.
            const int64_t stream = std::min(s + p, streams - 1);
            source.panel[p] =
                a.panels + static_cast<size_t>(a.first + (i + stream) * a.step) * bytes;
            to[p] = chains + (s + p) * kSums;
          }
          float_tile<kM, kP, true>(source, k, end, x, a.x_stride, to);
        }
      }
      for (int64_t j = 0; j < streams * kSums; ++j) sums[j] += chains[j];
    }
    for (int64_t s = 0; s < streams; ++s)
      put_panel(a, a.first + (i + s) * a.step, m, kM, sums + s * kSums);
  }
}

// Weights [k - begin][16] of one panel for k in [begin, end).
TULOU_INLINE void expand_floats(tensor::DType type, const std::byte* panel, int64_t begin,
                                int64_t end, float* out) {
  using tensor::DType;
  const auto plain = [&]<DType kType>() TULOU_LAMBDA {
    const PlainPanels<kType> source = {{panel, panel}};
    for (int64_t k = begin; k < end; ++k) {
      for (int r = 0; r < kPanelVectors; ++r)
        store(out + (k - begin) * kPanelRows + r * kLanes, PlainPanels<kType>::get(source, k, r));
    }
  };
  if (type == DType::kF32) return plain.template operator()<DType::kF32>();
  if (type == DType::kF16) return plain.template operator()<DType::kF16>();
  if (type == DType::kBF16) return plain.template operator()<DType::kBF16>();
  with_block_type(type, [&]<DType kType>() {
    for (int64_t k = begin; k < end; k += kBlock)
      block_floats<kType>(panel, k / kBlock, out + (k - begin) * kPanelRows);
  });
}

struct ExpandedFloats {
  const float* weights;  // [k - begin][16] of the first panel, the second kFloatDepth * 16 behind
  int64_t begin;
  TULOU_INLINE void prefetch(const ExpandedFloats&, int, int64_t) {}
  TULOU_INLINE V get(const ExpandedFloats& e, int64_t k, int r) {
    return load(e.weights + r / kPanelVectors * kFloatDepth * kPanelRows +
                (k - e.begin) * kPanelRows + r % kPanelVectors * kLanes);
  }
};

// Panels side by side and rows of x in a tile: what fits the registers.
constexpr int kFloatPanels = TULOU_SIMD == 3 ? 2 : 1;
constexpr int kFloatRows = TULOU_SIMD == 3 ? 12 : TULOU_SIMD == 2 ? 6 : 4;

// Rows [m, m + rows) of x against up to kFloatPanels panels, expanded slice by slice.
TULOU_INLINE void float_expanded(const GemmArgs& a, int64_t i, int64_t m, int64_t rows) {
  float* weights = a.scratch;
  float* sums = weights + kFloatPanels * kFloatDepth * kPanelRows;
  const size_t bytes = panel_bytes(a.type, a.k);
  std::memset(sums, 0, sizeof(float) * static_cast<size_t>(kFloatPanels * rows * kPanelRows));
  int64_t panels[kFloatPanels];
  for (int p = 0; p < kFloatPanels; ++p)
    panels[p] = a.first + std::min(i + p, a.count - 1) * a.step;
  for (int64_t k = 0; k < a.k; k += kFloatDepth) {
    const int64_t end = std::min(a.k, k + kFloatDepth);
    for (int p = 0; p < kFloatPanels; ++p)
      expand_floats(a.type, a.panels + static_cast<size_t>(panels[p]) * bytes, k, end,
                    weights + p * kFloatDepth * kPanelRows);
    const ExpandedFloats source = {weights, k};
    const float* x = a.x + m * a.x_stride;
    int64_t t = 0;
    const auto tile = [&]<int kM>() TULOU_LAMBDA {
      float* at[kFloatPanels];
      for (int p = 0; p < kFloatPanels; ++p) at[p] = sums + (p * rows + t) * kPanelRows;
      float_tile<kM, kFloatPanels, false>(source, k, end, x + t * a.x_stride, a.x_stride, at);
      t += kM;
    };
    while (t + kFloatRows <= rows) tile.template operator()<kFloatRows>();
    while (t + 2 <= rows) tile.template operator()<2>();
    while (t < rows) tile.template operator()<1>();
  }
  for (int p = 0; p < kFloatPanels && i + p < a.count; ++p)
    put_panel(a, panels[p], m, rows, sums + p * rows * kPanelRows);
}

TULOU_INLINE void float_gemm(const GemmArgs& a) {
  using tensor::DType;
  if (a.m <= kDirectRows) {
    const auto direct = [&]<DType kType>() TULOU_LAMBDA {
      int64_t m = 0;
      for (; m + 2 <= a.m; m += 2) float_direct<2, kType>(a, m);
      for (; m < a.m; ++m) float_direct<1, kType>(a, m);
    };
    if (a.type == DType::kF32) return direct.template operator()<DType::kF32>();
    if (a.type == DType::kF16) return direct.template operator()<DType::kF16>();
    if (a.type == DType::kBF16) return direct.template operator()<DType::kBF16>();
  }
  for (int64_t m = 0; m < a.m; m += kGemmTokens) {
    for (int64_t i = 0; i < a.count; i += kFloatPanels)
      float_expanded(a, i, m, std::min(kGemmTokens, a.m - m));
  }
}
