#include "kernels/gemm/panel.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"
#include "tensor/block_formats.h"

namespace tulou::kernels {
namespace {

using tensor::DType;

constexpr uint32_t kLow = 0x0f0f0f0f;
constexpr size_t kRows = kPanelRows;
constexpr size_t kStep = 4;  // rows that are packed together

// Four words of 4 bytes in one register. Panels hold the words of 16 rows side by side, so packing
// is the transposition of four rows' words.
using Words = uint32_t __attribute__((vector_size(16)));
using Halves = uint16_t __attribute__((vector_size(16)));

// Words 4 index, 4 index + 1, ...
Words words(const void* from, size_t index) {
  Words value;
  std::memcpy(&value, static_cast<const std::byte*>(from) + 16 * index, sizeof value);
  return value;
}

template <typename Value>
void put(std::byte* to, size_t index, const Value& value) {
  std::memcpy(to + index * sizeof value, &value, sizeof value);
}

// words_of(i) of row r + i become column r + i of [4][16] words.
template <typename WordsOf>
std::array<Words, 4> transposed(const WordsOf& words_of) {
  const Words a = words_of(0), b = words_of(1), c = words_of(2), d = words_of(3);
  const Words ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Words ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Words cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Words cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return {
      __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5), __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7),
      __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5), __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7)};
}

template <typename WordsOf>
void put_transposed(std::byte* to, size_t r, const WordsOf& words_of) {
  const std::array<Words, 4> columns = transposed(words_of);
  for (size_t g = 0; g < 4; ++g) put(to + 64 * g, r / kStep, columns[g]);
}

// The same block of kStep rows.
template <typename Block>
using Blocks = std::array<const Block*, kStep>;

// Where rows r, r + 1, ... of the panel's block b are.
struct Place {
  std::byte* group;
  size_t b, r;
  PanelLayout layout;
  std::byte* codes() const { return group + 256 * b; }
  std::byte* second(size_t bytes) const { return group + layout.second + bytes * b; }
};

// The 16 bytes of nibbles of the small formats already have the order of codes[b].
template <typename Block>
void put_codes(const Blocks<Block>& from, size_t block, std::byte* codes, size_t r) {
  put_transposed(codes, r, [&](size_t i) { return words(from[i]->qs.data(), block); });
}
template <typename Block>
void put_scales(const Blocks<Block>& from, const Place& to) {
  for (size_t i = 0; i < kStep; ++i)
    put(to.group + to.layout.scales, kRows * to.b + to.r + i, from[i]->d);
}

void put_blocks(const Blocks<tensor::BlockQ4_0>& from, const Place& to) {
  put_codes(from, 0, to.codes(), to.r);
  put_scales(from, to);
}
void put_blocks(const Blocks<tensor::BlockIQ4_NL>& from, const Place& to) {
  put_codes(from, 0, to.codes(), to.r);
  put_scales(from, to);
}
void put_blocks(const Blocks<tensor::BlockQ4_1>& from, const Place& to) {
  put_codes(from, 0, to.codes(), to.r);
  put_scales(from, to);
  for (size_t i = 0; i < kStep; ++i)
    put(to.group + to.layout.mins, kRows * to.b + to.r + i, from[i]->m);
}
void put_blocks(const Blocks<tensor::BlockQ5_0>& from, const Place& to) {
  // Bit t of a nibble to bit 0 of byte t.
  constexpr auto spread = [](const Words& nibble) {
    return (nibble & 1) | (nibble & 2) << 7 | (nibble & 4) << 14 | (nibble & 8) << 21;
  };
  put_codes(from, 0, to.codes(), to.r);
  put_scales(from, to);
  const Words bits = {from[0]->qh.bits(), from[1]->qh.bits(), from[2]->qh.bits(),
                      from[3]->qh.bits()};
  Words fifth = {};
  for (uint32_t g = 0; g < 8; ++g) fifth |= spread(bits >> (4 * g)) << g;
  put(to.second(64), to.r / kStep, fifth);
}
void put_blocks(const Blocks<tensor::BlockQ8_0>& from, const Place& to) {
  std::byte* codes = to.group + 512 * to.b;
  put_codes(from, 0, codes, to.r);
  put_codes(from, 1, codes + 256, to.r);
  put_scales(from, to);
}

// Nibbles of the K formats: 32 bytes hold block 2 p in the low nibbles, 2 p + 1 in the high ones.
template <typename Block>
void put_nibble_pairs(const Blocks<Block>& from, const Place& to) {
  for (size_t pair = 0; pair < 4; ++pair) {
    const auto first = [&](size_t i) { return words(from[i]->qs.data(), 2 * pair); };
    const auto second = [&](size_t i) { return words(from[i]->qs.data(), 2 * pair + 1); };
    std::byte* even = to.group + 512 * pair;
    put_transposed(even, to.r,
                   [&](size_t i) { return (first(i) & kLow) | (second(i) & kLow) << 4; });
    put_transposed(even + 256, to.r,
                   [&](size_t i) { return (first(i) >> 4 & kLow) | (second(i) & ~kLow); });
  }
}

