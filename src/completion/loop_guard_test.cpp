// Loops are found, and texts that only look like loops are not. A token is a character here, which
// is harder: real tokens are longer, so that real texts repeat over fewer of them.
#include "completion/loop_guard.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

constexpr int32_t kBegin = 500, kEnd = 501;

ThinkingTokens tokens() {
  return {.begin = kBegin, .end = kEnd, .closing = {'.', kEnd, '\n'}, .empty_closing = {kEnd}};
}

std::string repeated(const std::string& unit, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += unit;
  return text;
}

// Feeds text as tokens until the guard does something; the number of tokens that were taken.
size_t play(LoopGuard& guard, const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto next = guard.next({});
    if (next.end || next.forced >= 0) return i;
    guard.accept(static_cast<unsigned char>(text[i]));
  }
  return text.size();
}

bool is_loop_in_answer(const std::string& text) {
  LoopGuard guard(tokens(), false);
  play(guard, text);
  return !guard.loops().empty();
}

TEST(LoopGuard, EndsALoopInTheAnswer) {
  const auto report = std::make_shared<LoopReport>();
  LoopGuard guard(tokens(), false, {}, report);
  const std::string unit = "I cannot help with that. ";
  const size_t taken = play(guard, "Once! " + repeated(unit, 1000));
  EXPECT_EQ(taken, 6 + 3071u);
  EXPECT_TRUE(guard.next({}).end);
  ASSERT_EQ(guard.loops().size(), 1u);
  EXPECT_FALSE(guard.loops()[0].in_thinking);
  EXPECT_EQ(guard.loops()[0].period, static_cast<int64_t>(unit.size()));
  EXPECT_EQ(guard.loops()[0].begin, 5);  // a space stands before each sentence
  EXPECT_EQ(guard.loops()[0].repeats, 3072 / 25);
  ASSERT_EQ(report->loops().size(), 1u);
  EXPECT_EQ(report->loops()[0].begin, 5);
}

TEST(LoopGuard, LongPeriodsNeedSixRounds) {
  std::string unit;
  for (int i = 0; unit.size() < 900; ++i) unit += "Step " + std::to_string(i) + " is next. ";
  LoopGuard guard(tokens(), false);
  EXPECT_EQ(play(guard, repeated(unit, 20)), 6 * unit.size());
  EXPECT_EQ(guard.loops().at(0).repeats, 6);
}

TEST(LoopGuard, ClosesALoopInTheThinking) {
  LoopGuard guard(tokens(), true);
  const std::string unit =
      "Wait, let me check this once more. The sum is twelve, so the answer should be twelve. But "
      "perhaps I have read the question wrongly. ";
  const size_t taken = play(guard, repeated(unit, 30));
  EXPECT_EQ(taken, std::max<size_t>(512, 4 * unit.size()));
  for (const int32_t token : {static_cast<int32_t>('.'), kEnd, static_cast<int32_t>('\n')}) {
    EXPECT_EQ(guard.next({}).forced, token);
    guard.accept(token);
  }
  EXPECT_EQ(guard.next({}).forced, -1);
  ASSERT_EQ(guard.loops().size(), 1u);
  EXPECT_TRUE(guard.loops()[0].in_thinking);
  // The answer has its own, wider bounds, and starts afresh.
  EXPECT_EQ(play(guard, repeated(unit, 20)), 20 * unit.size());
  EXPECT_EQ(play(guard, repeated(unit, 20)), 3072 - 20 * unit.size());
  EXPECT_TRUE(guard.next({}).end);
  EXPECT_EQ(guard.loops().size(), 2u);
}

TEST(LoopGuard, ThinkingThatTheModelBegins) {
  LoopGuard guard(tokens(), false);
  guard.accept(kBegin);
  EXPECT_EQ(play(guard, repeated("ab", 1000)), 512u);
  EXPECT_EQ(guard.next({}).forced, '.');
}

TEST(LoopGuard, AnswersUnderAGrammarAreNotCut) {
  LoopGuardOptions options;
  options.watch_answer = false;
  LoopGuard guard(std::nullopt, false, options);
  EXPECT_EQ(play(guard, repeated("[", 10000)), 10000u);
}

