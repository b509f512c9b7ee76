// Tests of the blocks that do not need a whole model: matrix products, rope tables, routing, the
// head.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <mutex>
#include <random>
#include <utility>

#include "kernels/quant/dequantize.h"
#include "nn/head.h"
#include "nn/linear.h"
#include "nn/moe.h"
#include "nn/rope.h"
#include "tensor/float16.h"

namespace tulou::nn {
namespace {

// What a pass needs, for one test.
struct Fixture {
  explicit Fixture(size_t num_threads = 2, Precision precision = Precision::kDefault)
      : pool(num_threads),
        lease(pool),
        pass(kernels::select_kernels(""), lease, arena, precision, &cancel) {}
  base::ThreadPool pool;
  base::ThreadPool::Lease lease;
  base::Arena arena;
  std::atomic<bool> cancel{false};
  Pass pass;
};

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

tensor::TensorView view_of(const std::vector<float>& values, int64_t rows) {
  return {reinterpret_cast<const std::byte*>(values.data()),
          tensor::DType::kF32,
          {rows, static_cast<int64_t>(values.size()) / rows}};
}

// A random matrix in BF16, to have a type whose rows are decoded.
struct Bf16Matrix {
  Bf16Matrix(int64_t rows, int64_t width, uint32_t seed) {
    for (const float value : random_floats(static_cast<size_t>(rows * width), seed))
      stored.push_back(tensor::float_to_bf16(value));
    view = {reinterpret_cast<const std::byte*>(stored.data()), tensor::DType::kBF16, {rows, width}};
  }
  std::vector<uint16_t> stored;
  tensor::TensorView view;
};

// Of a large matrix in pieces, of chosen rows all at once.
TEST(Linear, TellsOncePackedOfEveryStoredRow) {
  const Fixture s;
  const Bf16Matrix weight(3000, 520, 4);
  const std::vector<int64_t> chosen = {7, 3, 2999};
  for (const std::span<const int64_t> rows : {std::span<const int64_t>(), std::span(chosen)}) {
    base::Slab memory(size_t{4} << 20, "both");
    std::mutex mutex;
    std::vector<int> told(3000);
    size_t calls = 0;
    const Linear linear(
        weight.view, "w", rows,
        {&s.lease, &memory, [&](const auto& packed) {
           const std::lock_guard lock(mutex);
           ++calls;
           for (int64_t r = 0; r < packed.shape.rows(); ++r)
             ++told[static_cast<size_t>((packed.row(r) - weight.view.data) / (2 * 520))];
         }});
    EXPECT_EQ(told, std::vector<int>(3000, 1));
    EXPECT_EQ(calls > 1, rows.empty());
    EXPECT_EQ(linear.unpack(s.pass.kernels()),
              Linear(weight.view, "w", rows).unpack(s.pass.kernels()));
  }
}

TEST(Linear, MultipliesAddsBiasAndAccumulates) {
  Fixture s(2, Precision::kExact);
  const int64_t out = 37, in = 50, rows = 5;
  const Bf16Matrix weight(out, in, 1);
  Linear linear(weight.view, "test");
  linear.set_bias(random_floats(static_cast<size_t>(out), 2));
  const auto bias = random_floats(static_cast<size_t>(out), 2);
  const auto x = random_floats(static_cast<size_t>(rows * in), 3);
  const auto unpacked = linear.unpack(s.pass.kernels());
  const Matrix y = s.pass.matrix(rows, out);
  linear.multiply(s.pass, Linear::prepare(s.pass, {x.data(), rows, in}), y);
  const std::vector<float> first(y.data, y.data + rows * out);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = static_cast<double>(bias[static_cast<size_t>(o)]);
      double magnitude = std::abs(sum);
      for (int64_t i = 0; i < in; ++i) {
        const double product = static_cast<double>(x[static_cast<size_t>(r * in + i)]) *
                               static_cast<double>(unpacked[static_cast<size_t>(o * in + i)]);
        sum += product;
        magnitude += std::abs(product);
      }
      // in + 1 roundings of partial sums, none larger than the sum of magnitudes.
      const double tolerance = static_cast<double>(in + 2) * 0x1p-24 * magnitude;
      ASSERT_NEAR(static_cast<double>(y.row(r)[o]), sum, tolerance);
    }
  }
  linear.multiply(s.pass, Linear::prepare(s.pass, {x.data(), rows, in}), y, Linear::Epilogue::kAdd);
  for (size_t i = 0; i < first.size(); ++i) ASSERT_EQ(y.data[i], first[i] + first[i]);
}

