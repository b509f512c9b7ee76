// The int8 recipe of gemm.h on AMX tiles, with the bits that int8_tile of int8-inl.h has: tiles
// give the exact sums of products of a block, AVX-512 scales them and adds them in the same order.
//
// Scaling costs more than the products: 3 operations for each 16 sums, 24 cycles a tile with two
// ports, against 16 of the tile unit. So it is the scaling that is kept short. The fp32 sums of a
// tile stay in 16 registers for 4 products, and each step of the loop holds the products of one
// block and the scaling of earlier ones, which do not wait for each other.

// Products whose sums are kept until they are scaled: [unit][tile][16][16].
constexpr int64_t kUnits = 4, kTileSums = kTileRows * kPanelRows;

// A unit is what one product takes: a block, or half of one where a block has two sub-scales.
template <tensor::DType kType>
constexpr int64_t kParts = CodesOf<kType>::kSub ? 2 : 1;
template <tensor::DType kType>
constexpr int64_t kUnitValues = kBlock / kParts<kType>;

struct alignas(64) Int8Slice {
  ExpandedBlock weights[2][kSliceBlocks];
  int32_t products[2][kUnits * 4 * kTileSums];
};
constexpr size_t kInt8TileBytes = sizeof(Int8Slice);

// Up to kUnits units of one or two row tiles and two panels.
struct TileGroup {
  int64_t units = 0, row_tiles = 0;
  QuantizedRows x;          // of the first row tile, at the first block
  int64_t tile_blocks = 0;  // from a row tile to the next one
  const ExpandedBlock* weights[2] = {};
  float* sums[2] = {};  // of each panel, [row tiles * 16][16]
};

// The products of unit u, to products[u].
template <tensor::DType kType>
TULOU_INLINE void multiply_unit(const TileGroup& group, int64_t u, int32_t* products) {
  const int64_t block = u / kParts<kType>, part = u % kParts<kType>;
  const int8_t* x = group.x.values + block * kTileRows * kBlock + part * kUnitValues<kType>;
  const int64_t codes = part * kUnitValues<kType> * kPanelRows;
  int32_t* to = products + u * 4 * kTileSums;
  tile_zero<0>();
  tile_zero<1>();
  tile_load<4>(x, kBlock);
  tile_load<6>(group.weights[0][block].codes + codes, 64);
  tile_dpbssd<0, 4, 6>();
  tile_load<7>(group.weights[1][block].codes + codes, 64);
  tile_dpbssd<1, 4, 7>();
  tile_store<0>(to, 64);
  tile_store<1>(to + kTileSums, 64);
  if (group.row_tiles == 1) return;
  tile_zero<2>();
  tile_zero<3>();
  tile_load<5>(x + group.tile_blocks * kBlock, kBlock);
  tile_dpbssd<2, 5, 6>();
  tile_dpbssd<3, 5, 7>();
  tile_store<2>(to + 2 * kTileSums, 64);
  tile_store<3>(to + 3 * kTileSums, 64);
}

// Adds the products of all units in tile t of the group to its sums.
template <tensor::DType kType>
TULOU_INLINE void scale_tile(const TileGroup& group, int64_t t, const int32_t* products) {
  using Codes = CodesOf<kType>;
  float* sums = group.sums[t % 2] + t / 2 * kTileSums;
  const ExpandedBlock* weights = group.weights[t % 2];
  const float* x_scale = group.x.scale + t / 2 * group.tile_blocks;
  const float* x_sum = group.x.scaled_sum + t / 2 * group.tile_blocks;
  V acc[kTileRows];
  unrolled<kTileRows>([&]<int m>() TULOU_LAMBDA { acc[m] = load(sums + m * kPanelRows); });
  for (int64_t block = 0; block < group.units / kParts<kType>; ++block) {
    const ExpandedBlock& w = weights[block];
    const int32_t* from = products + (kParts<kType> * block * 4 + t) * kTileSums;
    const V scale = load(w.scale);
    unrolled<kTileRows>([&]<int m>() TULOU_LAMBDA {
      V value = words_to_floats(load_bytes(from + m * kPanelRows));
      if constexpr (Codes::kSub) {  // exact: |I| <= 2^24
        value = mul(value, words_to_floats(load_bytes(w.sub_scale[0])));
        value = fma(words_to_floats(load_bytes(from + 4 * kTileSums + m * kPanelRows)),
                    words_to_floats(load_bytes(w.sub_scale[1])), value);
      }
      acc[m] = fma(mul(value, scale), set1(x_scale[block * kTileRows + m]), acc[m]);
      if constexpr (Codes::kMin)
        acc[m] = fma(load(w.min), set1(x_sum[block * kTileRows + m]), acc[m]);
    });
  }
  unrolled<kTileRows>([&]<int m>() TULOU_LAMBDA { store(sums + m * kPanelRows, acc[m]); });
}

// Blocks [begin, end) of panels i and i + 1 of a piece with all of its rows.
template <tensor::DType kType>
TULOU_RARE void int8_slice(const GemmArgs& a, const TilePiece& piece, int64_t i, int64_t begin,
                           int64_t end) {
  auto& slice = *reinterpret_cast<Int8Slice*>(a.scratch + kSumFloats);
  for (int p = 0; p < 2; ++p) {
    const std::byte* panel =
        a.panels + static_cast<size_t>(piece.panel(a, i + p)) * panel_bytes(kType, a.k);
    for (int64_t block = begin; block < end; ++block)
      expand_block<kType, true>(panel, block, slice.weights[p][block - begin]);
  }
  TileGroup scaled;  // the group before: its products wait to be scaled
  int64_t turn = 0;
  const auto step = [&](const TileGroup& next) TULOU_LAMBDA {
    for (int64_t t = 0; t < kUnits; ++t) {
      if (t < next.units) multiply_unit<kType>(next, t, slice.products[turn]);
      if (t < 2 * scaled.row_tiles) scale_tile<kType>(scaled, t, slice.products[1 - turn]);
    }
    scaled = next;
    turn = 1 - turn;
  };
  constexpr int64_t kBlocks = kUnits / kParts<kType>;
  const int64_t tiles = piece.row_tiles(), blocks = end - begin;
  const int64_t groups = (blocks + kBlocks - 1) / kBlocks;
  // One step more than there are groups: it only scales.
  for (int64_t g = 0; g <= (tiles + 1) / 2 * groups; ++g) {
    const int64_t tile = g / groups * 2, block = g % groups * kBlocks;
    TileGroup next;
    if (tile < tiles) {
      next.units = std::min(kBlocks, blocks - block) * kParts<kType>;
      next.row_tiles = std::min<int64_t>(2, tiles - tile);
      next.tile_blocks = a.k / kBlock * kTileRows;
      next.x = a.quantized.from(piece.m + tile * kTileRows, a.k);
      const int64_t at = (begin + block) * kTileRows;
      next.x.values += at * kBlock;
      next.x.scale += at;
      next.x.scaled_sum += at;
      for (int p = 0; p < 2; ++p) {
        next.weights[p] = slice.weights[p] + block;
        next.sums[p] = piece.sums(a, i + p) + tile * kTileSums;
      }
    }
    step(next);
  }
}

template <tensor::DType kType>
TULOU_RARE void int8_tiles(const GemmArgs& a) {
  configure_tiles(kUnitValues<kType>);
  for_slices(a, [&](const TilePiece& piece, int64_t i, int64_t begin, int64_t end) {
    int8_slice<kType>(a, piece, i, begin, end);
  });
  tile_release();
}
