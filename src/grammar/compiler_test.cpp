#include "grammar/compiler.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/utf8.h"
#include "grammar/random_text_test.h"
#include "grammar/wire.h"

namespace tulou::grammar {
namespace {

class Compiler : public testing::Test {
 protected:
  std::shared_ptr<const CompiledGrammar> compile(GrammarKind kind, const std::string& text) {
    return compiler_.compile({kind, text});
  }

  std::string error(GrammarKind kind, const std::string& text) {
    try {
      compile(kind, text);
    } catch (const base::Error& e) {
      return e.id();
    }
    return "";
  }

  // Whether the whole text, byte by byte, is let through and may end there.
  bool matches(const std::shared_ptr<const CompiledGrammar>& grammar, const std::string& text) {
    GrammarMatcher matcher(grammar);
    for (const char c : text) {
      if (!matcher.accept(static_cast<unsigned char>(c))) return false;
    }
    return matcher.can_stop();
  }

  VocabularyData vocabulary_ = byte_vocabulary();
  std::shared_ptr<Helper> helper_ = std::make_shared<Helper>();
  GrammarCompiler compiler_{vocabulary_, helper_};
};

TEST_F(Compiler, MasksFollowTheGrammar) {
  const auto grammar = compile(GrammarKind::kChoice, R"(["ab", "ac", "b"])");
  GrammarMatcher matcher(grammar);
  std::vector<uint32_t> mask(compiler_.vocabulary().mask_words(), ~0u);
  EXPECT_TRUE(matcher.fill(mask));
  const auto allowed = [&](int32_t token) {
    return (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
  };
  EXPECT_TRUE(allowed('a'));
  EXPECT_TRUE(allowed('b'));
  EXPECT_FALSE(allowed('c'));
  const int32_t stop = vocabulary_.stop_tokens[0];
  EXPECT_FALSE(allowed(stop));
  EXPECT_FALSE(matcher.accept('c'));
  EXPECT_TRUE(matcher.accept('a'));
  GrammarMatcher other = matcher.fork();
  EXPECT_TRUE(matcher.accept('c'));
  EXPECT_TRUE(matcher.can_stop());
  EXPECT_FALSE(other.can_stop());
  EXPECT_TRUE(other.accept('b'));
  // Bits that were clear stay clear; the rest is what may come next.
  mask.assign(mask.size(), ~0u);
  mask[static_cast<size_t>(stop) / 32] = 0;
  EXPECT_TRUE(matcher.fill(mask));
  EXPECT_FALSE(allowed(stop));
  EXPECT_TRUE(matcher.accept(stop));
  EXPECT_TRUE(matcher.ended());
  EXPECT_FALSE(matcher.accept('a'));
  mask.assign(mask.size(), ~0u);
  EXPECT_TRUE(matcher.fill(mask));
  EXPECT_TRUE(allowed(stop));
  EXPECT_FALSE(allowed('a'));
  EXPECT_FALSE(matcher.accept(-1));
  EXPECT_FALSE(matcher.accept(vocabulary_.vocab_size));
}

TEST_F(Compiler, TooManyWaysToReadATextAreAnError) {
  const auto grammar =
      compile(GrammarKind::kEbnf,
              "root ::= \"a\" root t | \"a\" t root | \"b\"\nt ::= \"a\" t root | \"a\"");
  GrammarMatcher matcher(grammar);
  std::string id;
  try {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(matcher.accept('a'));
  } catch (const base::Error& error) {
    id = error.id();
  }
  EXPECT_EQ(id, "grammar.too_ambiguous");
}

TEST_F(Compiler, JsonObjects) {
  const auto grammar = compile(GrammarKind::kJsonObject, "");
  EXPECT_TRUE(matches(grammar, R"({"a": [1, -2.5e+3, "\u00e9\"", null], "b":{}})"));
  EXPECT_TRUE(matches(grammar, "{\n  \"a\": true\n}"));
  EXPECT_FALSE(matches(grammar, "[1]"));
  EXPECT_FALSE(matches(grammar, "{\"a\": \"\t\"}"));
  EXPECT_FALSE(matches(grammar, R"({"a": "\ud800"})"));
  EXPECT_FALSE(matches(grammar, "{\"a\": \"\xFF\"}"));
}

TEST_F(Compiler, NumbersKeepTheirBounds) {
  struct Case {
    const char* schema;
    std::vector<const char*> in, out;
  };
  for (const Case& one : std::vector<Case>{
           {R"({"type": "integer", "minimum": -12, "maximum": 105})",
            {"-12", "-9", "0", "7", "99", "100", "105"},
            {"-13", "-0", "106", "1000", "1.0", "01"}},
           {R"({"type": "integer", "exclusiveMinimum": 99})", {"100", "5000"}, {"99", "-100"}},
           {R"({"type": "integer", "maximum": -5})", {"-5", "-10"}, {"-4", "0", "5"}},
           {R"({"type": "integer", "multipleOf": 7})", {"0", "7", "-21", "700"}, {"1", "15"}},
           {R"({"type": "integer", "multipleOf": 4, "minimum": -5, "maximum": 9})",
            {"-4", "0", "8"},
            {"-8", "12", "1"}},
           {R"({"type": "number", "minimum": 0.25, "exclusiveMaximum": 10})",
            {"0.25", "0.3", "1", "9.999"},
            {"0.2", "0", "10", "10.0", "-1"}},
           {R"({"type": "number", "exclusiveMinimum": -1.5, "maximum": 0})",
            {"-1.49", "-1", "0", "-0.5"},
            {"-1.5", "-1.50", "0.1", "-2"}},
           {R"({"type": "number", "minimum": 1.25, "maximum": 1.5})",
            {"1.25", "1.3", "1.5", "1.500"},
            {"1.2", "1.51", "1", "2"}},
       }) {
    const auto grammar = compile(GrammarKind::kJsonSchema, one.schema);
    for (const char* text : one.in) EXPECT_TRUE(matches(grammar, text)) << one.schema << text;
    for (const char* text : one.out) EXPECT_FALSE(matches(grammar, text)) << one.schema << text;
  }
}

TEST_F(Compiler, ObjectsHaveTheirMembersInOrder) {
  const auto grammar = compile(GrammarKind::kJsonSchema, R"({"properties":
      {"a": {"type": "null"}, "ab": {"type": "null"}, "c": {"type": "null"}}, "required": ["ab"],
      "additionalProperties": {"type": "boolean"}})");
  EXPECT_TRUE(matches(grammar, R"({"ab":null})"));
  EXPECT_TRUE(matches(grammar, R"({"a":null,"ab":null,"c":null,"abc":true,"":false})"));
  EXPECT_FALSE(matches(grammar, R"({"a":null})"));
  EXPECT_FALSE(matches(grammar, R"({"ab":null,"a":true})"));
  EXPECT_FALSE(matches(grammar, R"({"ab":null,"\u0061":true})"));
}

TEST_F(Compiler, RandomChoicesEndInDocuments) {
  int texts = 0;
  for (const char* schema : {
           R"({"type": "object"})",
           R"({"type": "array", "items": {"type": "string"}})",
           R"({"type": "string", "minLength": 2, "maxLength": 6})",
           R"({"properties": {"n": {"type": "number", "minimum": 0, "maximum": 1},
                              "s": {"enum": ["x", "y"]}}, "required": ["s"]})",
           R"({"type": "string", "pattern": "^((a|b*)+c)*$"})",
       }) {
    const auto grammar = compile(GrammarKind::kJsonSchema, schema);
    for (uint64_t seed = 0; seed < 60; ++seed) {
      RandomText text(vocabulary_, seed);
      const RandomText::End end = text.generate(grammar, 60);
      EXPECT_NE(end, RandomText::End::kDeadEnd) << schema << text.text();
      if (end != RandomText::End::kStopped) continue;
      ++texts;
      EXPECT_FALSE(base::find_invalid_utf8(text.text()).has_value());
      EXPECT_TRUE(base::Json::accept(text.text())) << text.text();
    }
  }
  EXPECT_GT(texts, 200);
}

