// Packed panels and the quantisation of activations at each level, against reference decoders.
#include "kernels/gemm/panel.h"

#include "kernels/gemm/gemm_testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

TEST(Panel, HoldsTheBitsOfTheReferenceDecoder) {
  Random random(1);
  for (const DType dtype : types(false)) {
    const int64_t block = tensor::info(dtype).block_size;
    for (const int64_t blocks : {1, 2, 3, 5, 9}) {
      const int64_t k = blocks * block, n = random.between(1, 40);
      // Scales of any bits, so infinities, NaN and denormals among them.
      const auto row = static_cast<int64_t>(tensor::row_bytes(dtype, k));
      Fenced<std::byte> stored(n * row);
      for (int64_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<std::byte>(random.next());
      const Fenced<std::byte> panels = packed(stored, dtype, n, k);
      const size_t bytes = panel_bytes(panel_type(dtype), k);
      std::vector<float> expected(static_cast<size_t>(k));
      for (int64_t r = 0; r < n; ++r) {
        dequantize_row(dtype, stored.data() + r * row, expected.data(), k);
        for (const auto level : levels()) {
          const int64_t begin = r % 2 == 0 ? 0 : random.below(k);
          const int64_t end = r % 2 == 0 ? k : random.between(begin, k);
          Fenced<float> out(end - begin);
          gemm_kernels(level).unpack(panel_type(dtype),
                                     panels.data() + static_cast<size_t>(r / kPanelRows) * bytes,
                                     r % kPanelRows, begin, end, out.data());
          for (int64_t j = begin; j < end; ++j)
            ASSERT_TRUE(same_value(out[j - begin], expected[static_cast<size_t>(j)]))
                << hardware::name(level) << " " << tensor::name(dtype) << " row " << r << " at "
                << j << ": " << out[j - begin] << ", " << expected[static_cast<size_t>(j)];
        }
      }
    }
  }
}

TEST(Quantize, RoundsToTheNearestOfABlocksScale) {
  Random random(2);
  for (const auto level : levels()) {
    for (int i = 0; i < 100; ++i) {
      const int64_t k = random.between(1, 12) * kBlock;
      const Fenced<float> x = uniform(random, k, -3, 3);
      Quantized q(1, k);
      gemm_kernels(level).quantize(x.data(), k, q.rows());
      for (int64_t b = 0; b < k / kBlock; ++b) {
        float largest = 0;
        int32_t sums[2] = {};
        for (int64_t j = 0; j < kBlock; ++j) {
          const float value = x[b * kBlock + j];
          const int code = q.values[b * kBlock + j];
          largest = std::max(largest, std::abs(value));
          sums[j / 16] += code;
          ASSERT_LE(std::abs(code), 127);
          // Half a step, and the roundings of the inverse scale and the product (codes <= 127).
          ASSERT_LE(std::abs(value / q.scale[b] - static_cast<float>(code)), 0.5f + 127 * 0x1p-21f);
        }
        ASSERT_EQ(q.scale[b], largest / 127.0f);
        ASSERT_EQ(q.sum[b], sums[0] + sums[1]);
        ASSERT_EQ(static_cast<int16_t>(q.half_sums[b] & 0xffff), sums[0]);
        ASSERT_EQ(q.half_sums[b] >> 16, sums[1]);
        ASSERT_EQ(q.scaled_sum[b], q.scale[b] * static_cast<float>(q.sum[b]));
      }
    }
  }
}

TEST(Quantize, ZerosTinyAndNotFiniteBlocks) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto level : levels()) {
    for (const float special : {0.0f, 1e-35f, 3e38f, infinity, -infinity, std::nanf("")}) {
      Fenced<float> x(3 * kBlock);
      x.fill(1.0f);
      for (int64_t i = 0; i < kBlock; ++i) x[kBlock + i] = i == 7 ? special : 0.0f;
      Quantized q(1, x.size());
      gemm_kernels(level).quantize(x.data(), x.size(), q.rows());
      EXPECT_EQ(q.sum[0], 32 * 127);
      EXPECT_EQ(q.sum[2], 32 * 127);
      if (special == 3e38f) {
        EXPECT_EQ(q.values[kBlock + 7], 127);
        EXPECT_EQ(q.scale[1], 3e38f / 127.0f);
      } else if (std::isfinite(special)) {
        EXPECT_EQ(q.scale[1], 0.0f);
        EXPECT_EQ(q.sum[1], 0);
      } else {
        EXPECT_TRUE(std::isnan(q.scale[1]) && std::isnan(q.scaled_sum[1]));
      }
    }
  }
}

}  // namespace
}  // namespace tulou::kernels
