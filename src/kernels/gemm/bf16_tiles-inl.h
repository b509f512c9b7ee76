// The bf16 recipe of gemm.h: on AMX tiles, and for few rows the same sums with AVX-512. Included
// once, in the region of the level.

// Weights of two panels [block][16 pairs of k][16 rows], as tiles take them.
struct alignas(64) Bf16Slice {
  uint32_t weights[2][kSliceBlocks][kBlock / 2 * kPanelRows];
};
constexpr size_t kBf16TileBytes = sizeof(Bf16Slice);
constexpr int64_t kPairBytes = 64, kTileBytes = 1024;

TULOU_INLINE V words_as_floats(VI words) { return _mm512_castsi512_ps(words); }

// Byte t of each code as a number times `scale` plus `base`, rounded once. Codes are unsigned.
template <int t>
TULOU_INLINE V weight_floats(VI codes, V scale, V base) {
  VI code = codes;
  if constexpr (t > 0) code = bits_right<8 * t>(codes);
  if constexpr (t < 3) code = bits_and(code, set_words(255));
  return fma(words_to_floats(code), scale, base);
}

// A block of a panel of a block type as a tile of bf16.
template <tensor::DType kType>
TULOU_INLINE void expand_bf16(const std::byte* panel, int64_t block, uint32_t* out) {
  using Packed = PackedPanel<kType>;
  using Codes = typename Packed::Codes;
  const typename Packed::Place at = {group_of(kType, panel, block), block % group_blocks(kType)};
  V scale[2], base[2];
  for (int half = 0; half < 2; ++half) {
    scale[half] = Packed::scale(at, 0);
    if constexpr (Codes::kSub)
      scale[half] = mul(scale[half], words_to_floats(Packed::sub_scale(at, half, 0)));
    constexpr float kOffset = Codes::kSigned ? 128 : Codes::kOffset;
    base[half] = mul(scale[half], set1(-kOffset));
    if constexpr (Codes::kMin) base[half] = Packed::min(at, 0);
  }
  unrolled<4>([&]<int g>() TULOU_LAMBDA {
    VI codes[2];
    Packed::template pair<g>(at, 0, codes[0], codes[1]);
    for (int half = 0; half < 2; ++half) {
      if constexpr (Codes::kSigned) codes[half] = _mm512_xor_si512(codes[half], set_bytes(-128));
      uint32_t* to = out + (8 * half + 2 * g) * kPanelRows;
      store_bytes(
          to, interleave_halves(to_bf16(weight_floats<0>(codes[half], scale[half], base[half]),
                                        weight_floats<1>(codes[half], scale[half], base[half]))));
      store_bytes(to + kPanelRows, interleave_halves(to_bf16(
                                       weight_floats<2>(codes[half], scale[half], base[half]),
                                       weight_floats<3>(codes[half], scale[half], base[half]))));
    }
  });
}

// Blocks [begin, end) of a panel as tiles, one after the other: where they lie, or in `out`.
TULOU_INLINE const std::byte* bf16_tiles_of(const GemmArgs& a, int64_t panel, int64_t begin,
                                            int64_t end, uint32_t* out) {
  const std::byte* from = a.panels + static_cast<size_t>(panel) * panel_bytes(a.type, a.k);
  if (a.type == tensor::DType::kBF16) {
    const int64_t left = (a.k + 1) / 2 * kPairBytes - begin * kTileBytes;
    const int64_t wanted = (end - begin) * kTileBytes;
    if (wanted <= left) return from + begin * kTileBytes;
    std::memcpy(out, from + begin * kTileBytes, static_cast<size_t>(left));
    std::memset(reinterpret_cast<std::byte*>(out) + left, 0, static_cast<size_t>(wanted - left));
  } else {
    with_block_type(a.type, [&]<tensor::DType kType>() {
      for (int64_t block = begin; block < end; ++block)
        expand_bf16<kType>(from, block, out + (block - begin) * (kTileBytes / 4));
    });
  }
  return reinterpret_cast<const std::byte*>(out);
}

// Asks for a tile of x: it lies in the second-level cache.
TULOU_INLINE void prefetch_tile(const uint16_t* tile) {
  for (size_t i = 0; i < kTileBytes; i += 64)
    prefetch_line(reinterpret_cast<const std::byte*>(tile), i);
}

// Blocks [0, blocks) of kT row tiles, x_tile values apart, and two panels, to their sums.
template <int kT>
TULOU_INLINE void multiply_bf16(const uint16_t* x, int64_t x_tile,
                                const std::byte* const (&weights)[2], int64_t blocks,
                                float* const (&sums)[2]) {
  tile_load<0>(sums[0], 64);
  tile_load<1>(sums[1], 64);
  if constexpr (kT == 2) tile_load<2>(sums[0] + kTileRows * kPanelRows, 64);
  if constexpr (kT == 2) tile_load<3>(sums[1] + kTileRows * kPanelRows, 64);
  for (int64_t block = 0; block < blocks; ++block) {
    const uint16_t* from = x + block * kTileRows * kBlock;
    tile_load<4>(from, 64);
    tile_load<6>(weights[0] + block * kTileBytes, 64);
    prefetch_tile(from + 2 * kTileRows * kBlock);
    tile_dpbf16ps<0, 4, 6>();
    tile_load<7>(weights[1] + block * kTileBytes, 64);
    tile_dpbf16ps<1, 4, 7>();
    if constexpr (kT == 2) {
      tile_load<5>(from + x_tile, 64);
      prefetch_tile(from + x_tile + 2 * kTileRows * kBlock);
      tile_dpbf16ps<2, 5, 6>();
      tile_dpbf16ps<3, 5, 7>();
    }
  }
  tile_store<0>(sums[0], 64);
  tile_store<1>(sums[1], 64);
  if constexpr (kT == 2) tile_store<2>(sums[0] + kTileRows * kPanelRows, 64);
  if constexpr (kT == 2) tile_store<3>(sums[1] + kTileRows * kPanelRows, 64);
}