// Each row alone, and all together with tiles that are not full; in a group of matrices that takes
// x in all the forms that the level has.
TEST(Linear, RowsDoNotChangeBits) {
  const int64_t rows = 37, in = 96, out = 50;
  std::vector<std::byte> stored(tensor::row_bytes(tensor::DType::kQ8_0, in) * out);
  for (size_t i = 0; i < stored.size(); ++i)  // scales, fp16 at the start of 34 bytes, of 2^-6
    stored[i] = static_cast<std::byte>(i % 34 == 0 ? 0 : i % 34 == 1 ? 0x24 : i * 7 + i / 34);
  const Bf16Matrix bf16(out, in, 1);
  const auto floats = random_floats(static_cast<size_t>(out * in), 2);
  const Linear a({stored.data(), tensor::DType::kQ8_0, {out, in}}, "a"), b(bf16.view, "b"),
      c(view_of(floats, out), "c");
  const Linear* const linears[] = {&a, &b, &c};
  const auto x = random_floats(static_cast<size_t>(rows * in), 3);
  Fixture s;
  const Matrix all[] = {s.pass.matrix(rows, out), s.pass.matrix(rows, out),
                        s.pass.matrix(rows, out)};
  multiply_group(s.pass, Linear::prepare(s.pass, {x.data(), rows, in}), linears, all);
  for (int64_t r = 0; r < rows; ++r) {
    const Matrix one[] = {s.pass.matrix(1, out), s.pass.matrix(1, out), s.pass.matrix(1, out)};
    multiply_group(s.pass, Linear::prepare(s.pass, {x.data() + r * in, 1, in}), linears, one);
    for (size_t i = 0; i < 3; ++i)
      ASSERT_EQ(std::memcmp(one[i].data, all[i].row(r), out * sizeof(float)), 0) << r << " " << i;
  }
}

TEST(Linear, RecipesFollowTypeLevelAndPrecision) {
  const Bf16Matrix bf16(16, 32, 1);
  const Linear plain(bf16.view, "plain");
  const std::vector<std::byte> stored(tensor::row_bytes(tensor::DType::kQ8_0, 32) * 16);
  const Linear blocks({stored.data(), tensor::DType::kQ8_0, {16, 32}}, "blocks");
  for (const auto level : hardware::available_levels()) {
    const kernels::Kernels& kernels = kernels::kernels_for(level);
    const bool amx = level == hardware::Level::kAmx;
    using enum kernels::Recipe;
    EXPECT_EQ(plain.recipe(kernels, Precision::kDefault), amx ? kBf16 : kFp32);
    EXPECT_EQ(blocks.recipe(kernels, Precision::kDefault, kBf16PrefillRows), kInt8);
    EXPECT_EQ(blocks.recipe(kernels, Precision::kBf16Prefill, kBf16PrefillRows - 1), kInt8);
    EXPECT_EQ(blocks.recipe(kernels, Precision::kBf16Prefill, kBf16PrefillRows),
              amx ? kBf16 : kInt8);
    for (const Linear* linear : {&plain, &blocks})
      EXPECT_EQ(linear->recipe(kernels, Precision::kExact, kBf16PrefillRows), kFp32);
  }
}

TEST(Linear, GroupGivesTheBitsOfEachAlone) {
  Fixture s;
  const Bf16Matrix a(24, 64, 1), b(7, 64, 2);
  const Linear first(a.view, "a"), second(b.view, "b");
  const auto x = random_floats(64 * 3, 3);
  const Activations in = Linear::prepare(s.pass, {x.data(), 3, 64});
  const Matrix ya = s.pass.matrix(3, 24), yb = s.pass.matrix(3, 7), alone = s.pass.matrix(3, 7);
  const Linear* linears[] = {&first, &second};
  const Matrix results[] = {ya, yb};
  multiply_group(s.pass, in, linears, results);
  second.multiply(s.pass, in, alone);
  EXPECT_EQ(std::memcmp(yb.data, alone.data, 21 * sizeof(float)), 0);
}

