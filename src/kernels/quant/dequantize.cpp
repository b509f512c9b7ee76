#include "kernels/quant/dequantize.h"

#include <cstring>

#include "base/assert.h"
#include "kernels/quant/dequantize_grids.h"
#include "tensor/block_formats.h"

namespace tulou::kernels {
namespace {

using namespace tensor;
using kernels::decode;  // of the blocks in dequantize_grids.h

// Products are written in the order in which they are rounded; the build forbids contraction.

void decode(const BlockQ4_0& block, float* out) {
  const float d = block.d.fp16();
  for (size_t j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>((block.qs[j] & 15) - 8);
    out[j + 16] = d * static_cast<float>((block.qs[j] >> 4) - 8);
  }
}

void decode(const BlockQ4_1& block, float* out) {
  const float d = block.d.fp16(), m = block.m.fp16();
  for (size_t j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(block.qs[j] & 15) + m;
    out[j + 16] = d * static_cast<float>(block.qs[j] >> 4) + m;
  }
}

// Nibble and fifth bit of value i of Q5_0 and Q5_1.
template <typename Block>
int five_bits(const Block& block, size_t i) {
  const int nibble = i < 16 ? block.qs[i] & 15 : block.qs[i - 16] >> 4;
  return nibble | static_cast<int>((block.qh.bits() >> i) & 1) << 4;
}

void decode(const BlockQ5_0& block, float* out) {
  const float d = block.d.fp16();
  for (size_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(five_bits(block, i) - 16);
}

void decode(const BlockQ5_1& block, float* out) {
  const float d = block.d.fp16(), m = block.m.fp16();
  for (size_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(five_bits(block, i)) + m;
}

void decode(const BlockQ8_0& block, float* out) {
  const float d = block.d.fp16();
  for (size_t i = 0; i < 32; ++i) out[i] = static_cast<float>(block.qs[i]) * d;
}

void decode(const BlockQ2_K& block, float* out) {
  const float d = block.d.fp16(), dmin = block.dmin.fp16();
  for (size_t i = 0; i < 256; ++i) {
    const uint8_t scale = block.scales[i / 16];
    const int q = (block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    const float dl = d * static_cast<float>(scale & 15);
    const float ml = dmin * static_cast<float>(scale >> 4);
    out[i] = dl * static_cast<float>(q) - ml;
  }
}

void decode(const BlockQ3_K& block, float* out) {
  const float d = block.d.fp16();
  for (size_t i = 0; i < 256; ++i) {
    const size_t k = i / 16;
    const int low = (block.scales[k % 8] >> (4 * (k / 8))) & 15;
    const int high = (block.scales[8 + k % 4] >> (2 * (k / 4))) & 3;
    const float dl = d * static_cast<float>((low | high << 4) - 32);
    const int q = (block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    const int bit = (block.hmask[i % 32] >> (i / 32)) & 1;
    out[i] = dl * static_cast<float>(q - (bit != 0 ? 0 : 4));
  }
}

void decode(const BlockQ4_K& block, float* out) {
  const float d = block.d.fp16(), dmin = block.dmin.fp16();
  for (size_t j = 0; j < 8; ++j) {
    const ScaleAndMin group = scale_and_min(block.scales, j);
    const float dl = d * static_cast<float>(group.scale);
    const float ml = dmin * static_cast<float>(group.min);
    for (size_t l = 0; l < 32; ++l) {
      const int q = (block.qs[32 * (j / 2) + l] >> (4 * (j % 2))) & 15;
      out[32 * j + l] = dl * static_cast<float>(q) - ml;
    }
  }
}

void decode(const BlockQ5_K& block, float* out) {
  const float d = block.d.fp16(), dmin = block.dmin.fp16();
  for (size_t j = 0; j < 8; ++j) {
    const ScaleAndMin group = scale_and_min(block.scales, j);
    const float dl = d * static_cast<float>(group.scale);
    const float ml = dmin * static_cast<float>(group.min);
    for (size_t l = 0; l < 32; ++l) {
      const int low = (block.qs[32 * (j / 2) + l] >> (4 * (j % 2))) & 15;
      const int high = (block.qh[l] >> j) & 1;
      out[32 * j + l] = dl * static_cast<float>(low | high << 4) - ml;
    }
  }
}

void decode(const BlockQ6_K& block, float* out) {
  const float d = block.d.fp16();
  for (size_t i = 0; i < 256; ++i) {
    const size_t n = i / 128, g = i % 128 / 32, l = i % 32;
    const int low = (block.ql[64 * n + 32 * (g % 2) + l] >> (4 * (g / 2))) & 15;
    const int high = (block.qh[32 * n + l] >> (2 * g)) & 3;
    const float dl = d * static_cast<float>(block.scales[i / 16]);
    out[i] = dl * static_cast<float>((low | high << 4) - 32);
  }
}

void decode(const BlockIQ4_NL& block, float* out) {
  const float d = block.d.fp16();
  for (size_t j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kIq4Values[block.qs[j] & 15]);
    out[j + 16] = d * static_cast<float>(kIq4Values[block.qs[j] >> 4]);
  }
}

void decode(const BlockIQ4_XS& block, float* out) {
  const float d = block.d.fp16();
  for (size_t b = 0; b < 8; ++b) {
    const int low = (block.scales_l[b / 2] >> (4 * (b % 2))) & 15;
    const int high = (block.scales_h.bits() >> (2 * b)) & 3;
    const float dl = d * static_cast<float>((low | high << 4) - 32);
    for (size_t j = 0; j < 16; ++j) {
      const uint8_t pair = block.qs[16 * b + j];
      out[32 * b + j] = dl * static_cast<float>(kIq4Values[pair & 15]);
      out[32 * b + j + 16] = dl * static_cast<float>(kIq4Values[pair >> 4]);
    }
  }
}

template <typename Block>
void decode_blocks(const void* row, float* out, int64_t width) {
  const DTypeInfo& type = info(Block::kType);
  DCHECK(width % type.block_size == 0 && sizeof(Block) == static_cast<size_t>(type.block_bytes));
  const auto* blocks = static_cast<const Block*>(row);
  const int64_t size = type.block_size;
  for (int64_t i = 0; i < width / size; ++i) decode(blocks[i], out + i * size);
}

template <float (*Convert)(uint16_t)>
void decode_words(const void* row, float* out, int64_t width) {
  const auto* words = static_cast<const Word16*>(row);
  for (int64_t i = 0; i < width; ++i) out[i] = Convert(words[i].bits());
}

}  // namespace

void dequantize_row(DType dtype, const void* row, float* out, int64_t width) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, row, static_cast<size_t>(width) * sizeof(float));
      return;
    case DType::kF16:
      return decode_words<fp16_to_float>(row, out, width);
    case DType::kBF16:
      return decode_words<bf16_to_float>(row, out, width);
    case DType::kQ4_0:
      return decode_blocks<BlockQ4_0>(row, out, width);
    case DType::kQ4_1:
      return decode_blocks<BlockQ4_1>(row, out, width);
    case DType::kQ5_0:
      return decode_blocks<BlockQ5_0>(row, out, width);
    case DType::kQ5_1:
      return decode_blocks<BlockQ5_1>(row, out, width);
    case DType::kQ8_0:
      return decode_blocks<BlockQ8_0>(row, out, width);
    case DType::kQ2_K:
      return decode_blocks<BlockQ2_K>(row, out, width);
    case DType::kQ3_K:
      return decode_blocks<BlockQ3_K>(row, out, width);
    case DType::kQ4_K:
      return decode_blocks<BlockQ4_K>(row, out, width);
    case DType::kQ5_K:
      return decode_blocks<BlockQ5_K>(row, out, width);
    case DType::kQ6_K:
      return decode_blocks<BlockQ6_K>(row, out, width);
    case DType::kIQ4_NL:
      return decode_blocks<BlockIQ4_NL>(row, out, width);
    case DType::kIQ4_XS:
      return decode_blocks<BlockIQ4_XS>(row, out, width);
    case DType::kIQ1_S:
      return decode_blocks<BlockIQ1_S>(row, out, width);
    case DType::kIQ1_M:
      return decode_blocks<BlockIQ1_M>(row, out, width);
    case DType::kIQ2_XXS:
      return decode_blocks<BlockIQ2_XXS>(row, out, width);
    case DType::kIQ2_XS:
      return decode_blocks<BlockIQ2_XS>(row, out, width);
    case DType::kIQ2_S:
      return decode_blocks<BlockIQ2_S>(row, out, width);
    case DType::kIQ3_XXS:
      return decode_blocks<BlockIQ3_XXS>(row, out, width);
    case DType::kIQ3_S:
      return decode_blocks<BlockIQ3_S>(row, out, width);
    case DType::kTQ1_0:
      return decode_blocks<BlockTQ1_0>(row, out, width);
    case DType::kTQ2_0:
      return decode_blocks<BlockTQ2_0>(row, out, width);
    case DType::kMXFP4:
      return decode_blocks<BlockMXFP4>(row, out, width);
    case DType::kNVFP4:
      return decode_blocks<BlockNVFP4>(row, out, width);
    case DType::kQ1_0:
      return decode_blocks<BlockQ1_0>(row, out, width);
    case DType::kQ2_0:
      return decode_blocks<BlockQ2_0>(row, out, width);
  }
  ASSERT(false);
}

}  // namespace tulou::kernels