TEST(LoopGuard, TextsThatRepeatRightly) {
  std::string table = "|" + repeated(" Name |", 12) + "\n|" + repeated(":-----:|", 12) + "\n";
  for (int row = 0; row < 200; ++row) {
    table += "|";
    for (int column = 0; column < 12; ++column) table += " " + std::to_string(row * column) + " |";
    table += "\n";
  }
  EXPECT_FALSE(is_loop_in_answer(table)) << "table";
  std::string empty_table = "| a | b | c |\n|---|---|---|\n" + repeated("|   |   |   |\n", 150);
  EXPECT_FALSE(is_loop_in_answer(empty_table)) << "empty table";
  const std::string zeros = "[" + repeated("[" + repeated("0, ", 27) + "0],\n ", 28) + "]";
  EXPECT_FALSE(is_loop_in_answer(zeros)) << "28 x 28 zeros";
  EXPECT_FALSE(is_loop_in_answer("X = [" + repeated("0x00, ", 256) + "];")) << "zeroed buffer";
  EXPECT_FALSE(is_loop_in_answer("# " + repeated("=", 400) + "\n")) << "rule";
  EXPECT_FALSE(is_loop_in_answer(repeated("I will not talk in class.\n", 100))) << "lines";
  std::string records = "[";
  for (int i = 0; i < 300; ++i)
    records += "{\"id\": " + std::to_string(i) + ", \"name\": \"\", \"value\": null},\n";
  EXPECT_FALSE(is_loop_in_answer(records)) << "records";
  std::string numbers;
  for (int i = 1; i < 3000; ++i) numbers += std::to_string(i) + "\n";
  EXPECT_FALSE(is_loop_in_answer(numbers)) << "numbers";
  std::string code;
  for (int i = 0; i < 400; ++i)
    code += "  out[" + std::to_string(i) + "] = in[" + std::to_string(i) + "] * 2;\n";
  EXPECT_FALSE(is_loop_in_answer(code)) << "code";
  std::string song;
  for (int i = 99; i > 0; --i)
    song += std::to_string(i) + " bottles of beer on the wall, " + std::to_string(i) +
            " bottles of beer. Take one down and pass it around. ";
  EXPECT_FALSE(is_loop_in_answer(song)) << "song";
  EXPECT_TRUE(is_loop_in_answer(repeated("|   |   |   |\n", 300))) << "rows without end";
  EXPECT_TRUE(is_loop_in_answer(repeated("0, ", 2000))) << "zeros without end";
}

TEST(LoopFinder, SameAsTheDefinition) {
  // Against the slow way, with small bounds and few different tokens.
  const LoopBounds bounds = {3, 8};
  LoopFinder finder(6, bounds);
  std::vector<int32_t> text;
  uint32_t random = 1;
  int found = 0;
  for (int i = 0; i < 20000; ++i) {
    random = random * 1664525 + 1013904223;
    const bool repeat = text.size() > 6 && (random >> 16) % 16 != 0;
    text.push_back(repeat ? text[text.size() - 1 - (i / 100) % 6]
                          : static_cast<int32_t>(random >> 30));
    int64_t expected = 0;
    for (int64_t period = 1; period <= 6 && expected == 0; ++period) {
      const int64_t length = std::max(bounds.min_tokens, bounds.min_repeats * period);
      bool same = static_cast<int64_t>(text.size()) >= length;
      for (int64_t k = 0; same && k < length - period; ++k)
        same = text[text.size() - 1 - k] == text[text.size() - 1 - k - period];
      if (same) expected = period;
    }
    EXPECT_EQ(finder.push(text.back()), expected) << "token " << i;
    found += expected != 0;
  }
  EXPECT_GT(found, 1000);
  EXPECT_LT(found, 19000);
}

TEST(LoopFinder, Reset) {
  LoopFinder finder(4, {2, 4});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(finder.push(7), 0);
  finder.reset();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(finder.push(7), 0);
  EXPECT_EQ(finder.push(7), 1);
  EXPECT_EQ(finder.length(1), 4);
}

}  // namespace
}  // namespace tulou::completion
