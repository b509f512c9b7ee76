// Tests of what grammars become: automaton.h, left_recursion.h, positions.h, token_trie.h,
// utf8_ranges.h.
#include "grammar/automaton.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/left_recursion.h"
#include "grammar/positions.h"
#include "grammar/source.h"
#include "grammar/token_trie.h"
#include "grammar/utf8_ranges.h"

namespace tulou::grammar {
namespace {

Automaton automaton_of(GrammarKind kind, const std::string& text) {
  Rules rules;
  const Rules::Rule root = add_source(rules, {kind, text});
  return build_automaton(rules, root);
}

std::string error_of(const std::string& ebnf) {
  try {
    automaton_of(GrammarKind::kEbnf, ebnf);
    return "";
  } catch (const base::Error& error) {
    return error.id();
  }
}

bool matches(Positions& positions, const std::string& text) {
  Positions::Id at = positions.start();
  for (const char c : text) at = positions.next(at, static_cast<uint8_t>(c));
  return positions.can_end(at);
}

bool matches(GrammarKind kind, const std::string& grammar, const std::string& text) {
  const Automaton automaton = automaton_of(kind, grammar);
  Positions positions(automaton, 8);
  return matches(positions, text);
}

TEST(Utf8Ranges, WriteEachCharacterOnce) {
  const std::vector<std::vector<CodePoints>> classes = {{{0, 0x10FFFF}},
                                                        {{0x7E, 0x801}},
                                                        {{0xD000, 0xE100}},
                                                        {{0xFFF0, 0x10400}},
                                                        {{0x3FFFE, 0x50000}}};
  for (const auto& ranges : classes) {
    const auto sequences = utf8_sequences(ranges);
    for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x1000 ? 1 : 61) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      std::string text;
      base::append_utf8(text, c);
      int found = 0;
      for (const ByteSequence& sequence : sequences) {
        bool same = static_cast<size_t>(sequence.length) == text.size();
        for (size_t i = 0; same && i < text.size(); ++i) {
          const auto byte = static_cast<uint8_t>(text[i]);
          same = sequence.bytes[i].first <= byte && byte <= sequence.bytes[i].last;
        }
        found += same ? 1 : 0;
      }
      const bool wanted = ranges[0].first <= c && c <= ranges[0].last;
      ASSERT_EQ(found, wanted ? 1 : 0) << static_cast<uint32_t>(c);
    }
  }
  EXPECT_TRUE(utf8_sequences({{0xD800, 0xDFFF}}).empty());
}

