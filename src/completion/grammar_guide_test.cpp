// Tests of grammar_guide.h.
#include "completion/grammar_guide.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "grammar/compiler.h"

namespace tulou::completion {
namespace {

constexpr int32_t kEnd = 256, kThink = 257, kEndThink = 258;

class GrammarGuideTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { helper_ = std::make_shared<grammar::Helper>(); }
  static void TearDownTestSuite() { helper_.reset(); }
  GrammarGuideTest() {
    grammar::VocabularyData data;
    data.vocab_size = 288;
    data.stop_tokens = {kEnd};
    for (int byte = 0; byte < 256; ++byte) data.tokens.emplace_back(1, static_cast<char>(byte));
    data.tokens.resize(259);  // special ones have no text
    compiler_ = std::make_unique<grammar::GrammarCompiler>(data, helper_);
    thinking_.begin = kThink;
    thinking_.end = kEndThink;
    thinking_.closing = {'x', kEndThink, '\n', '\n'};
    thinking_.empty_closing = {kEndThink, '\n', '\n'};
  }
  using Ids = std::vector<int32_t>;
  std::unique_ptr<GrammarGuide> guide(const std::optional<ThinkingTokens>& thinking,
                                      bool in_reasoning) {
    return std::make_unique<GrammarGuide>(compiler_->compile({grammar::GrammarKind::kRegex, "ab"}),
                                          thinking, in_reasoning, Ids{kEnd});
  }
  // The tokens that may come next; empty if all may.
  static std::vector<int32_t> allowed(GrammarGuide& guide) {
    std::vector<uint32_t> mask(9, ~uint32_t{0});
    std::vector<int32_t> tokens;
    if (!guide.next(mask).masked) return tokens;
    for (int32_t token = 0; token < 288; ++token) {
      if ((mask[static_cast<size_t>(token / 32)] >> (token % 32) & 1) != 0) tokens.push_back(token);
    }
    return tokens;
  }
  // Everything but what ends the answer.
  static bool is_free(GrammarGuide& guide) {
    const Ids tokens = allowed(guide);
    return tokens.size() == 287 && std::ranges::find(tokens, kEnd) == tokens.end();
  }
  // What stands between thinking and answer is put there, and is no part of the grammar.
  static void expect_seam(GrammarGuide& guide) {
    for (int i = 0; i < 2; ++i) {
      std::vector<uint32_t> mask(9, ~uint32_t{0});
      ASSERT_EQ(guide.next(mask).forced, '\n');
      guide.accept('\n');
    }
  }

  static std::shared_ptr<grammar::Helper> helper_;
  std::unique_ptr<grammar::GrammarCompiler> compiler_;
  ThinkingTokens thinking_;
};
std::shared_ptr<grammar::Helper> GrammarGuideTest::helper_;

TEST_F(GrammarGuideTest, RulesEachTokenAndTheEnd) {
  const auto rule = guide(std::nullopt, false);
  EXPECT_EQ(allowed(*rule), (Ids{'a'}));
  rule->accept('a');
  EXPECT_EQ(allowed(*rule), (Ids{'b'}));
  rule->accept('b');
  EXPECT_EQ(allowed(*rule), (Ids{kEnd}));
  EXPECT_THROW(rule->accept('c'), base::Error);
}

TEST_F(GrammarGuideTest, ThinkingIsFree) {
  const auto rule = guide(thinking_, false);
  EXPECT_EQ(allowed(*rule), (Ids{'a', kThink}));  // the model may begin to think
  rule->accept(kThink);
  EXPECT_TRUE(is_free(*rule));
  rule->accept('x');
  EXPECT_TRUE(is_free(*rule));
  rule->accept(kEndThink);
  expect_seam(*rule);
  EXPECT_EQ(allowed(*rule), (Ids{'a'}));
  rule->accept('a');
  EXPECT_EQ(allowed(*rule), (Ids{'b'}));
}

TEST_F(GrammarGuideTest, ThePromptMayHaveBegunTheThinking) {
  const auto rule = guide(thinking_, true);
  EXPECT_TRUE(is_free(*rule));
  rule->accept(kEndThink);
  expect_seam(*rule);
  EXPECT_EQ(allowed(*rule), (Ids{'a'}));
  rule->accept('a');
  rule->accept('b');
  EXPECT_EQ(allowed(*rule), (Ids{kEnd}));
}

TEST_F(GrammarGuideTest, ABudgetClosesTheThinkingAndTheGrammarFollows) {
  for (const bool in_reasoning : {true, false}) {
    const auto rule = guide(thinking_, in_reasoning);
    ThinkingBudget budget(thinking_, 2, in_reasoning);
    Ids answer;
    const auto step = [&](int32_t free_choice) {
      std::vector<uint32_t> mask(9, ~uint32_t{0});
      const int32_t by_budget = budget.next(mask).forced;
      const int32_t by_grammar = rule->next(mask).forced;
      const int32_t token = by_budget >= 0 ? by_budget : by_grammar >= 0 ? by_grammar : free_choice;
      budget.accept(token);
      rule->accept(token);
      answer.push_back(token);
    };
    if (!in_reasoning) step(kThink);
    for (const int32_t token : Ids{'1', '2', '?', '?', '?', '?', 'a', 'b', kEnd}) step(token);
    const Ids expected = {'1', '2', 'x', kEndThink, '\n', '\n', 'a', 'b', kEnd};
    EXPECT_EQ(Ids(answer.end() - 9, answer.end()), expected);
    EXPECT_TRUE(budget.closed());
  }
}

TEST_F(GrammarGuideTest, WithoutAThinkingPartThereIsNone) {
  const auto rule = guide(std::nullopt, true);
  EXPECT_EQ(allowed(*rule), (Ids{'a'}));
  EXPECT_THROW(rule->accept(kThink), base::Error);
}

}  // namespace
}  // namespace tulou::completion
