// AMX tiles in plain code, for the test program kernels_avx512_emulated: the pseudo-code of the
// Intel SDM, volume 2, with the state that a thread has.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "tensor/float16.h"

namespace tulou::kernels::emulated {

inline constexpr int kTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  alignas(64) unsigned char data[kMaxRows][kMaxRowBytes] = {};
};
struct TileState {
  bool configured = false;
  Tile tiles[kTiles];
};
inline thread_local TileState tile_state;

// LDTILECFG of palette 1: all tiles become 0. A bad configuration is a general protection fault.
inline void configure(const uint16_t* row_bytes, const uint8_t* rows) {
  tile_state = {};
  tile_state.configured = true;
  for (int t = 0; t < 16; ++t) {
    ASSERT((rows[t] == 0) == (row_bytes[t] == 0));
    ASSERT(t < kTiles || rows[t] == 0);
    ASSERT(rows[t] <= kMaxRows && row_bytes[t] <= kMaxRowBytes);
    if (t < kTiles)
      tile_state.tiles[t].rows = rows[t], tile_state.tiles[t].row_bytes = row_bytes[t];
  }
}

inline void release() { tile_state = {}; }

// A tile that is not configured is an undefined instruction.
inline Tile& tile(int t) {
  ASSERT(tile_state.configured && tile_state.tiles[t].rows > 0);
  return tile_state.tiles[t];
}

inline void zero(int t) { std::memset(tile(t).data, 0, sizeof Tile::data); }

inline void load(int t, const void* from, int64_t stride) {
  zero(t);
  for (int i = 0; i < tile(t).rows; ++i)
    std::memcpy(tile(t).data[i], static_cast<const char*>(from) + i * stride,
                static_cast<size_t>(tile(t).row_bytes));
}

inline void store(int t, void* to, int64_t stride) {
  for (int i = 0; i < tile(t).rows; ++i)
    std::memcpy(static_cast<char*>(to) + i * stride, tile(t).data[i],
                static_cast<size_t>(tile(t).row_bytes));
}

// Both products: shapes that do not fit are an undefined instruction.
inline void check_shapes(const Tile& sum, const Tile& a, const Tile& b) {
  ASSERT(sum.rows == a.rows && sum.row_bytes == b.row_bytes && a.row_bytes == 4 * b.rows);
}

inline void dpbssd(int sum, int a, int b) {
  Tile &c = tile(sum), &x = tile(a), &w = tile(b);
  check_shapes(c, x, w);
  for (int m = 0; m < c.rows; ++m) {
    int32_t total[16];
    std::memcpy(total, c.data[m], sizeof total);
    for (int k = 0; k < w.rows; ++k) {
      for (int n = 0; n < c.row_bytes / 4; ++n) {
        for (int i = 0; i < 4; ++i)
          total[n] +=
              static_cast<int8_t>(x.data[m][4 * k + i]) * static_cast<int8_t>(w.data[k][4 * n + i]);
      }
    }
    std::memcpy(c.data[m], total, static_cast<size_t>(c.row_bytes));
  }
}

// Denormal numbers are taken and given as 0.
inline float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// x is one of 32 bf16 of a row of a tile.
inline float bf16_at(const unsigned char* row, int i) {
  uint16_t half;
  std::memcpy(&half, row + 2 * i, sizeof half);
  return flushed(tensor::bf16_to_float(half));
}

// The product of two bf16 has 16 bits, so that it is exact and the sum as good as fused, but for
// products too small for a normal number.
inline void dpbf16ps(int sum, int a, int b) {
  Tile &c = tile(sum), &x = tile(a), &w = tile(b);
  check_shapes(c, x, w);
  for (int m = 0; m < c.rows; ++m) {
    float chains[32] = {}, total[16];
    for (int k = 0; k < w.rows; ++k) {
      const float even = bf16_at(x.data[m], 2 * k), odd = bf16_at(x.data[m], 2 * k + 1);
      for (int n = 0; n < c.row_bytes / 4; ++n) {
        float &first = chains[2 * n], &second = chains[2 * n + 1];
        first = flushed(first + flushed(even * bf16_at(w.data[k], 2 * n)));
        second = flushed(second + flushed(odd * bf16_at(w.data[k], 2 * n + 1)));
      }
    }
    std::memcpy(total, c.data[m], sizeof total);
    for (int n = 0; n < c.row_bytes / 4; ++n)
      total[n] = flushed(flushed(total[n]) + flushed(chains[2 * n] + chains[2 * n + 1]));
    std::memcpy(c.data[m], total, static_cast<size_t>(c.row_bytes));
  }
}

}  // namespace tulou::kernels::emulated
