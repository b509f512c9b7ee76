#include "completion/answer_reader.h"

#include <gtest/gtest.h>

#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

struct Answer {
  std::string text, reasoning;
  bool operator==(const Answer&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  return out << "text \"" << answer.text << "\", reasoning \"" << answer.reasoning << "\"";
}

class AnswerReaderTest : public testing::Test {
 protected:
  // The ids of a text in which <think>, </think> and special tokens are recognised.
  std::vector<int32_t> ids(const std::string& text) const {
    return model_.tokenizer().encode(text, text::Tokenizer::Special::kParse);
  }
  Answer read(const std::vector<int32_t>& tokens, std::vector<std::string> stops = {},
              bool in_reasoning = false) const {
    AnswerReader reader(model_, std::move(stops), in_reasoning);
    std::vector<Piece> pieces;
    for (const int32_t token : tokens) reader.push(token, pieces);
    reader.finish(pieces);
    Answer answer;
    for (const Piece& piece : pieces)
      (piece.reasoning ? answer.reasoning : answer.text) += piece.text;
    return answer;
  }

  TinyFolder folder_;
  TextModel model_ = TextModel::open(folder_.path());
};

TEST_F(AnswerReaderTest, PlainText) {
  EXPECT_EQ(read(ids("Hello\n\n")), (Answer{"Hello\n\n", ""}));
  EXPECT_EQ(read({}), (Answer{"", ""}));
}

TEST_F(AnswerReaderTest, ThinkingAtTheBeginning) {
  EXPECT_EQ(read(ids("<think>\nwhy\n\nhow\n</think>\n\nso\n")), (Answer{"so\n", "why\n\nhow"}));
  EXPECT_EQ(read(ids("<think>\n\n</think>\n\nso")), (Answer{"so", ""}));
  // Later it is text of the answer: only a beginning is thinking.
  EXPECT_EQ(read(ids("so <think>x</think>")), (Answer{"so <think>x</think>", ""}));
}

TEST_F(AnswerReaderTest, PromptOpensTheThinking) {
  EXPECT_EQ(read(ids("why\n</think>\n\nso"), {}, true), (Answer{"so", "why"}));
  EXPECT_EQ(read(ids("<think>\nwhy</think>so"), {}, true), (Answer{"so", "why"}));
  EXPECT_EQ(read(ids("never ends\n"), {}, true), (Answer{"", "never ends"}));
  EXPECT_EQ(read(ids("a</think>b</think>c"), {}, true), (Answer{"bc", "a"}));
}

TEST_F(AnswerReaderTest, SpelledOutThinkIsText) {
  std::vector<int32_t> tokens;
  for (const char c : std::string("<think>")) tokens.push_back(c);
  EXPECT_EQ(read(tokens), (Answer{"<think>", ""}));
}

TEST_F(AnswerReaderTest, SpecialTokensAreNeverShown) {
  EXPECT_EQ(read(ids("a<|im_start|>b<|endoftext|>c")), (Answer{"abc", ""}));
}

TEST_F(AnswerReaderTest, WholeCharactersOnly) {
  AnswerReader reader(model_, {}, false);
  std::vector<Piece> pieces;
  for (const int32_t token : {0xE2, 0x82}) reader.push(token, pieces);
  EXPECT_TRUE(pieces.empty());
  reader.push(0xAC, pieces);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].text, "\xe2\x82\xac");
  EXPECT_EQ(read({0xE2, 0x82}), (Answer{"\xef\xbf\xbd", ""}));
}

TEST_F(AnswerReaderTest, StopStringsInTheAnswerOnly) {
  EXPECT_EQ(read(ids("<think>a END b</think>c END d"), {"END"}), (Answer{"c ", "a END b"}));
}

}  // namespace
}  // namespace tulou::completion