template <typename Block>
void put_scales_and_mins(const Blocks<Block>& from, const Place& to) {
  put_scales(from, to);
  for (size_t i = 0; i < kStep; ++i) {
    put(to.group + to.layout.mins, to.r + i, from[i]->dmin);
    for (size_t j = 0; j < 8; ++j) {
      const auto group = tensor::scale_and_min(from[i]->scales, j);
      to.group[to.layout.sub_scales + kRows * j + to.r + i] = std::byte{group.scale};
      to.group[to.layout.sub_scales + kRows * (8 + j) + to.r + i] = std::byte{group.min};
    }
  }
}

void put_blocks(const Blocks<tensor::BlockQ4_K>& from, const Place& to) {
  put_nibble_pairs(from, to);
  put_scales_and_mins(from, to);
}
void put_blocks(const Blocks<tensor::BlockQ5_K>& from, const Place& to) {
  put_nibble_pairs(from, to);
  put_scales_and_mins(from, to);
  const auto low = transposed([&](size_t i) { return words(from[i]->qh.data(), 0); });
  const auto high = transposed([&](size_t i) { return words(from[i]->qh.data(), 1); });
  for (uint32_t j = 0; j < 8; ++j) {
    Words fifth = {};
    for (uint32_t g = 0; g < 4; ++g) {
      fifth |= (low[g] >> j & 0x01010101) << g;
      fifth |= (high[g] >> j & 0x01010101) << (g + 4);
    }
    put(to.group + to.layout.second + 64 * j, to.r / kStep, fifth);
  }
}
void put_blocks(const Blocks<tensor::BlockQ6_K>& from, const Place& to) {
  for (size_t j = 0; j < 8; ++j) {
    const size_t n = j / 4, g4 = j % 4, shift = 4 * (g4 / 2);
    put_transposed(to.group + 256 * j, to.r, [&](size_t i) {
      const uint8_t* low = from[i]->ql.data() + 64 * n + 32 * (g4 % 2);
      return (words(low, 0) >> shift & kLow) | (words(low, 1) >> shift & kLow) << 4;
    });
  }
  for (size_t part = 0; part < 4; ++part) {  // halves of 32 bytes of qh
    const auto high = transposed([&](size_t i) { return words(from[i]->qh.data(), part); });
    for (uint32_t j = 0; j < 4; ++j) {
      Words bits = {};
      for (uint32_t g = 0; g < 4; ++g) bits |= (high[g] >> (2 * j) & 0x03030303) << (2 * g);
      std::byte* second = to.group + to.layout.second + 128 * (part / 2 * 4 + j);
      put(second + 64 * (part % 2), to.r / kStep, bits);
    }
  }
  put_scales(from, to);
  for (size_t i = 0; i < kStep; ++i) {
    for (size_t s = 0; s < 16; ++s)
      to.group[to.layout.sub_scales + kRows * s + to.r + i] =
          static_cast<std::byte>(from[i]->scales[s]);
  }
}
void put_blocks(const Blocks<tensor::BlockIQ4_XS>& from, const Place& to) {
  for (size_t j = 0; j < 8; ++j) put_codes(from, j, to.group + 256 * j, to.r);
  put_scales(from, to);
  for (size_t i = 0; i < kStep; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      const int low = from[i]->scales_l[j / 2] >> (4 * (j % 2)) & 15;
      const int high = from[i]->scales_h.bits() >> (2 * j) & 3;
      to.group[to.layout.sub_scales + kRows * j + to.r + i] =
          static_cast<std::byte>((low | high << 4) - 32);
    }
  }
}

// Asks for the part of the next 16 rows, which usually follow these, that lies where these rows
// have `bytes` from `at` on: 16 streams of a row each are too many for the processor to foresee.
void prefetch_next(const PanelSource& rows, size_t row_bytes, size_t at, size_t bytes) {
  const std::byte* next = rows[0] + kRows * (row_bytes + at);
  for (size_t i = 0; i < kRows * bytes; i += 64) __builtin_prefetch(next + i);
}

template <typename Block>
void pack_blocks(const PanelSource& rows, int64_t k, std::byte* panel) {
  static constexpr Block kZeros{};  // for rows past the matrix
  constexpr PanelLayout layout = panel_layout(Block::kType);
  const auto width = static_cast<size_t>(tensor::info(Block::kType).block_size);
  const size_t per_group = static_cast<size_t>(layout.group_values) / width;
  const size_t count = static_cast<size_t>(k) / width;
  for (size_t i = 0; i < count; ++i) {
    prefetch_next(rows, count * sizeof(Block), i * sizeof(Block), sizeof(Block));
    std::byte* group = panel + i / per_group * layout.group_bytes;
    for (size_t r = 0; r < kRows; r += kStep) {
      Blocks<Block> from;
      for (size_t j = 0; j < kStep; ++j)
        from[j] =
            rows[r + j] != nullptr ? reinterpret_cast<const Block*>(rows[r + j]) + i : &kZeros;
      put_blocks(from, Place{group, i % per_group, r, layout});
    }
  }
}

