// The recipe rule of attention over pasts of several spans: golden cases are shorter.
#include "nn/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace tulou::nn {
namespace {

constexpr int64_t kHidden = 32, kTokens = 1100;

std::vector<float> random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

Linear random_linear(int64_t out, int64_t in, uint32_t seed) {
  const std::vector<float> values = random_floats(out * in, seed);
  return Linear({reinterpret_cast<const std::byte*>(values.data()), tensor::DType::kF32, {out, in}},
                "test");
}

// A layer with 3 query heads for each of 2 KV heads, and its cache for one sequence.
struct Layer {
  AttentionConfig config{6, 2, 16, true, true};
  AttentionWeights weights;
  Rope rope;
  size_t block_bytes;
  std::vector<std::byte> memory;
  std::vector<int32_t> blocks;
  CacheType type;

  explicit Layer(CacheType cache_type) : type(cache_type) {
    weights.q_proj = random_linear(2 * 6 * 16, kHidden, 1);
    weights.k_proj = random_linear(2 * 16, kHidden, 2);
    weights.v_proj = random_linear(2 * 16, kHidden, 3);
    weights.o_proj = random_linear(kHidden, 6 * 16, 4);
    weights.q_norm.weight = random_floats(16, 5);
    weights.k_norm.weight = random_floats(16, 6);
    for (int i = 0; i < 4; ++i) {
      rope.inv_freq.push_back(0.01 * i);
      rope.axis.push_back(0);
    }
    block_bytes = 4 * kernels::cache_plane_bytes(type, 16);
    for (int32_t i = 0; i <= kTokens / kKvBlockTokens; ++i) blocks.push_back(i);
    memory.resize(blocks.size() * block_bytes, std::byte{0xff});  // NaN
  }

  // Rows [from, to) of x in one pass; [to - from][kHidden].
  std::vector<float> run(const std::vector<float>& x, int64_t from, int64_t to, size_t threads) {
    base::ThreadPool pool(threads);
    const base::ThreadPool::Lease lease(pool);
    base::Arena arena;
    Pass pass(kernels::select_kernels(""), lease, arena);
    std::vector<std::array<int32_t, 3>> positions;
    for (int64_t t = from; t < to; ++t) positions.push_back({static_cast<int32_t>(t), 0, 0});
    AttentionRows rows{0, to - from, {type, from, blocks, memory.data(), block_bytes}};
    const Matrix out =
        attention_block(pass, config, weights, rope, rope_table(pass, rope, positions),
                        {x.data() + from * kHidden, to - from, kHidden}, {&rows, 1});
    return {out.data, out.data + out.rows * out.width};
  }
};

TEST(AttentionBlock, LongPastsGiveTheSameBitsHoweverTheyAreSplit) {
  const std::vector<float> x = random_floats(kTokens * kHidden, 7);
  for (const CacheType type :
       {CacheType::kF32, CacheType::kBF16, CacheType::kF16, CacheType::kQ8_0}) {
    Layer whole(type), cut(type);
    const std::vector<float> expected = whole.run(x, 0, kTokens, 1);
    cut.run(x, 0, 500, 2);
    // One row at a time, alone by spans on several threads and whole on one, then some together.
    for (int64_t t = 500, rows = 1; t < kTokens; t += rows) {
      rows = t < 530 || t >= 1020 ? 1 : t < 1000 ? 47 : 5;
      rows = std::min(rows, kTokens - t);
      const std::vector<float> got = cut.run(x, t, t + rows, 1 + static_cast<size_t>(t % 3));
      ASSERT_EQ(std::memcmp(got.data(), expected.data() + t * kHidden, got.size() * sizeof(float)),
                0)
          << "row " << t << " type " << static_cast<int>(type);
    }
    for (const float value : expected) ASSERT_TRUE(std::isfinite(value));
  }
}

}  // namespace
}  // namespace tulou::nn