// More panels than one piece has, the last of them not full; few and many rows; matrices in int8
// and fp32.
TEST(Linear, GatedGivesTheBitsOfTheSteps) {
  const int64_t rows = 9, in = 64, out = 16 * 70 + 5;
  std::vector<std::byte> stored(tensor::row_bytes(tensor::DType::kQ8_0, in) * out);
  for (size_t i = 0; i < stored.size(); ++i)  // as in RowsDoNotChangeBits
    stored[i] = static_cast<std::byte>(i % 34 == 0 ? 0 : i % 34 == 1 ? 0x24 : i * 7 + i / 34);
  const Bf16Matrix bf16(out, in, 1);
  Linear blocks({stored.data(), tensor::DType::kQ8_0, {out, in}}, "blocks");
  blocks.set_bias(random_floats(static_cast<size_t>(out), 2));
  const Linear plain(bf16.view, "plain");
  const auto x = random_floats(static_cast<size_t>(rows * in), 3);
  Fixture s;
  const std::pair<const Linear*, const Linear*> pairs[] = {{&blocks, &plain}, {&plain, &blocks}};
  for (const auto& [gate, up] : pairs) {
    for (const int64_t count : {int64_t{1}, int64_t{3}, rows}) {
      const Activations some = Linear::prepare(s.pass, {x.data(), count, in});
      const Matrix a = s.pass.matrix(count, out), b = s.pass.matrix(count, out),
                   y = s.pass.matrix(count, out);
      gate->multiply(s.pass, some, a);
      up->multiply(s.pass, some, b);
      for (int64_t r = 0; r < count; ++r)
        s.pass.kernels().activation.silu_mul(a.row(r), b.row(r), a.row(r), out);
      multiply_gated(s.pass, some, *gate, *up, y);
      EXPECT_EQ(std::memcmp(y.data, a.data, static_cast<size_t>(count * out) * sizeof(float)), 0);
    }
  }
}

TEST(Linear, TakesRowsInTheGivenOrder) {
  Fixture s;
  const Bf16Matrix weight(6, 16, 1);
  const std::vector<int64_t> rows = {4, 0, 4};
  const Linear picked(weight.view, "test", rows);
  ASSERT_EQ(picked.out_features(), 3);
  std::vector<float> expected(16), actual(16);
  for (size_t i = 0; i < rows.size(); ++i) {
    kernels::dequantize_row(tensor::DType::kBF16, weight.view.row(rows[i]), expected.data(), 16);
    picked.row(s.pass, static_cast<int64_t>(i), actual.data());
    EXPECT_EQ(actual, expected);
  }
}

TEST(Linear, TransposedIsTheWayBack) {
  Fixture s;
  const int64_t out = 11, in = 130, rows = 3;
  const Bf16Matrix weight(out, in, 1);
  const Linear linear(weight.view, "test");
  const auto dy = random_floats(static_cast<size_t>(rows * out), 2);
  const Matrix dx = s.pass.matrix(rows, in);
  linear.multiply_transposed(s.pass, {dy.data(), rows, out}, dx);
  const auto w = linear.unpack(s.pass.kernels());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < in; ++i) {
      double sum = 0, magnitude = 0;
      for (int64_t o = 0; o < out; ++o) {
        const double product = static_cast<double>(dy[static_cast<size_t>(r * out + o)]) *
                               static_cast<double>(w[static_cast<size_t>(o * in + i)]);
        sum += product;
        magnitude += std::abs(product);
      }
      ASSERT_NEAR(static_cast<double>(dx.row(r)[i]), sum,
                  static_cast<double>(out + 1) * 0x1p-24 * magnitude);
    }
  }
}

TEST(Linear, EachRowHasItsOwnAdapterOrNone) {
  Fixture s;
  const int64_t out = 9, in = 20, rank = 2;
  const Bf16Matrix weight(out, in, 1);
  const Linear linear(weight.view, "test");
  const auto a = random_floats(static_cast<size_t>(rank * in), 2);
  const auto b = random_floats(static_cast<size_t>(out * rank), 3);
  const Adapter adapter = {a.data(), b.data(), rank, 0.5f};
  const auto x = random_floats(static_cast<size_t>(2 * in), 4);
  const Activations prepared = Linear::prepare(s.pass, {x.data(), 2, in});
  const Matrix plain = s.pass.matrix(2, out), adapted = s.pass.matrix(2, out);
  linear.multiply(s.pass, prepared, plain);
  const Adapter* adapters[] = {nullptr, &adapter};
  linear.multiply(s.pass, prepared, adapted, adapters);
  EXPECT_EQ(std::memcmp(adapted.row(0), plain.row(0), out * sizeof(float)), 0);
  for (int64_t o = 0; o < out; ++o) {
    double change = 0;
    for (int64_t r = 0; r < rank; ++r) {
      double low = 0;
      for (int64_t i = 0; i < in; ++i)
        low += static_cast<double>(a[static_cast<size_t>(r * in + i)]) *
               static_cast<double>(x[static_cast<size_t>(in + i)]);
      change += static_cast<double>(b[static_cast<size_t>(o * rank + r)]) * low;
    }
    EXPECT_NEAR(static_cast<double>(adapted.row(1)[o] - plain.row(1)[o]), 0.5 * change, 1e-4);
  }
}

