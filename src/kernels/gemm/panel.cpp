#include "kernels/gemm/panel.h"

#include <cstring>
#include <vector>

#include "base/assert.h"
#include "kernels/quant/dequantize.h"
#include "tensor/block_formats.h"

namespace tulou::kernels {
namespace {

using tensor::DType;

uint32_t word(const void* from, size_t index) {
  uint32_t value;
  std::memcpy(&value, static_cast<const uint8_t*>(from) + 4 * index, sizeof value);
  return value;
}

void put_word(std::byte* to, size_t index, uint32_t value) {
  std::memcpy(to + 4 * index, &value, sizeof value);
}

void put_half(std::byte* to, size_t index, const tensor::Word16& value) {
  std::memcpy(to + 2 * index, &value, sizeof value);
}

constexpr uint32_t kLow = 0x0f0f0f0f;
constexpr size_t kRows = kPanelRows;

// The 16 bytes of nibbles of the small formats already have the order of codes[b].
void put_codes(std::byte* codes, size_t r, const uint8_t* qs) {
  for (size_t g = 0; g < 4; ++g) put_word(codes, kRows * g + r, word(qs, g));
}

// Where row r of the panel's block b is.
struct Place {
  std::byte* group;
  size_t b, r;
  PanelLayout layout;
  std::byte* codes() const { return group + 256 * b; }
  std::byte* second(size_t bytes) const { return group + layout.second + bytes * b; }
};

void put_block(const tensor::BlockQ4_0& from, const Place& to) {
  put_codes(to.codes(), to.r, from.qs.data());
  put_half(to.group + to.layout.scales, kRows * to.b + to.r, from.d);
}
void put_block(const tensor::BlockIQ4_NL& from, const Place& to) {
  put_codes(to.codes(), to.r, from.qs.data());
  put_half(to.group + to.layout.scales, kRows * to.b + to.r, from.d);
}
void put_block(const tensor::BlockQ4_1& from, const Place& to) {
  put_codes(to.codes(), to.r, from.qs.data());
  put_half(to.group + to.layout.scales, kRows * to.b + to.r, from.d);
  put_half(to.group + to.layout.mins, kRows * to.b + to.r, from.m);
}
void put_block(const tensor::BlockQ5_0& from, const Place& to) {
  // Bit t of a nibble to bit 0 of byte t.
  constexpr auto spread = [](uint32_t nibble) {
    return (nibble & 1) | (nibble & 2) << 7 | (nibble & 4) << 14 | (nibble & 8) << 21;
  };
  put_codes(to.codes(), to.r, from.qs.data());
  uint32_t fifth = 0;
  for (uint32_t g = 0; g < 8; ++g) fifth |= spread(from.qh.bits() >> (4 * g) & 15) << g;
  put_word(to.second(64), to.r, fifth);
  put_half(to.group + to.layout.scales, kRows * to.b + to.r, from.d);
}
void put_block(const tensor::BlockQ8_0& from, const Place& to) {
  std::byte* codes = to.group + 512 * to.b;
  for (size_t g = 0; g < 8; ++g) put_word(codes, kRows * g + to.r, word(from.qs.data(), g));
  put_half(to.group + to.layout.scales, kRows * to.b + to.r, from.d);
}

// Nibbles of the K formats: 32 bytes hold block 2 p in the low nibbles, 2 p + 1 in the high ones.
void put_nibble_pairs(const uint8_t* qs, size_t pair, const Place& to) {
  std::byte* even = to.group + 512 * pair;
  std::byte* odd = even + 256;
  for (size_t g = 0; g < 4; ++g) {
    const uint32_t first = word(qs + 32 * pair, g), second = word(qs + 32 * pair, g + 4);
    put_word(even, kRows * g + to.r, (first & kLow) | (second & kLow) << 4);
    put_word(odd, kRows * g + to.r, (first >> 4 & kLow) | (second & ~kLow));
  }
}

template <typename Block>
void put_scales_and_mins(const Block& from, const Place& to) {
  put_half(to.group + to.layout.scales, to.r, from.d);
  put_half(to.group + to.layout.mins, to.r, from.dmin);
  for (size_t j = 0; j < 8; ++j) {
    const auto group = tensor::scale_and_min(from.scales, j);
    to.group[to.layout.sub_scales + kRows * j + to.r] = std::byte{group.scale};
    to.group[to.layout.sub_scales + kRows * (8 + j) + to.r] = std::byte{group.min};
  }
}

void put_block(const tensor::BlockQ4_K& from, const Place& to) {
  for (size_t pair = 0; pair < 4; ++pair) put_nibble_pairs(from.qs.data(), pair, to);
  put_scales_and_mins(from, to);
}
void put_block(const tensor::BlockQ5_K& from, const Place& to) {
  for (size_t pair = 0; pair < 4; ++pair) put_nibble_pairs(from.qs.data(), pair, to);
  for (size_t j = 0; j < 8; ++j) {
    uint32_t fifth = 0;
    for (size_t g = 0; g < 8; ++g) fifth |= (word(from.qh.data(), g) >> j & 0x01010101) << g;
    put_word(to.group + to.layout.second + 64 * j, to.r, fifth);
  }
  put_scales_and_mins(from, to);
}
void put_block(const tensor::BlockQ6_K& from, const Place& to) {
  for (size_t j = 0; j < 8; ++j) {
    const size_t n = j / 4, g4 = j % 4;
    const uint8_t* low = from.ql.data() + 64 * n + 32 * (g4 % 2);
    const uint8_t* high = from.qh.data() + 32 * n;
    const size_t shift = 4 * (g4 / 2);
    uint32_t bits[2] = {};
    for (size_t g = 0; g < 4; ++g) {
      const uint32_t first = word(low, g) >> shift & kLow;
      const uint32_t second = word(low, g + 4) >> shift & kLow;
      put_word(to.group + 256 * j, kRows * g + to.r, first | second << 4);
      bits[0] |= (word(high, g) >> (2 * g4) & 0x03030303) << (2 * g);
      bits[1] |= (word(high, g + 4) >> (2 * g4) & 0x03030303) << (2 * g);
    }
    put_word(to.group + to.layout.second + 128 * j, to.r, bits[0]);
    put_word(to.group + to.layout.second + 128 * j + 64, to.r, bits[1]);
  }
  put_half(to.group + to.layout.scales, to.r, from.d);
  for (size_t s = 0; s < 16; ++s)
    to.group[to.layout.sub_scales + kRows * s + to.r] = static_cast<std::byte>(from.scales[s]);
}
void put_block(const tensor::BlockIQ4_XS& from, const Place& to) {
  for (size_t j = 0; j < 8; ++j) {
    put_codes(to.group + 256 * j, to.r, from.qs.data() + 16 * j);
    const int low = from.scales_l[j / 2] >> (4 * (j % 2)) & 15;
    const int high = from.scales_h.bits() >> (2 * j) & 3;
    to.group[to.layout.sub_scales + kRows * j + to.r] =
        static_cast<std::byte>((low | high << 4) - 32);
  }
  put_half(to.group + to.layout.scales, to.r, from.d);
}

template <typename Block>
void pack_blocks(const PanelSource& rows, int64_t k, std::byte* panel) {
  const PanelLayout layout = panel_layout(Block::kType);
  const int64_t width = tensor::info(Block::kType).block_size;
  const int64_t per_group = layout.group_values / width;
  for (int64_t i = 0; i < k / width; ++i) {
    std::byte* group = panel + static_cast<size_t>(i / per_group) * layout.group_bytes;
    for (size_t r = 0; r < kRows; ++r) {
      if (rows[r] == nullptr) continue;
      const auto* blocks = reinterpret_cast<const Block*>(rows[r]);
      put_block(blocks[i], Place{group, static_cast<size_t>(i % per_group), r, layout});
    }
  }
}

template <typename Value>
void pack_plain(const PanelSource& rows, int64_t k, std::byte* panel) {
  for (size_t r = 0; r < kRows; ++r) {
    if (rows[r] == nullptr) continue;
    for (size_t i = 0; i < static_cast<size_t>(k); ++i)
      std::memcpy(panel + (kRows * i + r) * sizeof(Value), rows[r] + i * sizeof(Value),
                  sizeof(Value));
  }
}

void pack_bf16(const PanelSource& rows, int64_t k, std::byte* panel) {
  const auto pairs = static_cast<size_t>(k / 2);
  // Pairs outside: lines of the panel are written whole, the 16 rows are read in step.
  for (size_t i = 0; i < pairs; ++i) {
    for (size_t r = 0; r < kRows; ++r)
      if (rows[r] != nullptr) put_word(panel, kRows * i + r, word(rows[r], i));
  }
  if (k % 2 == 0) return;
  for (size_t r = 0; r < kRows; ++r)
    if (rows[r] != nullptr) std::memcpy(panel + 4 * (kRows * pairs + r), rows[r] + 4 * pairs, 2);
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
      return pack_plain<uint32_t>(rows, k, panel);
    case DType::kF16:
      return pack_plain<uint16_t>(rows, k, panel);
    case DType::kBF16:
      return pack_bf16(rows, k, panel);
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
