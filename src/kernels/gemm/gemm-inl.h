// The kernels of gemm.h on the vectors of simd-inl.h; included once a level by gemm.cpp.

#include "kernels/gemm/block-inl.h"
#include "kernels/gemm/float-inl.h"
#if TULOU_SIMD >= 2
#include "kernels/gemm/int8-inl.h"
#else
#include "kernels/gemm/int8_plain-inl.h"
#endif

void gemm(const GemmArgs& a) {
  if (a.quantized.values == nullptr) return float_gemm(a);
  with_block_type(a.type, [&]<tensor::DType kType>() { int8_type<kType>(a); });
}

void quantize(const float* x, int64_t k, const QuantizedRows& row) {
  for (int64_t b = 0; b < k / kBlock; ++b) {
    const float* from = x + kBlock * b;
    V most = zero();
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      const V value = load(from + i);
      most = max(most, max(value, sub(zero(), value)));
    }
    float lanes[kLanes], largest = 0, rest = 0;
    store(lanes, most);
    for (int64_t i = 0; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
    // 0 for finite values, else NaN: max() does not see every NaN.
    for (int64_t i = 0; i < kBlock; ++i) rest += from[i] * 0.0f;
    float rounded[kBlock] = {};
    const bool finite = rest == 0.0f;
    // Smaller ones are 0 beside anything else, and 127 / largest might overflow.
    if (finite && largest > 0x1p-100f) {
      const V inverse = set1(127.0f / largest);
      for (int64_t i = 0; i < kBlock; i += kLanes)
        store(rounded + i, round_nearest(mul(load(from + i), inverse)));
    } else {
      largest = finite ? 0.0f : __builtin_nanf("");
    }
    const int64_t at = b * row.tile_rows;
    int32_t sums[2] = {};
    for (int64_t i = 0; i < kBlock; ++i) {
      const auto value = static_cast<int32_t>(rounded[i]);
      row.values[kBlock * at + i] = static_cast<int8_t>(value);
      sums[i / 16] += value;
    }
    row.scale[at] = largest / 127.0f;
    row.sum[at] = sums[0] + sums[1];
    row.half_sums[at] = static_cast<int32_t>(static_cast<uint32_t>(sums[1]) << 16 |
                                             (static_cast<uint32_t>(sums[0]) & 0xffffu));
    row.scaled_sum[at] = row.scale[at] * static_cast<float>(row.sum[at]);
  }
}

void unpack(tensor::DType type, const std::byte* panel, int64_t r, int64_t begin, int64_t end,
            float* out) {
  const bool blocks = panel_layout(type).group_values >= kBlock;
  const int64_t step = blocks ? kBlock : 1;
  const int64_t first = begin / step * step;
  alignas(64) float values[kBlock * kPanelRows];
  for (int64_t k = first; k < end; k += kBlock) {
    const int64_t stop = blocks ? k + kBlock : std::min(end, k + kBlock);
    expand_floats(type, panel, k, stop, values);
    for (int64_t i = std::max(begin, k); i < std::min(end, stop); ++i)
      out[i - begin] = values[(i - k) * kPanelRows + r];
  }
}