TEST(Automaton, CountsRounds) {
  const auto regex = [](const std::string& pattern, const std::string& text) {
    return matches(GrammarKind::kRegex, pattern, text);
  };
  for (int n = 0; n < 12; ++n) {
    const std::string text(static_cast<size_t>(n), 'a');
    EXPECT_EQ(regex("a{3,9}", text), n >= 3 && n <= 9);
    EXPECT_EQ(regex("a{7,}", text), n >= 7);
    EXPECT_EQ(regex("(a{2,5}){2}", text), n >= 4 && n <= 10);
    EXPECT_EQ(regex("(a?){8}", text), n <= 8);
    EXPECT_EQ(regex("(a|aa){5}", text), n >= 5 && n <= 10);
    EXPECT_EQ(regex("(a*){6,9}b", text + "b"), true);
    EXPECT_EQ(regex("a{0}", text), n == 0);
  }
  EXPECT_TRUE(regex("\\xe9{5,6}", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"));
  EXPECT_FALSE(regex(".{5,6}", "\xC3\xA9\xC3\xA9\xC3"));
}

TEST(Automaton, HasABound) {
  EXPECT_EQ(error_of("root ::= \"" + std::string(60'000, 'a') + "\""), "");
  EXPECT_EQ(error_of("root ::= (\"a\" [b-c] x){40000}\nx ::= \"d\""), "grammar.too_large");
}

TEST(LeftRecursion, IsFoundWhereItHasNoEnd) {
  EXPECT_EQ(error_of("root ::= root \"a\" | \"b\""), "");  // b a*
  EXPECT_EQ(error_of("root ::= (\"x\")? root2 \"a\" | \"b\"\nroot2 ::= root"),
            "grammar.left_recursive");
  EXPECT_EQ(error_of("root ::= empty root \"a\" | \"b\"\nempty ::= \"e\"*"),
            "grammar.left_recursive");
  EXPECT_EQ(error_of("root ::= other | \"b\"\nother ::= root | \"c\""),
            "");  // nothing to come back to
  EXPECT_EQ(error_of("root ::= \"(\" root \")\" | \"b\" root | \"c\""), "");
  for (const std::string text : {"b", "ba", "baaa"})
    EXPECT_TRUE(matches(GrammarKind::kEbnf, "root ::= root \"a\" | \"b\"", text));
  EXPECT_FALSE(matches(GrammarKind::kEbnf, "root ::= root \"a\" | \"b\"", "a"));
  EXPECT_TRUE(matches(GrammarKind::kEbnf,
                      "root ::= root \"+\" term | term\nterm ::= [0-9]+ | \"(\" root \")\"",
                      "1+(2+34)+5"));
}

TEST(Positions, OfTheSameTokensAreOne) {
  const Automaton automaton = automaton_of(GrammarKind::kRegex, "a{0,100}b{50,}");
  Positions positions(automaton, 8);
  std::vector<Positions::Id> after = {positions.start()};
  for (int i = 0; i < 100; ++i) after.push_back(positions.next(after.back(), 'a'));
  EXPECT_EQ(positions.same_tokens(after[3]), positions.same_tokens(after[60]));
  EXPECT_NE(positions.same_tokens(after[3]), positions.same_tokens(after[95]));
  EXPECT_EQ(positions.next(after[100], 'a'), Positions::kDead);
  EXPECT_EQ(positions.next(Positions::kDead, 'a'), Positions::kDead);
}

TEST(Positions, AreCopiedWithTheirStacks) {
  const Automaton automaton = automaton_of(GrammarKind::kJsonObject, "");
  Positions first(automaton, 8), second(automaton, 8);
  matches(second, "{\"x\": [1, 2]}");  // so that its numbers differ
  const std::string text = R"({"a": [[{"b": [1, ")";
  Positions::Id at = first.start();
  for (const char c : text) at = first.next(at, static_cast<uint8_t>(c));
  Positions::Id copy = first.copy_to(at, second);
  for (const char c : std::string("x\"]}]]}")) {
    ASSERT_FALSE(second.can_end(copy));
    copy = second.next(copy, static_cast<uint8_t>(c));
  }
  EXPECT_TRUE(second.can_end(copy));
}

TEST(Positions, GiveUpInTime) {
  const Automaton automaton = automaton_of(GrammarKind::kEbnf,
                                           "root ::= \"a\" root root | \"a\" x root | \"\"\n"
                                           "x ::= \"a\" x root | \"a\"");
  Positions positions(automaton, 8);
  EXPECT_THROW(
      {
        Positions::Id at = positions.start();
        for (int i = 0; i < 100'000; ++i) {
          positions.begin();
          at = positions.next(at, 'a');
        }
      },
      base::Error);
}

TEST(TokenTries, HoldEveryTokenOnce) {
  const std::vector<std::string> tokens = {"a",  "ab", "abc", "",     "\"", "b\xC3\xA9", "\xC3",
                                           "ab", "a,", "\n",  "\xA9", ",",  "a\"b"};
  const TokenTries tries(tokens);
  std::multiset<int32_t> found;
  for (size_t i = 0; i <= kTokenClasses; ++i) {
    const TokenTrie& trie = tries.trie(i);
    for (size_t node = 0; node < trie.num_nodes(); node += trie.nodes()[node].skip) {
      for (const int32_t token : trie.tokens(node)) found.insert(token);
    }
  }
  EXPECT_EQ(found, (std::multiset<int32_t>{0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12}));
  ASSERT_EQ(tries.duplicates().size(), 1u);
  EXPECT_EQ(tries.duplicates()[0], (std::pair<int32_t, int32_t>{1, 7}));
  EXPECT_EQ(tries.longest_token(), 3u);
  // Whole characters of letters; with commas; the rest.
  EXPECT_EQ(tries.trie(0).nodes().back().first_token, 4u);
  EXPECT_EQ(tries.trie(1).nodes().back().first_token, 2u);
  EXPECT_EQ(tries.trie(2).nodes().back().first_token, 5u);
  std::vector<uint32_t> mask(1, 0);
  tries.trie(0).set_up_to(tries.trie(0).mask_characters(3), mask);
  EXPECT_EQ(mask[0], 1u << 0 | 1u << 1 | 1u << 5);
  for (size_t i = 0; i < kTokenClasses; ++i) EXPECT_FALSE(token_class(i).empty());
}

}  // namespace
}  // namespace tulou::grammar