TULOU_RARE void bf16_slice(const GemmArgs& a, const TilePiece& piece, int64_t i, int64_t begin,
                           int64_t end) {
  auto& slice = *reinterpret_cast<Bf16Slice*>(a.scratch + kSumFloats);
  const std::byte* weights[2];
  for (int p = 0; p < 2; ++p)
    weights[p] = bf16_tiles_of(a, piece.panel(a, i + p), begin, end, slice.weights[p][0]);
  const int64_t x_tile = (a.k + kBlock - 1) / kBlock * kTileRows * kBlock;
  for (int64_t tile = 0; tile < piece.row_tiles(); tile += 2) {
    const uint16_t* x =
        a.rounded.from(piece.m + tile * kTileRows, a.k).values + begin * kTileRows * kBlock;
    const int64_t at = tile * kTileRows * kPanelRows;
    float* const sums[2] = {piece.sums(a, i) + at, piece.sums(a, i + 1) + at};
    if (tile + 1 < piece.row_tiles()) {
      multiply_bf16<2>(x, x_tile, weights, end - begin, sums);
    } else {
      multiply_bf16<1>(x, x_tile, weights, end - begin, sums);
    }
  }
}

// The sums [panel][kM][16] of kM rows of x and kP panels from panel i of the call on.
template <int kM, int kP>
TULOU_RARE void bf16_sums(const GemmArgs& a, int64_t m, int64_t i, float* sums) {
  const int64_t blocks = (a.k + kBlock - 1) / kBlock, pairs = (a.k + 1) / 2;
  const uint16_t* x = a.rounded.from(m, a.k).values;
  const std::byte* panels[kP];
  for (int p = 0; p < kP; ++p)
    panels[p] = a.panels + static_cast<size_t>(a.first + std::min(i + p, a.count - 1) * a.step) *
                               panel_bytes(a.type, a.k);
  V acc[kM][kP];
  for (int r = 0; r < kM; ++r)
    for (int p = 0; p < kP; ++p) acc[r][p] = zero();
  for (int64_t block = 0; block < blocks; ++block) {
    V even[kM][kP], odd[kM][kP];
    for (int r = 0; r < kM; ++r)
      for (int p = 0; p < kP; ++p) even[r][p] = odd[r][p] = zero();
    const int64_t end = std::min(pairs, (block + 1) * kBlock / 2);
    for (int64_t pair = block * kBlock / 2; pair < end; ++pair) {
      V low[kP], high[kP];
      for (int p = 0; p < kP; ++p) {
        const auto* words = reinterpret_cast<const uint32_t*>(panels[p] + pair * kPairBytes);
        prefetch_line(panels[p], static_cast<size_t>(pair * kPairBytes + 4096));
        low[p] = bf16_low(words);
        high[p] = bf16_high(words);
      }
      for (int r = 0; r < kM; ++r) {
        int32_t both;
        std::memcpy(&both, x + (r * blocks * kBlock + 2 * pair), sizeof both);
        const VI word = set_words(both);
        const V x_low = words_as_floats(bits_left<16>(word));
        const V x_high = words_as_floats(bits_and(word, set_words(-65536)));
        for (int p = 0; p < kP; ++p) {
          even[r][p] = fma(low[p], x_low, even[r][p]);
          odd[r][p] = fma(high[p], x_high, odd[r][p]);
        }
      }
    }
    for (int r = 0; r < kM; ++r)
      for (int p = 0; p < kP; ++p) acc[r][p] = add(acc[r][p], add(even[r][p], odd[r][p]));
  }
  for (int p = 0; p < kP; ++p)
    for (int r = 0; r < kM; ++r) store(sums + (p * kM + r) * kPanelRows, acc[r][p]);
}

// kM rows of x from row m on, straight from the panels, some of them side by side.
template <int kM>
TULOU_INLINE void bf16_direct(const GemmArgs& a, int64_t m) {
  constexpr int kP = kM == 1 ? 4 : 2;
  for (int64_t i = 0; i < a.count; i += kP) {
    // Tiles neither take nor give denormal numbers. The sums are a function of their own, so that
    // none of its instructions can move out of here.
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);  // flush to zero, denormals are zero
    bf16_sums<kM, kP>(a, m, i, a.scratch);
    _mm_setcsr(mode);
    for (int64_t p = 0; p < std::min<int64_t>(kP, a.count - i); ++p)
      put_panel(a, a.first + (i + p) * a.step, m, kM, a.scratch + p * kM * kPanelRows);
  }
}

TULOU_INLINE void bf16_gemm(const GemmArgs& a) {
  if (a.m <= kDirectRows) {
    DCHECK(a.type == tensor::DType::kBF16 && a.rounded.tile_rows == 1);
    int64_t m = 0;
    for (; m + 2 <= a.m; m += 2) bf16_direct<2>(a, m);
    for (; m < a.m; ++m) bf16_direct<1>(a, m);
    return;
  }
  DCHECK(a.rounded.tile_rows == kTileRows);
  configure_tiles(64);
  for_slices(a, [&](const TilePiece& piece, int64_t i, int64_t begin, int64_t end) {
    bf16_slice(a, piece, i, begin, end);
  });
  tile_release();
}
