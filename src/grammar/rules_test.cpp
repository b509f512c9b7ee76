#include "grammar/rules.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "grammar/json_text.h"
#include "grammar/number_range.h"
#include "grammar/regex.h"

namespace tulou::grammar {
namespace {

TEST(Subtract, LeavesTheRest) {
  const auto left = subtract({{'a', 'z'}, {'c', 'e'}}, {{'b', 'c'}, {'x', 'z'}});
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].first, U'a');
  EXPECT_EQ(left[0].last, U'a');
  EXPECT_EQ(left[1].first, U'd');
  EXPECT_EQ(left[1].last, U'w');
  EXPECT_TRUE(subtract({{'a', 'c'}}, {{'a', 'b'}, {'c', 'd'}}).empty());
}

TEST(Rules, PrunesWhatMatchesNothing) {
  Rules rules;
  const Rules::Rule root = rules.declare(), endless = rules.declare();
  rules.define(endless, rules.sequence({rules.literal("x"), rules.call(endless)}));
  rules.define(root, rules.choice({rules.literal("a"), rules.call(endless), rules.nothing(),
                                   rules.repeat(rules.call(endless), 0, 3)}));
  const std::string text = rules.ebnf(root);
  EXPECT_EQ(text, "root ::= r0\nr0 ::= \"a\" | (\"\")\n");
  EXPECT_THROW(rules.ebnf(endless), base::Error);
}

TEST(Rules, WritesCharactersThatReadBackAsThemselves) {
  Rules rules;
  const Rules::Rule root = rules.declare();
  rules.define(root, rules.sequence({rules.literal("\"\\\n"),
                                     rules.one_of({{'-', '/'}, {0x7FF, 0x800}, {'b', 'b'}})}));
  EXPECT_EQ(rules.ebnf(root),
            "root ::= r0\nr0 ::= \"\\\"\\\\\\u000a\" [\\u002d-\\u002f\\u07ff\\u0800b]\n");
}

TEST(Rules, HasABound) {
  Rules rules;
  EXPECT_THROW(for (size_t i = 0; i <= Rules::kMaxExpressions; ++i) rules.literal("a"),
               base::Error);
}

TEST(Bounds, AreExactDecimals) {
  const std::optional<Bound> bound = to_bound(-12.5, false);
  ASSERT_TRUE(bound.has_value());
  EXPECT_TRUE(bound->negative);
  EXPECT_EQ(bound->whole, 12);
  EXPECT_EQ(bound->fraction, "5");
  EXPECT_FALSE(to_bound(1e9, true).has_value());
  EXPECT_FALSE(to_bound(0.1234567, true).has_value());
  EXPECT_FALSE(to_bound(-0.0, true)->negative);
}

TEST(Regex, SaysWhereItIsWrong) {
  const auto error = [](const std::string& pattern) -> std::string {
    Rules rules;
    try {
      add_regex(rules, pattern);
    } catch (const base::Error& e) {
      return e.id() + " " + e.arguments()[0];
    }
    return "";
  };
  EXPECT_EQ(error("^[a-z]+(b|c){2,3}?$"), "");
  EXPECT_EQ(error("^?[0-9]$"), "grammar.invalid_regex 2");
  EXPECT_EQ(error("a(?=b)"), "grammar.unsupported_regex 4");
  EXPECT_EQ(error("(a)\\1"), "grammar.unsupported_regex 5");
  EXPECT_EQ(error("a$b"), "grammar.invalid_regex 3");
  EXPECT_EQ(error("[z-a]"), "grammar.invalid_regex 5");
  EXPECT_EQ(error("(a"), "grammar.invalid_regex 3");
  EXPECT_EQ(error("a{3,2}"), "grammar.invalid_regex 7");
  EXPECT_EQ(error("a{999999}"), "grammar.too_large repetitions");
  EXPECT_EQ(error("\xFF"), "grammar.invalid_regex 1");
  EXPECT_EQ(error(std::string(kMaxRegexBytes + 1, 'a')),
            "grammar.too_large bytes in a regular expression");
}

}  // namespace
}  // namespace tulou::grammar
