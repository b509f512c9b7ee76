// Packed panels and the quantisation of activations at each level, against reference decoders.
#include "kernels/gemm/panel.h"

#include <array>

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

// Sum of squared differences of a block from its whole numbers times `scale`.
double squared_error(const float* x, const std::array<double, kBlock>& whole, double scale) {
  double sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += std::pow(x[i] - whole[i] * scale, 2);
  return sum;
}

// The least error of a block over all that its largest value may become, and of 127 alone.
std::array<double, 2> best_errors(const float* x) {
  double largest = 0, best = 1e300, plain = 0;
  for (size_t i = 0; i < kBlock; ++i)
    largest = std::max(largest, std::abs(static_cast<double>(x[i])));
  for (int top = 127; top >= 120; --top) {
    std::array<double, kBlock> whole;
    for (size_t i = 0; i < kBlock; ++i) whole[i] = std::nearbyint(x[i] / largest * top);
    best = std::min(best, squared_error(x, whole, largest / top));
    if (top == 127) plain = best;
  }
  return {best, plain};
}

// Each block has the error of the best of its eight scales or less, together clearly less than with
// 127 for the largest value; the sums are those of the whole numbers.
TEST(Quantize, LeavesTheLeastErrorOfItsScales) {
  Random random(12);
  for (const double size : {1e-25, 1.0, 1e37}) {
    const auto x = uniform(random, 64 * kBlock, -size, size);
    for (const auto level : levels()) {
      Quantized to(1, x.size());
      gemm_kernels(level).quantize(x.data(), x.size(), to.rows());
      double total = 0, plain = 0;
      for (int64_t b = 0; b < 64; ++b) {
        const float* from = x.data() + b * kBlock;
        std::array<double, kBlock> whole;
        std::array<int, 2> sums = {};
        for (size_t i = 0; i < kBlock; ++i) {
          const int value = to.values[b * kBlock + static_cast<int64_t>(i)];
          whole[i] = value;
          sums[i / 16] += value;
          ASSERT_LE(std::abs(value), 127);
        }
        const double error = squared_error(from, whole, to.scale[b]);
        const auto [least, of_127] = best_errors(from);
        ASSERT_LE(error, least * (1 + 1e-3)) << hardware::name(level) << " block " << b;
        total += error;
        plain += of_127;
        ASSERT_EQ(to.sum[b], sums[0] + sums[1]);
        ASSERT_EQ(static_cast<int16_t>(to.half_sums[b] & 0xffff), sums[0]);
        ASSERT_EQ(to.half_sums[b] >> 16, sums[1]);
        ASSERT_EQ(to.scaled_sum[b], to.scale[b] * static_cast<float>(to.sum[b]));
      }
      EXPECT_LE(total, 0.9 * plain) << hardware::name(level);
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
