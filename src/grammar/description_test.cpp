// Tests of description.h: which texts the grammars of descriptions let through.
#include "grammar/description.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "grammar/compiler.h"

namespace tulou::grammar {
namespace {

class DescriptionTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    helper_ = std::make_shared<Helper>();
    VocabularyData data;
    data.vocab_size = 257;
    data.stop_tokens = {256};
    for (int byte = 0; byte < 256; ++byte) data.tokens.emplace_back(1, static_cast<char>(byte));
    data.tokens.emplace_back();
    compiler_ = std::make_unique<GrammarCompiler>(data, helper_);
  }
  static void TearDownTestSuite() {
    compiler_.reset();
    helper_.reset();
  }
  static bool takes(const std::string& description, const std::string& text) {
    GrammarMatcher matcher(compiler_->compile({GrammarKind::kDescription, description}));
    for (const char c : text) {
      if (!matcher.accept(static_cast<unsigned char>(c))) return false;
    }
    return matcher.can_stop();
  }

  static std::shared_ptr<Helper> helper_;
  static std::unique_ptr<GrammarCompiler> compiler_;
};
std::shared_ptr<Helper> DescriptionTest::helper_;
std::unique_ptr<GrammarCompiler> DescriptionTest::compiler_;

TEST_F(DescriptionTest, SequencesAndChoices) {
  const std::string d = R"({"sequence":[{"text":"a"},{"choice":[{"text":"b"},{"text":""}]},)"
                        R"({"text":"c"}]})";
  EXPECT_TRUE(takes(d, "abc"));
  EXPECT_TRUE(takes(d, "ac"));
  EXPECT_FALSE(takes(d, "ab"));
  EXPECT_FALSE(takes(d, "abcc"));
}

TEST_F(DescriptionTest, Repetitions) {
  const std::string any = R"({"sequence":[{"repeat":{"text":"ab"},"min":1},{"text":"."}]})";
  EXPECT_FALSE(takes(any, "."));
  EXPECT_TRUE(takes(any, "ab."));
  EXPECT_TRUE(takes(any, "ababab."));
  EXPECT_FALSE(takes(any, "aba."));
  const std::string some = R"({"repeat":{"text":"x"},"min":1,"max":3})";
  for (const int count : {0, 1, 2, 3, 4})
    EXPECT_EQ(takes(some, std::string(static_cast<size_t>(count), 'x')), count >= 1 && count <= 3);
}

TEST_F(DescriptionTest, TextWithoutSomeStrings) {
  const std::string d = R"({"sequence":[{"without":["</a>","<ab","\u00e9!"]},{"text":"</a>"}]})";
  EXPECT_TRUE(takes(d, "</a>"));
  EXPECT_TRUE(takes(d, "x < y <a <</a>"));
  EXPECT_TRUE(takes(d, "\xc3\xa9? <</a>"));
  EXPECT_FALSE(takes(d, "x</a>y</a>"));
  EXPECT_FALSE(takes(d, "<<ab</a>"));
  EXPECT_FALSE(takes(d, "\xc3\xa9!</a>"));
}

TEST_F(DescriptionTest, SchemasWithinText) {
  const std::string d = R"({"sequence":[{"text":"<"},{"schema":{"type":"object","properties":)"
                        R"({"n":{"type":"boolean"}},"required":["n"],)"
                        R"("additionalProperties":false}},{"text":">"}]})";
  EXPECT_TRUE(takes(d, R"(<{"n": true}>)"));
  EXPECT_FALSE(takes(d, R"(<{"n": 1}>)"));
  EXPECT_FALSE(takes(d, R"(<{"n": true})"));
}

TEST_F(DescriptionTest, RefusesWhatIsNoDescription) {
  for (const char* text :
       {"[]", "{}", R"({"texts":"a"})", R"({"text":1})", R"({"choice":[]})",
        R"({"repeat":{"text":"a"},"min":2,"max":1})", R"({"repeat":{"text":"a"},"min":1000})"})
    EXPECT_THROW(takes(text, ""), base::Error) << text;
}

}  // namespace
}  // namespace tulou::grammar
