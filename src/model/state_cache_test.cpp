// Tests of the cache's verbs: sharing, copying when written, freeing, and states as bytes.
#include "model/state_cache.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/thread_pool.h"
#include "model/model.h"

namespace tulou::model {
namespace {

class StateCacheTest : public testing::Test {
 protected:
  // Runs tokens of a sequence and returns the last one's logits.
  std::vector<float> run(StateCache& cache, SequenceHandle handle, std::vector<int32_t> tokens) {
    arena_.reset();
    const base::ThreadPool::Lease lease(pool_);
    nn::Pass pass(kernels::select_kernels(""), lease, arena_);
    Batch batch;
    batch.add(handle, tokens, cache.length(handle), Want::kNothing, Want::kLogits);
    EXPECT_TRUE(cache.reserve(handle, static_cast<int64_t>(tokens.size())));
    const ForwardResult result = model_->forward(pass, batch, cache);
    cache.commit(handle, static_cast<int64_t>(tokens.size()));
    cache.check_integrity();
    return {result.logits.begin(), result.logits.end()};
  }
  static std::vector<int32_t> tokens(size_t count, int32_t first) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back((first + static_cast<int32_t>(i) * 5) % 280);
    return ids;
  }
  StateCache make(int64_t sequences, int64_t context = 256) {
    return StateCache(model_->config(), type_,
                      plan_cache(model_->config(), type_, sequences, context));
  }
  static bool same(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  }
  static std::string error_id(const std::function<void()>& action) {
    try {
      action();
    } catch (const base::Error& error) {
      return error.id();
    }
    return "none";
  }

