// The AMX tile instructions as functions (Intel SDM volume 2). Included once, in the region of the
// level; a test program has plain code in their place (tiles_emulated.h).
//
// Own assembly, because GCC 12's intrinsics do not tell the compiler what they do with memory:
// _tile_loadconfig declares 8 of the 64 bytes as read, loads and stores of tiles none.

// What LDTILECFG reads: rows and bytes a row of each tile.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

#if defined(TULOU_EMULATE_AVX512)

TULOU_INLINE void tile_configure(const TileConfig& config) {
  emulated::configure(config.row_bytes, config.rows);
}
TULOU_INLINE void tile_release() { emulated::release(); }
template <int kTile>
TULOU_INLINE void tile_zero() {
  emulated::zero(kTile);
}
template <int kTile>
TULOU_INLINE void tile_load(const void* from, int64_t stride) {
  emulated::load(kTile, from, stride);
}
template <int kTile>
TULOU_INLINE void tile_store(void* to, int64_t stride) {
  emulated::store(kTile, to, stride);
}
template <int kSum, int kA, int kB>
TULOU_INLINE void tile_dpbssd() {
  emulated::dpbssd(kSum, kA, kB);
}
template <int kSum, int kA, int kB>
TULOU_INLINE void tile_dpbf16ps() {
  emulated::dpbf16ps(kSum, kA, kB);
}
// 32 bf16: of `low`, then of `high`, to nearest even.
TULOU_INLINE VI to_bf16(V low, V high) {
  float values[32];
  store(values, low);
  store(values + 16, high);
  uint16_t rounded[32];
  for (int i = 0; i < 32; ++i) rounded[i] = tensor::float_to_bf16(values[i]);
  return load_bytes(rounded);
}
// Word r: value r of `halves` below value 16 + r.
TULOU_INLINE VI interleave_halves(VI halves) {
  uint16_t from[32], to[32];
  store_bytes(from, halves);
  for (int i = 0; i < 32; ++i) to[i] = from[i / 2 + i % 2 * 16];
  return load_bytes(to);
}

#else

// Tiles and the memory that instructions use lie outside of what the compiler knows: all of these
// are volatile, so that they keep their order.
TULOU_INLINE void tile_configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
TULOU_INLINE void tile_release() { asm volatile("tilerelease" : : : "memory"); }
template <int kTile>
TULOU_INLINE void tile_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kTile>
TULOU_INLINE void tile_load(const void* from, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
}
template <int kTile>
TULOU_INLINE void tile_store(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(stride) : "memory");
}
// Sum += A B with A [rows][k] and B [k / 4][columns][4] in int8, sums in int32.
template <int kSum, int kA, int kB>
TULOU_INLINE void tile_dpbssd() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
// The same with A [rows][k] and B [k / 2][columns][2] in bf16, sums in fp32; see gemm.h.
template <int kSum, int kA, int kB>
TULOU_INLINE void tile_dpbf16ps() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
TULOU_INLINE VI to_bf16(V low, V high) {
  return reinterpret_cast<VI>(_mm512_cvtne2ps_pbh(high, low));
}
TULOU_INLINE VI interleave_halves(VI halves) {
  // 0, 16, 1, 17, ...
  const VI base =
      _mm512_cvtepu8_epi32(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const VI order = add_words(base, add_words(bits_left<16>(base), set_words(16 << 16)));
  return _mm512_permutexvar_epi16(order, halves);
}

#endif
