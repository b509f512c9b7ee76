// A block of a panel as numbers, for all 16 rows at once: in plain loops over the rows, which the
// compiler turns into the level's vectors. Included once a level.

// The address may lie behind the panels, which does no harm.
TULOU_INLINE void prefetch_line(const std::byte* from, size_t offset) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a pointer may not be moved there.
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + offset));
}

struct BlockNumbers {
  // The weight of row r at k is scale[k / 16][r] * code[k][r] + min[r].
  alignas(64) int8_t code[kBlock][kPanelRows];
  alignas(64) float scale[2][kPanelRows];
  alignas(64) float min[kPanelRows];
  // scale = block_scale * sub_scale: of the types with sub-scales for each 16 values (Q6_K); for
  // the others sub_scale is 1.
  alignas(64) float block_scale[kPanelRows];
  alignas(64) int32_t sub_scale[2][kPanelRows];
};

constexpr bool has_min(tensor::DType type) {
  using tensor::DType;
  return type == DType::kQ4_1 || type == DType::kQ4_K || type == DType::kQ5_K;
}

// Blocks in a group.
constexpr int64_t group_blocks(tensor::DType type) {
  return panel_layout(type).group_values / kBlock;
}

TULOU_INLINE const std::byte* group_of(tensor::DType type, const std::byte* panel, int64_t block) {
  return panel + static_cast<size_t>(block / group_blocks(type)) * panel_layout(type).group_bytes;
}

TULOU_INLINE void halves_to_floats(const std::byte* from, float* out) {
  const auto* half = reinterpret_cast<const uint16_t*>(from);
  for (int64_t i = 0; i < kPanelRows; i += kLanes) store(out + i, load_f16(half + i));
}

template <typename F>
TULOU_INLINE void nibble_codes(const std::byte* codes, BlockNumbers& out, const F& code) {
  for (int64_t g = 0; g < 4; ++g) {
    uint32_t words[kPanelRows];
    std::memcpy(words, codes + 64 * g, sizeof words);
    for (int64_t t = 0; t < 4; ++t) {
      const int64_t first = 4 * g + t, second = first + 16;
      for (int64_t r = 0; r < kPanelRows; ++r) {
        out.code[first][r] = code(words[r] >> (8 * t) & 15, first, r);
        out.code[second][r] = code(words[r] >> (8 * t + 4) & 15, second, r);
      }
    }
  }
}

// The scale of block b times its sub-scale, which is exact: 11 bits times at most 8.
template <typename Sub>
TULOU_INLINE void sub_scales(const std::byte* d, const std::byte* sub, float* out) {
  halves_to_floats(d, out);
  for (int64_t r = 0; r < kPanelRows; ++r)
    out[r] *= static_cast<float>(static_cast<Sub>(static_cast<uint8_t>(sub[r])));
}