  nn::CacheType type_ = nn::CacheType::kBF16;
  std::unique_ptr<const Model> model_ = [] {
    base::NoProgress progress;
    const auto folder = "tests/golden/cases/qwen3_5_tied_r1/model";
    return Model::load(*checkpoint::Checkpoint::open(folder), progress);
  }();
  base::ThreadPool pool_{1};
  base::Arena arena_;
};

TEST_F(StateCacheTest, ForksShareUntilTheyWrite) {
  StateCache cache = make(4);
  const auto first = *cache.create();
  run(cache, first, tokens(100, 3));
  const int64_t free = cache.num_free_blocks();
  const auto second = *cache.fork(first);
  EXPECT_EQ(cache.num_free_blocks(), free);
  EXPECT_EQ(cache.length(second), 100);
  // Different continuations do not disturb each other, nor the same one later.
  const auto a = run(cache, first, tokens(5, 1));
  const auto b = run(cache, second, tokens(5, 2));
  EXPECT_EQ(cache.num_free_blocks(), free - 1);  // one tail block was copied
  StateCache fresh = make(1);
  const auto alone = *fresh.create();
  run(fresh, alone, tokens(100, 3));
  EXPECT_TRUE(same(run(fresh, alone, tokens(5, 2)), b));
  EXPECT_FALSE(same(a, b));
  cache.release(first);
  cache.release(second);
  EXPECT_EQ(cache.num_free_blocks(), cache.plan().num_blocks);
  EXPECT_EQ(cache.num_free_slots(), cache.plan().num_slots);
}

TEST_F(StateCacheTest, SnapshotsKeepAPrefixAlive) {
  StateCache cache = make(3);
  const auto first = *cache.create();
  run(cache, first, tokens(70, 3));
  const auto kept = *cache.snapshot(first);
  EXPECT_EQ(cache.num_snapshots(), 1);
  const auto expected = run(cache, first, tokens(9, 1));
  cache.release(first);
  const auto again = *cache.fork(kept);
  EXPECT_TRUE(same(run(cache, again, tokens(9, 1)), expected));
  cache.release(again);
  cache.release(kept);
  EXPECT_EQ(cache.num_snapshots(), 0);
  cache.check_integrity();
}

TEST_F(StateCacheTest, ReserveFailsWholeAtTheBound) {
  StateCache cache = make(1, 128);
  const auto first = *cache.create();
  EXPECT_FALSE(cache.create());
  EXPECT_TRUE(cache.reserve(first, 128));
  EXPECT_FALSE(cache.reserve(first, 129));
  run(cache, first, tokens(100, 1));
  const auto second = *cache.fork(first);
  EXPECT_FALSE(cache.reserve(second, 1));  // its tail and its slot would have to be copied
  cache.check_integrity();
  cache.release(first);
  EXPECT_TRUE(cache.reserve(second, 1));
  cache.check_integrity();
}

TEST_F(StateCacheTest, SavedStatesGoOnWithTheSameBits) {
  for (const nn::CacheType type :
       {nn::CacheType::kF32, nn::CacheType::kBF16, nn::CacheType::kF16, nn::CacheType::kQ8_0}) {
    type_ = type;
    StateCache cache = make(2);
    const auto first = *cache.create();
    run(cache, first, tokens(77, 3));
    const auto bytes = cache.save(first);
    const auto expected = run(cache, first, tokens(6, 1));
    StateCache other = make(1);
    const auto loaded = other.load(bytes, "state");
    EXPECT_EQ(other.length(loaded), 77);
    EXPECT_TRUE(same(run(other, loaded, tokens(6, 1)), expected));
  }
}

TEST_F(StateCacheTest, DamagedOrForeignStatesAreRefused) {
  StateCache cache = make(1);
  const auto first = *cache.create();
  run(cache, first, tokens(20, 3));
  const auto bytes = cache.save(first);
  cache.release(first);
  for (size_t length = 0; length < bytes.size(); length += 997) {
    const std::span<const std::byte> cut(bytes.data(), length);
    EXPECT_EQ(error_id([&] { cache.load(cut, "s"); }), "cache.corrupt") << length;
  }
  for (size_t at = 0; at < bytes.size(); at += 501) {
    if (at >= 20 && at < 24) continue;  // reserved
    auto damaged = bytes;
    damaged[at] ^= std::byte{0x10};
    EXPECT_NE(error_id([&] { cache.load(damaged, "s"); }), "none") << at;
  }
  StateCache other(model_->config(), nn::CacheType::kF32,
                   plan_cache(model_->config(), nn::CacheType::kF32, 1, 256));
  EXPECT_EQ(error_id([&] { other.load(bytes, "s"); }), "cache.incompatible");
  StateCache small = make(1, 0);
  EXPECT_EQ(error_id([&] { small.load(bytes, "s"); }), "cache.full");
  small.check_integrity();
  EXPECT_EQ(small.num_free_slots(), 1);
}

TEST_F(StateCacheTest, SizesAreThoseOfTheModel) {
  ModelConfig config;  // Qwen3.5-0.8B: reference table 2.8
  config.layers.assign(24, {});
  for (size_t i = 0; i < 24; ++i)
    config.layers[i].mixer = i % 4 == 3 ? Mixer::kFullAttention : Mixer::kLinearAttention;
  config.num_key_value_heads = 2;
  config.head_dim = 256;
  config.linear_num_key_heads = config.linear_num_value_heads = 16;
  config.linear_key_head_dim = config.linear_value_head_dim = 128;
  config.linear_conv_kernel_dim = 4;
  EXPECT_EQ(config.kv_bytes_per_token(nn::CacheType::kBF16), 12288u);
  EXPECT_EQ(config.kv_bytes_per_token(nn::CacheType::kF16), 12288u);
  EXPECT_EQ(config.kv_bytes_per_token(nn::CacheType::kF32), 24576u);
  EXPECT_EQ(config.kv_bytes_per_token(nn::CacheType::kQ8_0), 6528u);  // 34 bytes for 32 values
  EXPECT_EQ(config.recurrent_bytes(), 18874368u + 1327104u);
}

}  // namespace
}  // namespace tulou::model