// How many of `count` values can be packed `step` at a time: none if a row is missing.
size_t in_steps(const PanelSource& rows, size_t count, size_t step) {
  const bool whole = std::find(rows.begin(), rows.end(), nullptr) == rows.end();
  return whole ? count / step * step : 0;
}

// Values of two or four bytes, one at a time from `begin` on.
template <typename Value>
void pack_values(const PanelSource& rows, size_t begin, size_t count, std::byte* panel) {
  for (size_t i = begin; i < count; ++i) {
    for (size_t r = 0; r < kRows; ++r)
      if (rows[r] != nullptr)
        std::memcpy(panel + (kRows * i + r) * sizeof(Value), rows[r] + i * sizeof(Value),
                    sizeof(Value));
  }
}

// [word][row]: F32, and BF16 in pairs.
void pack_words(const PanelSource& rows, size_t count, std::byte* panel) {
  const size_t many = in_steps(rows, count, 4);
  for (size_t i = 0; i < many; i += 4) {
    prefetch_next(rows, 4 * count, 4 * i, 16);
    for (size_t r = 0; r < kRows; r += kStep)
      put_transposed(panel + 64 * i, r, [&](size_t j) { return words(rows[r + j] + 4 * i, 0); });
  }
  pack_values<uint32_t>(rows, many, count, panel);
}

void pack_f16(const PanelSource& rows, size_t count, std::byte* panel) {
  const size_t many = in_steps(rows, count, 8);
  for (size_t i = 0; i < many; i += 8) {
    prefetch_next(rows, 2 * count, 2 * i, 16);
    for (size_t r = 0; r < kRows; r += 2 * kStep) {
      const auto pairs = [&](size_t first) {
        return transposed([&](size_t j) { return words(rows[first + j] + 2 * i, 0); });
      };
      const std::array<Words, 4> a = pairs(r), b = pairs(r + kStep);
      for (size_t g = 0; g < 4; ++g) {
        Halves x, y;
        std::memcpy(&x, &a[g], sizeof x);
        std::memcpy(&y, &b[g], sizeof y);
        const Halves even = __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
        const Halves odd = __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
        put(panel + 32 * i + 64 * g, r / 8, even);
        put(panel + 32 * i + 64 * g + 32, r / 8, odd);
      }
    }
  }
  pack_values<uint16_t>(rows, many, count, panel);
}

void pack_bf16(const PanelSource& rows, size_t count, std::byte* panel) {
  pack_words(rows, count / 2, panel);
  if (count % 2 == 0) return;
  for (size_t r = 0; r < kRows; ++r)
    if (rows[r] != nullptr)
      std::memcpy(panel + 4 * (kRows * (count / 2) + r), rows[r] + 2 * (count - 1), 2);
}

void pack_decoded(DType stored, const PanelSource& rows, int64_t k, std::byte* panel) {
  std::vector<float> values(static_cast<size_t>(k));
  for (size_t r = 0; r < kRows; ++r) {
    if (rows[r] == nullptr) continue;
    dequantize_row(stored, rows[r], values.data(), k);
    for (size_t i = 0; i < values.size(); ++i)
      std::memcpy(panel + 4 * (kRows * i + r), &values[i], sizeof(float));
  }
}

}  // namespace

void pack_panel(DType stored, const PanelSource& rows, int64_t k, std::byte* panel) {
  DCHECK(k % tensor::info(stored).block_size == 0);
  switch (stored) {
    case DType::kF32:
      return pack_words(rows, static_cast<size_t>(k), panel);
    case DType::kF16:
      return pack_f16(rows, static_cast<size_t>(k), panel);
    case DType::kBF16:
      return pack_bf16(rows, static_cast<size_t>(k), panel);
    case DType::kQ4_0:
      return pack_blocks<tensor::BlockQ4_0>(rows, k, panel);
    case DType::kQ4_1:
      return pack_blocks<tensor::BlockQ4_1>(rows, k, panel);
    case DType::kQ5_0:
      return pack_blocks<tensor::BlockQ5_0>(rows, k, panel);
    case DType::kQ8_0:
      return pack_blocks<tensor::BlockQ8_0>(rows, k, panel);
    case DType::kQ4_K:
      return pack_blocks<tensor::BlockQ4_K>(rows, k, panel);
    case DType::kQ5_K:
      return pack_blocks<tensor::BlockQ5_K>(rows, k, panel);
    case DType::kQ6_K:
      return pack_blocks<tensor::BlockQ6_K>(rows, k, panel);
    case DType::kIQ4_NL:
      return pack_blocks<tensor::BlockIQ4_NL>(rows, k, panel);
    case DType::kIQ4_XS:
      return pack_blocks<tensor::BlockIQ4_XS>(rows, k, panel);
    default:
      return pack_decoded(stored, rows, k, panel);
  }
}

}  // namespace tulou::kernels
