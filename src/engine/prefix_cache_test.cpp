// Tests of prefix_cache.h; what it does for prompts is in scheduler_test.
#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"
#include "model/model.h"

namespace tulou::engine {
namespace {

class PrefixCacheTest : public testing::TestWithParam<const char*> {
 protected:
  PrefixCacheTest() {
    const std::string folder = std::string("tests/golden/cases/") + GetParam() + "/model";
    const model::ModelConfig config =
        model::read_model_config(*checkpoint::Checkpoint::open(folder));
    model::CachePlan plan = model::plan_cache(config, nn::CacheType::kF32, 4, 64 * 20);
    plan.num_slots = 60;
    cache_ = std::make_unique<model::StateCache>(config, nn::CacheType::kF32, plan);
    prefixes_ = std::make_unique<PrefixCache>(*cache_, recurrent(), 4);
  }
  static bool recurrent() { return std::string(GetParam()).starts_with("qwen3_5"); }
  static std::vector<int32_t> text(size_t length, int32_t first = 0) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < length; ++i) tokens.push_back(static_cast<int32_t>(i));
    tokens[0] = first;
    return tokens;
  }
  void keep(const std::string& scope, const std::vector<int32_t>& tokens) {
    const auto handle = cache_->create();
    ASSERT_TRUE(cache_->reserve(*handle, static_cast<int64_t>(tokens.size())));
    cache_->commit(*handle, static_cast<int64_t>(tokens.size()));
    prefixes_->insert(scope, tokens, *handle);
    cache_->release(*handle);
  }
  int64_t found(const std::string& scope, const std::vector<int32_t>& tokens) {
    const auto handle = prefixes_->match(scope, tokens);
    if (!handle) return 0;
    const int64_t length = cache_->length(*handle);
    cache_->release(*handle);
    return length;
  }

  std::unique_ptr<model::StateCache> cache_;
  std::unique_ptr<PrefixCache> prefixes_;
};

TEST_P(PrefixCacheTest, FindsTheLongestPrefix) {
  keep("", text(100));
  keep("", text(70));
  EXPECT_EQ(found("", text(200)), 100);
  EXPECT_EQ(found("", text(101)), 100);
  EXPECT_EQ(found("", text(100)), recurrent() ? 70 : 99);  // one token is left to compute
  EXPECT_EQ(found("", text(80)), recurrent() ? 70 : 79);
  EXPECT_EQ(found("", text(60)), recurrent() ? 0 : 59);
  EXPECT_EQ(prefixes_->find("", text(60)).known, 59);
  EXPECT_EQ(found("", text(200, 5)), 0);
  EXPECT_EQ(found("other", text(200)), 0);
  EXPECT_EQ(found("", {}), 0);
  cache_->check_integrity();
}

TEST_P(PrefixCacheTest, TheLeastUsedGoesFirst) {
  for (int32_t i = 0; i < 4; ++i) keep("", text(10, i));
  EXPECT_EQ(found("", text(20, 0)), 10);
  keep("", text(10, 1));  // there already
  EXPECT_EQ(prefixes_->stats().entries, 4);
  keep("", text(10, 4));  // beyond the bound: 2 goes
  EXPECT_EQ(found("", text(20, 2)), 0);
  for (const int32_t i : {0, 1, 3, 4}) EXPECT_EQ(found("", text(20, i)), 10) << i;
  while (prefixes_->evict()) {
  }
  EXPECT_EQ(prefixes_->stats().entries, 0);
  EXPECT_EQ(cache_->num_free_blocks(), cache_->plan().num_blocks);
  EXPECT_EQ(cache_->num_free_slots(), cache_->plan().num_slots);
  EXPECT_EQ(prefixes_->stats().evictions, 5);
}

INSTANTIATE_TEST_SUITE_P(Models, PrefixCacheTest, testing::Values("qwen3_5_tied_r1", "qwen3_tied"));

}  // namespace
}  // namespace tulou::engine