// Block `block` of a panel.
template <tensor::DType kType>
TULOU_RARE void block_numbers(const std::byte* panel, int64_t block, BlockNumbers& out) {
  using tensor::DType;
  constexpr PanelLayout layout = panel_layout(kType);
  const std::byte* group = group_of(kType, panel, block);
  const int64_t b = block % group_blocks(kType);
  const std::byte* codes = group + (kType == DType::kQ8_0 ? 512 : 256) * b;
  if constexpr (kType == DType::kQ8_0) {
    for (int64_t i = 0; i < kBlock; ++i) {
      for (int64_t r = 0; r < kPanelRows; ++r)
        out.code[i][r] = static_cast<int8_t>(codes[64 * (i / 4) + 4 * r + i % 4]);
    }
  } else if constexpr (kType == DType::kQ5_0 || kType == DType::kQ5_K) {
    uint32_t fifth[kPanelRows];
    std::memcpy(fifth, group + layout.second + 64 * b, sizeof fifth);
    constexpr int kOffset = kType == DType::kQ5_0 ? 16 : 0;
    nibble_codes(codes, out, [&](uint32_t low, int64_t i, int64_t r) {
      const uint32_t high = fifth[r] >> (8 * (i % 4) + i / 4) & 1;
      return static_cast<int8_t>(static_cast<int>(low | high << 4) - kOffset);
    });
  } else if constexpr (kType == DType::kQ6_K) {
    uint32_t high[2][kPanelRows];
    std::memcpy(high, group + layout.second + 128 * b, sizeof high);
    nibble_codes(codes, out, [&](uint32_t low, int64_t i, int64_t r) {
      const uint32_t top = high[i / 16][r] >> (8 * (i % 4) + 2 * (i % 16 / 4)) & 3;
      return static_cast<int8_t>(static_cast<int>(low | top << 4) - 32);
    });
  } else if constexpr (kType == DType::kIQ4_NL || kType == DType::kIQ4_XS) {
    nibble_codes(codes, out,
                 [](uint32_t code, int64_t, int64_t) { return tensor::kIq4Values[code]; });
  } else {
    constexpr int kOffset = kType == DType::kQ4_0 ? 8 : 0;
    nibble_codes(codes, out, [](uint32_t code, int64_t, int64_t) {
      return static_cast<int8_t>(static_cast<int>(code) - kOffset);
    });
  }
  const std::byte* sub = group + layout.sub_scales + kPanelRows * b;
  if constexpr (kType == DType::kQ4_K || kType == DType::kQ5_K) {
    sub_scales<uint8_t>(group + layout.scales, sub, out.scale[0]);
    sub_scales<uint8_t>(group + layout.mins, sub + 8 * kPanelRows, out.min);
    for (float& min : out.min) min = -min;
  } else if constexpr (kType == DType::kIQ4_XS) {
    sub_scales<int8_t>(group + layout.scales, sub, out.scale[0]);
  } else if constexpr (kType == DType::kQ6_K) {
    sub += kPanelRows * b;
    halves_to_floats(group + layout.scales, out.block_scale);
    for (int64_t i = 0; i < 2 * kPanelRows; ++i) {
      const auto factor = static_cast<int8_t>(sub[i]);
      out.sub_scale[i / kPanelRows][i % kPanelRows] = factor;
      out.scale[i / kPanelRows][i % kPanelRows] =
          out.block_scale[i % kPanelRows] * static_cast<float>(factor);
    }
  } else {
    halves_to_floats(group + layout.scales + 2 * kPanelRows * b, out.scale[0]);
    if constexpr (kType == DType::kQ4_1)
      halves_to_floats(group + layout.mins + 2 * kPanelRows * b, out.min);
  }
  if constexpr (kType != DType::kQ6_K) {
    std::memcpy(out.scale[1], out.scale[0], sizeof out.scale[0]);
    std::memcpy(out.block_scale, out.scale[0], sizeof out.scale[0]);
    for (auto& factors : out.sub_scale) std::fill_n(factors, kPanelRows, 1);
  }
}

// Block `block` as fp32 weights [32][16].
template <tensor::DType kType>
TULOU_RARE void block_floats(const std::byte* panel, int64_t block, float* out) {
  BlockNumbers numbers;
  block_numbers<kType>(panel, block, numbers);
  for (int64_t i = 0; i < kBlock; ++i) {
    for (int64_t r = 0; r < kPanelRows; ++r) {
      const float product = numbers.scale[i / 16][r] * static_cast<float>(numbers.code[i][r]);
      out[i * kPanelRows + r] = has_min(kType) ? product + numbers.min[r] : product;
    }
  }
}

// Calls f.template operator()<type>() for the block types.
template <typename F>
TULOU_INLINE void with_block_type(tensor::DType type, const F& f) {
  using tensor::DType;
  switch (type) {
    case DType::kQ4_0:
      return f.template operator()<DType::kQ4_0>();
    case DType::kQ4_1:
      return f.template operator()<DType::kQ4_1>();
    case DType::kQ5_0:
      return f.template operator()<DType::kQ5_0>();
    case DType::kQ8_0:
      return f.template operator()<DType::kQ8_0>();
    case DType::kQ4_K:
      return f.template operator()<DType::kQ4_K>();
    case DType::kQ5_K:
      return f.template operator()<DType::kQ5_K>();
    case DType::kQ6_K:
      return f.template operator()<DType::kQ6_K>();
    case DType::kIQ4_NL:
      return f.template operator()<DType::kIQ4_NL>();
    case DType::kIQ4_XS:
      return f.template operator()<DType::kIQ4_XS>();
    default:
      break;
  }
}
