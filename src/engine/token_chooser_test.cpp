// Tests of token_chooser.h.
#include "engine/token_chooser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace tulou::engine {
namespace {

// Does what the test says, and remembers what it was told.
class ScriptedGuide final : public TokenGuide {
 public:
  explicit ScriptedGuide(Next next, std::vector<int32_t> banned = {})
      : next_(next), banned_(std::move(banned)) {}
  Next next(std::span<uint32_t> mask) override {
    if (throws) throw std::runtime_error("no rule");
    for (const int32_t token : banned_)
      mask[static_cast<size_t>(token / 32)] &= ~(uint32_t{1} << (token % 32));
    return next_;
  }
  void accept(int32_t token) override { accepted.push_back(token); }
  std::vector<int32_t> accepted;
  bool throws = false;

 private:
  Next next_;
  std::vector<int32_t> banned_;
};

class TokenChooserTest : public testing::Test {
 protected:
  TokenChooserTest() {
    sequence_.request.prompt = {1, 2};
    sequence_.request.greedy = true;
    sequence_.tokens = {1, 2};
  }
  ScriptedGuide& guide(TokenGuide::Next next, std::vector<int32_t> banned = {}) {
    auto made = std::make_unique<ScriptedGuide>(next, std::move(banned));
    ScriptedGuide& result = *made;
    sequence_.guides.push_back(std::move(made));
    return result;
  }
  Chosen choose() {
    std::vector<float> logits = logits_;
    return TokenChooser().choose(sequence_, logits);
  }

  Sequence sequence_;
  std::vector<float> logits_ = std::vector<float>(40, 0.0f);
};

TEST_F(TokenChooserTest, BiasAndBansCount) {
  logits_[7] = 2;
  EXPECT_EQ(choose().token.token, 7);
  sequence_.request.logit_bias = {{9, 2.5f}};
  EXPECT_EQ(choose().token.token, 9);
  sequence_.request.bad_words = {{9}};
  EXPECT_EQ(choose().token.token, 7);
  sequence_.request.bad_words = {{9}, {5, 7}};  // only after 5
  EXPECT_EQ(choose().token.token, 7);
  sequence_.tokens = {1, 2, 5};
  EXPECT_NE(choose().token.token, 7);
}

TEST_F(TokenChooserTest, StopTokensWaitForTheFewestTokens) {
  logits_[7] = 2;
  sequence_.request.stop_tokens = {7};
  EXPECT_TRUE(choose().token.is_stop);
  sequence_.request.min_tokens = 1;
  EXPECT_NE(choose().token.token, 7);
  sequence_.tokens = {1, 2, 3};
  EXPECT_TRUE(choose().token.is_stop);
}

TEST_F(TokenChooserTest, GuidesMaskForceAndEnd) {
  logits_[7] = 2;
  logits_[39] = 1;
  ScriptedGuide& first = guide({.masked = true}, {7});
  ScriptedGuide& second = guide({.masked = true}, {0, 1, 39});
  EXPECT_EQ(choose().token.token, 2);
  EXPECT_EQ(first.accepted, (std::vector<int32_t>{2}));
  EXPECT_EQ(second.accepted, first.accepted);
  guide({.forced = 7});
  EXPECT_EQ(choose().token.token, 7);  // forced, although masked
  guide({.end = true});
  const Chosen ended = choose();
  EXPECT_FALSE(ended.has_token);
  EXPECT_EQ(ended.finish, FinishReason::kGuide);
}

TEST_F(TokenChooserTest, WhatAGuideDoesWrongEndsItsAnswerAlone) {
  std::vector<int32_t> all;
  for (int32_t token = 0; token < 40; ++token) all.push_back(token);
  ScriptedGuide& bad = guide({.masked = true}, all);
  EXPECT_EQ(choose().finish, FinishReason::kFailed);
  bad.throws = true;
  const Chosen failed = choose();
  EXPECT_EQ(failed.finish, FinishReason::kFailed);
  try {
    std::rethrow_exception(failed.failure);
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "no rule");
  }
}

TEST_F(TokenChooserTest, LogprobsAreTheModelsOwn) {
  for (size_t i = 0; i < 40; ++i) logits_[i] = static_cast<float>(i % 7);
  sequence_.request.logprobs = 3;
  sequence_.request.logit_bias = {{3, 100.0f}};
  const OutputToken token = choose().token;
  EXPECT_EQ(token.token, 3);
  double sum = 0;
  for (const float logit : logits_) sum += std::exp(static_cast<double>(logit));
  EXPECT_NEAR(static_cast<double>(token.logprob), 3 - std::log(sum), 1e-6);
  ASSERT_EQ(token.top.size(), 3u);
  EXPECT_EQ(token.top[0].token, 6);
  EXPECT_EQ(token.top[1].token, 13);
  EXPECT_EQ(token.top[2].token, 20);
  EXPECT_NEAR(static_cast<double>(token.top[0].logprob), 6 - std::log(sum), 1e-6);
}

}  // namespace
}  // namespace tulou::engine
