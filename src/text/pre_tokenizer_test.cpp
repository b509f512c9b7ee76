// Pieces that the regular expressions give; compare.py checks many more against the real ones.
#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tulou::text {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces(PreTokenizer kind, std::string_view text) {
  PreTokenScanner scanner(kind, text);
  Pieces result;
  for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next())
    result.emplace_back(piece);
  return result;
}

constexpr auto kQwen2 = PreTokenizer::kQwen2, kQwen35 = PreTokenizer::kQwen35;
constexpr auto kGpt2 = PreTokenizer::kGpt2, kSmolLM = PreTokenizer::kSmolLM;

TEST(PreTokenScanner, Contractions) {
  EXPECT_EQ(pieces(kQwen2, "it's WE'LL x'yz"), (Pieces{"it", "'s", " WE", "'LL", " x", "'yz"}));
  EXPECT_EQ(pieces(kQwen2,
                   "'\xC5\xBF"
                   "a"),
            (Pieces{"'\xC5\xBF", "a"}));  // long s
  EXPECT_EQ(pieces(kGpt2, "it's WE'LL"), (Pieces{"it", "'s", " WE", "'", "LL"}));
  EXPECT_EQ(pieces(kQwen2, "'string"), (Pieces{"'s", "tring"}));
}

TEST(PreTokenScanner, WhiteSpace) {
  EXPECT_EQ(pieces(kQwen2, "a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pieces(kQwen2, "a \n \n  b"), (Pieces{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(pieces(kQwen2, "a\t\tb"), (Pieces{"a", "\t", "\tb"}));
  EXPECT_EQ(pieces(kQwen2, "  "), (Pieces{"  "}));
  EXPECT_EQ(pieces(kQwen2, "!\r\n\nx"), (Pieces{"!\r\n\n", "x"}));
  EXPECT_EQ(pieces(kQwen2, "\t!"), (Pieces{"\t", "!"}));
  EXPECT_EQ(pieces(kGpt2, "a \n \n  b"), (Pieces{"a", " \n \n ", " b"}));
}

TEST(PreTokenScanner, Numbers) {
  EXPECT_EQ(pieces(kQwen2, "a 12"), (Pieces{"a", " ", "1", "2"}));
  EXPECT_EQ(pieces(kGpt2, "a 12"), (Pieces{"a", " 12"}));
  EXPECT_EQ(pieces(kSmolLM, "a 12"), (Pieces{"a", " ", "1", "2"}));
  // The stretch before a digit ends like a text: both spaces stay together.
  EXPECT_EQ(pieces(kSmolLM, "a  1  b"), (Pieces{"a", "  ", "1", " ", " b"}));
}

TEST(PreTokenScanner, MarksAreLettersForQwen35Only) {
  const std::string text = "e\xCC\xA7g \xCC\xA7g";  // a cedilla in a word, and before one
  EXPECT_EQ(pieces(kQwen2, text), (Pieces{"e", "\xCC\xA7g", " \xCC\xA7", "g"}));
  EXPECT_EQ(pieces(kQwen35, text), (Pieces{"e\xCC\xA7g", " \xCC\xA7g"}));
}

TEST(PreTokenScanner, LongRunsTakeLinearTime) {
  for (const PreTokenizer kind : {kGpt2, kSmolLM, kQwen2, kQwen35}) {
    for (const char* unit : {"a", " ", "\n", " \n", "!", "a ", "'"}) {
      std::string text;
      while (text.size() < 2'000'000) text += unit;
      size_t bytes = 0;
      PreTokenScanner scanner(kind, text);
      for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next())
        bytes += piece.size();
      EXPECT_EQ(bytes, text.size());
    }
  }
}

}  // namespace
}  // namespace tulou::text
