#include "completion/thinking_budget.h"

#include <gtest/gtest.h>

#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

constexpr int32_t kBegin = 100, kEnd = 101, kSeam = 10;

ThinkingTokens tokens() {
  return {
      .begin = kBegin, .end = kEnd, .closing = {1, 2, kEnd, kSeam}, .empty_closing = {kEnd, kSeam}};
}

// What comes out if the model wants these tokens; forced ones come instead and take no wish.
std::vector<int32_t> play(engine::TokenGuide& guide, const std::vector<int32_t>& wishes) {
  std::vector<int32_t> out;
  for (size_t i = 0; i < wishes.size();) {
    const auto next = guide.next({});
    EXPECT_FALSE(next.masked);
    const int32_t token = next.forced >= 0 ? next.forced : wishes[i++];
    out.push_back(token);
    guide.accept(token);
  }
  return out;
}

TEST(ThinkingBudget, ClosesAfterItsTokens) {
  const auto report = std::make_shared<ThinkingReport>();
  ThinkingBudget guide(tokens(), 3, true, report);
  EXPECT_EQ(play(guide, {50, 51, 52, 60, 61}),
            (std::vector<int32_t>{50, 51, 52, 1, 2, kEnd, kSeam, 60, 61}));
  EXPECT_TRUE(guide.closed());
  EXPECT_EQ(guide.num_thinking_tokens(), 5);
  EXPECT_TRUE(report->closed);
  EXPECT_EQ(report->num_thinking_tokens, 5);
}

TEST(ThinkingBudget, LeavesShorterThinkingAlone) {
  ThinkingBudget guide(tokens(), 3, true);
  const std::vector<int32_t> answer = {50, 51, kEnd, 60, 61, 62, 63, 64, kBegin, 65, 66, 67, 68};
  EXPECT_EQ(play(guide, answer), answer);
  EXPECT_FALSE(guide.closed());
  EXPECT_EQ(guide.num_thinking_tokens(), 2);
}

TEST(ThinkingBudget, ExactlyTheBudgetIsClosedByTheModelIfItDoes) {
  ThinkingBudget guide(tokens(), 2, true);
  EXPECT_EQ(play(guide, {50, kEnd, 60}), (std::vector<int32_t>{50, kEnd, 60}));
}

TEST(ThinkingBudget, ZeroClosesAtOnce) {
  ThinkingBudget in_prompt(tokens(), 0, true);
  EXPECT_EQ(play(in_prompt, {60, 61}), (std::vector<int32_t>{kEnd, kSeam, 60, 61}));
  EXPECT_EQ(in_prompt.num_thinking_tokens(), 0);
  ThinkingBudget begun(tokens(), 0, false);
  EXPECT_EQ(play(begun, {kBegin, 60}), (std::vector<int32_t>{kBegin, kEnd, kSeam, 60}));
}

TEST(ThinkingBudget, ThinkingOnlyBeginsWithTheFirstToken) {
  ThinkingBudget begun(tokens(), 2, false);
  EXPECT_EQ(play(begun, {kBegin, 50, 51, 60}),
            (std::vector<int32_t>{kBegin, 50, 51, 1, 2, kEnd, kSeam, 60}));
  ThinkingBudget none(tokens(), 2, false);
  const std::vector<int32_t> answer = {60, kBegin, 61, 62, 63, 64};
  EXPECT_EQ(play(none, answer), answer);
  EXPECT_EQ(none.num_thinking_tokens(), 0);
  // The prompt had <think> already; the model's own does not count.
  ThinkingBudget twice(tokens(), 1, true);
  EXPECT_EQ(play(twice, {kBegin, 50, 60}),
            (std::vector<int32_t>{kBegin, 50, 1, 2, kEnd, kSeam, 60}));
}

TEST(ForcedTokens, AnotherGuideMayCloseTheThinking) {
  ForcedTokens forced;
  EXPECT_EQ(forced.due(), -1);
  forced.begin({1, 2, kEnd, kSeam});
  forced.accept(1, kEnd);
  EXPECT_EQ(forced.due(), 2);
  forced.accept(77, kEnd);
  EXPECT_EQ(forced.due(), 2);
  forced.accept(kEnd, kEnd);
  EXPECT_EQ(forced.due(), kSeam);
  forced.accept(kSeam, kEnd);
  EXPECT_EQ(forced.due(), -1);
}

TEST(ThinkingTokens, OfAModel) {
  TinyFolder folder;
  const TextModel model = TextModel::open(folder.path());
  const ThinkingTokens tokens = thinking_tokens(model).value();
  EXPECT_EQ(tokens.begin, kTinyThink);
  EXPECT_EQ(tokens.end, kTinyEndThink);
  std::string words = "\n\n";
  words += kClosingWords;
  words += "\n</think>\n\n";
  EXPECT_EQ(model.tokenizer().decode(tokens.closing, text::ShowSpecial::kShow), words);
  EXPECT_EQ(model.tokenizer().decode(tokens.empty_closing, text::ShowSpecial::kShow),
            "\n</think>\n\n");
}

}  // namespace
}  // namespace tulou::completion
