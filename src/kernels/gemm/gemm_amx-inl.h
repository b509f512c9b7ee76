// The kernels of gemm.h that AMX has of its own: products of more than kDirectRows rows with int8,
// and all of the bf16 recipe. The rest are the AVX-512 kernels. Included once, in the region of the
// level, by gemm.cpp.

#include "kernels/gemm/block-inl.h"
#include "kernels/gemm/float-inl.h"
#include "kernels/gemm/int8_codes-inl.h"
#include "kernels/gemm/tiles-inl.h"

constexpr int64_t kTileRows = 16;
// What a slice of weights is multiplied with before the next one is looked at. The slice is read
// from memory and expanded once for these rows, and their slice of x (256 KiB in int8, 512 in bf16)
// and their sums (512 KiB) stay in the 2 MiB of the second-level cache.
constexpr int64_t kSliceBlocks = 16, kSliceRows = 512, kSlicePanels = 16;
constexpr int64_t kSumFloats = kSlicePanels * kSliceRows * kPanelRows;

// Tiles 0 to 3 are sums [16][16], of two row tiles (2 i) and two panels (+ p); 4 and 5 hold rows of
// x, 6 and 7 panels. All have 16 rows of x: what is missing at the end is in memory, if not in y.
TULOU_INLINE void configure_tiles(int64_t x_bytes) {
  TileConfig config;
  for (int t = 0; t < 8; ++t) {
    config.rows[t] = static_cast<uint8_t>(t < 6 ? kTileRows : x_bytes / 4);
    config.row_bytes[t] = static_cast<uint16_t>(t == 4 || t == 5 ? x_bytes : 64);
  }
  tile_configure(config);
}

// One piece of a call: some panels, some rows.
struct TilePiece {
  int64_t first, panels;  // of the call's panels
  int64_t m, rows;
  int64_t row_tiles() const { return (rows + kTileRows - 1) / kTileRows; }
  // Sums [row tiles * 16][16] of panel i of the piece.
  float* sums(const GemmArgs& a, int64_t i) const {
    return a.scratch + i * row_tiles() * kTileRows * kPanelRows;
  }
  // Panel i of the piece; behind the last one that one again, for tiles come in pairs.
  int64_t panel(const GemmArgs& a, int64_t i) const {
    return a.first + (first + std::min(i, panels - 1)) * a.step;
  }
};

// Calls slice(piece, i, begin, end) for each pair of panels (i, i + 1) of a piece and each slice of
// blocks, and writes the sums to y.
template <typename F>
TULOU_INLINE void for_slices(const GemmArgs& a, const F& slice) {
  const int64_t blocks = (a.k + kBlock - 1) / kBlock;
  for (int64_t m = 0; m < a.m; m += kSliceRows) {
    for (int64_t first = 0; first < a.count; first += kSlicePanels) {
      const TilePiece piece = {first, std::min(kSlicePanels, a.count - first), m,
                               std::min(kSliceRows, a.m - m)};
      std::memset(a.scratch, 0,
                  static_cast<size_t>(piece.sums(a, (piece.panels + 1) / 2 * 2) - a.scratch) *
                      sizeof(float));
      for (int64_t begin = 0; begin < blocks; begin += kSliceBlocks) {
        for (int64_t i = 0; i < piece.panels; i += 2)
          slice(piece, i, begin, std::min(blocks, begin + kSliceBlocks));
      }
      for (int64_t i = 0; i < piece.panels; ++i)
        put_panel(a, piece.panel(a, i), m, piece.rows, piece.sums(a, i));
    }
  }
}

#include "kernels/gemm/bf16_tiles-inl.h"
#include "kernels/gemm/int8_tiles-inl.h"

constexpr int64_t kScratch =
    kSumFloats + static_cast<int64_t>(std::max(kInt8TileBytes, kBf16TileBytes) / sizeof(float));

void gemm(const GemmArgs& a) {
  if (a.rounded.values != nullptr) return bf16_gemm(a);
  if (a.quantized.values == nullptr || a.m <= kDirectRows) return avx512::gemm(a);
  DCHECK(a.quantized.tile_rows == kTileRows);
  with_block_type(a.type, [&]<tensor::DType kType>() { int8_tiles<kType>(a); });
}

void round(const float* x, int64_t k, const RoundedRows& row) {
  for (int64_t b = 0; b * kBlock < k; ++b) {
    const float* from = x + b * kBlock;
    alignas(64) float filled[kBlock] = {};
    if (const int64_t left = k - b * kBlock; left < kBlock) {
      for (int64_t i = 0; i < left; ++i) filled[i] = from[i];
      from = filled;
    }
    store_bytes(row.values + b * row.tile_rows * kBlock, to_bf16(load(from), load(from + kLanes)));
  }
}