TEST(Rope, AnglesFollowTheAxesOfThePosition) {
  Fixture s;
  Rope rope;
  rope.inv_freq = {1.0, 0.1, 0.01};
  rope.axis = {0, 1, 2};
  rope.scale = 2.0;
  const std::array<int32_t, 3> positions[] = {{0, 0, 0}, {3, 50, 700}};
  const RopeTable table = rope_table(s.pass, rope, positions);
  const double angles[] = {3.0, 5.0, 7.0};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(table.cos.row(0)[i], 2.0f);
    EXPECT_EQ(table.sin.row(0)[i], 0.0f);
    EXPECT_FLOAT_EQ(table.cos.row(1)[i], static_cast<float>(2 * std::cos(angles[i])));
    EXPECT_FLOAT_EQ(table.sin.row(1)[i], static_cast<float>(2 * std::sin(angles[i])));
  }
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};  // one head of 8: the last two pass through
  rotate_head(s.pass.kernels(), rope, table, 1, x.data());
  EXPECT_FLOAT_EQ(x[0], static_cast<float>(2 * (std::cos(3.0) * 1 - std::sin(3.0) * 4)));
  EXPECT_FLOAT_EQ(x[3], static_cast<float>(2 * (std::cos(3.0) * 4 + std::sin(3.0) * 1)));
  EXPECT_EQ(x[6], 7.0f);
  EXPECT_EQ(x[7], 8.0f);
}

// Equal router logits: the experts with the lower numbers are chosen, with equal shares.
TEST(Moe, TiesGoToTheLowerExpert) {
  Fixture s;
  const int64_t hidden = 8, experts = 4;
  MoeWeights w;
  const std::vector<float> zeros(static_cast<size_t>(experts * hidden), 0.0f);
  w.gate = Linear(view_of(zeros, experts), "gate");
  for (uint32_t e = 0; e < experts; ++e) {
    const auto gate = random_floats(static_cast<size_t>(4 * hidden), 10 + e);
    const auto up = random_floats(static_cast<size_t>(4 * hidden), 20 + e);
    const auto down = random_floats(static_cast<size_t>(hidden * 4), 30 + e);
    w.experts.push_back({Linear(view_of(gate, 4), "g"), Linear(view_of(up, 4), "u"),
                         Linear(view_of(down, hidden), "d")});
  }
  const auto x = random_floats(static_cast<size_t>(hidden), 1);
  const ConstMatrix in(x.data(), 1, hidden);
  const Matrix y = moe(s.pass, {2, true}, w, in);
  const Matrix first = mlp(s.pass, w.experts[0], in), second = mlp(s.pass, w.experts[1], in);
  for (int64_t i = 0; i < hidden; ++i)
    EXPECT_NEAR(y.row(0)[i], 0.5f * first.row(0)[i] + 0.5f * second.row(0)[i], 1e-6f);
}

TEST(Pass, SkipsTheRestOnceCancelled) {
  Fixture s(1);
  size_t runs = 0;
  s.pass.parallel_for(10, [&](size_t index, size_t) {
    ++runs;
    if (index == 3) s.cancel = true;
  });
  EXPECT_EQ(runs, 4u);
  EXPECT_TRUE(s.pass.cancelled());
}

TEST(Head, LogSumExpIsStable) {
  const std::vector<float> logits = {1000.0f, 1000.0f, -1000.0f};
  EXPECT_NEAR(log_sum_exp(logits), 1000.0 + std::log(2.0), 1e-9);
}

}  // namespace
}  // namespace tulou::nn