// Each bit of a mask says whether the token is accepted, also where the mask is made of whole
// subtrees and of positions that are taken together.
TEST_F(Compiler, MasksAreWhatIsAccepted) {
  for (const char* pattern :
       {"(.{0,9}a){0,3}", "[^a]{2,7}(a|\"){3}", "([a-z ]{1,6},?){2,5}", "\\w{300,400}",
        "[^.\"]{0,200}", "(a|ab)*\\.{5,}", "(\\xe9|\\u4e2d|a){6}", "((a|b)?c?){7}d"}) {
    const auto grammar = compile(GrammarKind::kRegex, pattern);
    for (uint64_t seed = 0; seed < 6; ++seed) {
      GrammarMatcher matcher(grammar);
      for (uint64_t step = 0; step < 40 && !matcher.ended(); ++step) {
        std::vector<uint32_t> mask(compiler_.vocabulary().mask_words(), ~0u);
        matcher.fill(mask);
        std::vector<int32_t> allowed;
        for (int32_t token = 0; token < vocabulary_.vocab_size; ++token) {
          const bool in_mask = (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
          ASSERT_EQ(matcher.fork().accept(token), in_mask) << pattern << ' ' << token;
          if (in_mask) allowed.push_back(token);
        }
        ASSERT_FALSE(allowed.empty());
        const double chosen = base::random_uniform(seed, 0, step);
        matcher.accept(allowed[static_cast<size_t>(chosen * static_cast<double>(allowed.size()))]);
      }
    }
  }
}

TEST_F(Compiler, LimitsBindOneRequest) {
  const std::string hard = R"({"type": "string", "pattern": "^(([^q]{60}x?){60}y?){60}$"})";
  const auto begin = std::chrono::steady_clock::now();
  const std::string id = error(GrammarKind::kJsonSchema, hard);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  EXPECT_TRUE(id == "grammar.too_complex" || id == "grammar.too_large") << id;
  EXPECT_LT(time.count(), 60.0);
  EXPECT_EQ(error(GrammarKind::kRegex, "ab"), "");
}

TEST_F(Compiler, TheCacheHasACap) {
  CompilerOptions options;
  options.cache_bytes = 16u << 20;  // a few grammars with what they may learn
  GrammarCompiler small(vocabulary_, helper_, options);
  std::shared_ptr<const CompiledGrammar> first;
  for (int i = 0; i < 60; ++i) {
    const auto grammar =
        small.compile({GrammarKind::kJsonSchema, "{\"const\": " + std::to_string(i) + "}"});
    if (i == 0) first = grammar;
    EXPECT_LE(small.cached_bytes(), options.cache_bytes);
  }
  EXPECT_GT(small.cached_bytes(), 0u);
  // Annotations make no new entry.
  const auto again = small.compile({GrammarKind::kJsonSchema, R"({"const": 59, "title": "t"})"});
  EXPECT_EQ(again, small.compile({GrammarKind::kJsonSchema, R"({"const": 59})"}));
  EXPECT_TRUE(matches(first, "0"));
}

TEST_F(Compiler, SeveralThreadsMayCompile) {
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string text = std::to_string(t * 100 + i);
        good[static_cast<size_t>(t)] +=
            matches(compile(GrammarKind::kRegex, text + "+"), text) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, std::vector<int>(4, 5));
}

TEST_F(Compiler, ADeadHelperIsAnErrorOfTheRequest) {
  ASSERT_EQ(kill(helper_->process(), SIGKILL), 0);
  EXPECT_EQ(error(GrammarKind::kRegex, "new"), "grammar.helper_lost");
  EXPECT_EQ(error(GrammarKind::kJsonObject, ""), "");
}

TEST(Wire, BodiesAreBounded) {
  BodyWriter writer;
  writer.number<uint32_t>(7);
  writer.text("abc");
  BodyReader reader(writer.body());
  EXPECT_EQ(reader.number<uint32_t>(), 7u);
  EXPECT_EQ(reader.text(), "abc");
  EXPECT_TRUE(reader.good());
  EXPECT_EQ(reader.number<uint64_t>(), 0u);
  EXPECT_FALSE(reader.good());
  BodyReader cut(std::string_view(writer.body()).substr(0, 13));
  cut.number<uint32_t>();
  EXPECT_EQ(cut.text(), "");
  EXPECT_FALSE(cut.good());
}

}  // namespace
}  // namespace tulou::grammar
