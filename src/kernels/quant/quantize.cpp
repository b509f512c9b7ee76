#include "kernels/quant/quantize.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "kernels/quant/quantize_blocks.h"

namespace tulou::kernels {
namespace {

using namespace tensor;

constexpr float kLargestFp16 = 65504;
// What rounds to the largest finite bfloat16.
constexpr float kLargestBf16 = 0x1.fep127f;

template <uint16_t (*Convert)(float)>
void encode_words(const float* x, int64_t width, std::byte* out) {
  for (int64_t i = 0; i < width; ++i) {
    const Word16 word = Word16::of(Convert(x[i]));
    std::memcpy(out + 2 * i, word.byte.data(), 2);
  }
}

// What is added to the weights of a block's errors, whose mean is 1. It costs little of the
// weighted error (measured: 1 to 3 %) and saves much of the unweighted one (10 to 20 %), in columns
// that the importance calls all but worthless because its text hardly used them.
constexpr double kWeightFloor = 0.3;

// The weights of a block's errors: of mean 1, so that no sum leaves the range of a float.
void block_weights(const float* importance, size_t size, float* w) {
  double total = 0;
  for (size_t i = 0; importance != nullptr && i < size; ++i) total += double{importance[i]};
  const double mean = total / static_cast<double>(size);
  for (size_t i = 0; i < size; ++i) {
    const double share = mean > 0 ? double{importance[i]} / mean : 1;
    w[i] = static_cast<float>((share + kWeightFloor) / (1 + kWeightFloor));
  }
}

template <typename Block>
void encode_blocks(const float* x, int64_t width, const float* importance, std::byte* out) {
  const auto size = static_cast<size_t>(info(Block::kType).block_size);
  DCHECK(width % static_cast<int64_t>(size) == 0);
  alignas(16) float w[kSuperBlock];
  for (size_t i = 0; i < static_cast<size_t>(width); i += size, out += sizeof(Block)) {
    block_weights(importance == nullptr ? nullptr : importance + i, size, w);
    Block block = {};
    encode(x + i, w, block);
    std::memcpy(out, &block, sizeof block);
  }
}

template <typename Block>
void encode_reference_blocks(const float* x, int64_t width, std::byte* out) {
  const auto size = static_cast<size_t>(info(Block::kType).block_size);
  DCHECK(width % static_cast<int64_t>(size) == 0);
  for (size_t i = 0; i < static_cast<size_t>(width); i += size, out += sizeof(Block)) {
    Block block = {};
    encode_reference(x + i, block);
    std::memcpy(out, &block, sizeof block);
  }
}

template <typename Block>
void encode_small(const float* x, int64_t width, const float* importance, std::byte* out) {
  if (importance == nullptr) return encode_reference_blocks<Block>(x, width, out);
  encode_blocks<Block>(x, width, importance, out);
}

}  // namespace

bool can_quantize(DType dtype) {
  static constexpr DType kTypes[] = {DType::kF32,   DType::kF16,  DType::kBF16, DType::kQ4_0,
                                     DType::kQ4_1,  DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                     DType::kQ4_K,  DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                                     DType::kIQ4_XS};
  return std::find(std::begin(kTypes), std::end(kTypes), dtype) != std::end(kTypes);
}

float largest_magnitude(DType dtype) {
  if (dtype == DType::kF32) return 0x1.fffffep127f;
  return dtype == DType::kBF16 ? kLargestBf16 : kLargestFp16;
}

void quantize_row(DType dtype, const float* x, int64_t width, const float* importance,
                  std::byte* out) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, x, static_cast<size_t>(width) * sizeof(float));
      return;
    case DType::kF16:
      return encode_words<float_to_fp16>(x, width, out);
    case DType::kBF16:
      return encode_words<float_to_bf16>(x, width, out);
    case DType::kQ4_0:
      return encode_small<BlockQ4_0>(x, width, importance, out);
    case DType::kQ4_1:
      return encode_small<BlockQ4_1>(x, width, importance, out);
    case DType::kQ5_0:
      return encode_small<BlockQ5_0>(x, width, importance, out);
    case DType::kQ5_1:
      return encode_small<BlockQ5_1>(x, width, importance, out);
    case DType::kQ8_0:
      return encode_reference_blocks<BlockQ8_0>(x, width, out);
    case DType::kQ4_K:
      return encode_blocks<BlockQ4_K>(x, width, importance, out);
    case DType::kQ5_K:
      return encode_blocks<BlockQ5_K>(x, width, importance, out);
    case DType::kQ6_K:
      return encode_blocks<BlockQ6_K>(x, width, importance, out);
    case DType::kIQ4_NL:
      return encode_blocks<BlockIQ4_NL>(x, width, importance, out);
    case DType::kIQ4_XS:
      return encode_blocks<BlockIQ4_XS>(x, width, importance, out);
    default:
      ASSERT(can_quantize(dtype));
  }
}

}  // namespace tulou::kernels
