// Encoding and decoding against what Hugging Face tokenizers made of the same lines
// (tests/tokenizers/make_small.py), special tokens in data, streams, and bounds.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/detokenizer.h"

namespace tulou::text {
namespace {

using base::Json;
using Ids = std::vector<int32_t>;
using Special = Tokenizer::Special;

const std::string kSmall = "tests/tokenizers/small/";

Tokenizer small(const std::string& name) {
  const std::string path = kSmall + name + ".json";
  return Tokenizer(parse_tokenizer_json(base::read_file(path, 1 << 20), path));
}

// One token a byte (id = byte), some merges, and added tokens from 1000 on.
TokenizerData bytes_and(const std::vector<std::string>& merges) {
  TokenizerData data;
  data.name = "test";
  for (uint32_t byte = 0; byte < 256; ++byte)
    data.tokens.set(byte, byte_level_character(static_cast<uint8_t>(byte)));
  std::set<std::string> seen;  // two merges may make the same token
  for (const std::string& merge : merges) {
    data.merges.push_back(merge);
    std::string joined = merge;
    joined.erase(joined.find(' '), 1);
    if (seen.insert(joined).second) data.tokens.push_back(joined);
  }
  data.nfc = true;
  data.added = {{"<|start|>", 1000, true}, {"<|end|>", 1001, true}, {"<think>", 1002, false}};
  return data;
}

std::string error_id(TokenizerData data) {
  try {
    const Tokenizer tokenizer(std::move(data));
  } catch (const base::Error& error) {
    return error.id();
  }
  return "";
}

class Golden : public testing::TestWithParam<const char*> {
 protected:
  Golden() : cases_(base::read_json_file(kSmall + "cases.json")), tokenizer_(small(GetParam())) {}
  std::string line(size_t i) const { return cases_["lines"][i]; }
  const Json& expected(const char* what, size_t i) const { return cases_[GetParam()][what][i]; }
  size_t num_lines() const { return cases_["lines"].size(); }

  const Json cases_;
  const Tokenizer tokenizer_;
};

TEST_P(Golden, Encodes) {
  ASSERT_GT(num_lines(), 100u);
  for (size_t i = 0; i < num_lines(); ++i) {
    EXPECT_EQ(Json(tokenizer_.encode(line(i), Special::kParse)), expected("special_parsed", i));
    EXPECT_EQ(Json(tokenizer_.encode(line(i), Special::kText)), expected("special_as_text", i));
    EXPECT_EQ(Json(tokenizer_.encode(std::vector<Segment>{{line(i), false}})),
              expected("special_parsed", i));
    EXPECT_EQ(Json(tokenizer_.encode(std::vector<Segment>{{line(i), true}})),
              expected("special_as_text", i));
  }
}

TEST_P(Golden, Decodes) {
  for (size_t i = 0; i < num_lines(); ++i) {
    const Ids ids = expected("special_parsed", i);
    EXPECT_EQ(Json(tokenizer_.decode(ids, ShowSpecial::kShow)), expected("decoded", i));
    EXPECT_EQ(Json(tokenizer_.decode(ids, ShowSpecial::kHide)),
              expected("decoded_without_special", i));
  }
}

TEST_P(Golden, StreamsWholeCharacters) {
  for (size_t i = 0; i < num_lines(); ++i) {
    const Ids ids = expected("special_parsed", i);
    for (const ShowSpecial show : {ShowSpecial::kShow, ShowSpecial::kHide}) {
      Detokenizer stream(tokenizer_, show);
      std::string text;
      for (const int32_t id : ids) {
        const std::string piece = stream.push(id);
        const std::string again = Json::parse(base::to_json_text(Json(piece)));
        EXPECT_EQ(piece, again) << "not whole characters";
        text += piece;
      }
      text += stream.finish();
      EXPECT_EQ(text, tokenizer_.decode(ids, show));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Small, Golden, testing::Values("gpt2", "smollm", "qwen2", "qwen35"));

TEST(Bpe, MergesTheMostUrgentPairFirst) {
  const Tokenizer tokenizer(bytes_and({"b c", "a b", "a bc", "a a"}));
  EXPECT_EQ(tokenizer.encode("abc", Special::kText), (Ids{258}));
  EXPECT_EQ(tokenizer.encode("ab", Special::kText), (Ids{257}));
  EXPECT_EQ(tokenizer.encode("aaa", Special::kText), (Ids{259, 'a'}));
  EXPECT_EQ(tokenizer.token_bytes(258), "abc");
}

// The code for long pieces against that for short ones, which the real tokenizers check.
TEST(Bpe, LongPiecesAreMergedAsShortOnes) {
  const Tokenizer tokenizer(bytes_and({"a b", "b a", "ab a", "aba b", "ab ab", "a a", "b b"}));
  uint32_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::string word;
    for (size_t i = 0; i < 1 + state % 120; ++i) {
      state = state * 1664525 + 1013904223;
      word += state >> 31 ? 'a' : 'b';
    }
    // The definition, word by word: lowest rank first, leftmost of equals.
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    for (;;) {
      int32_t best_id = INT32_MAX;
      size_t best = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const std::vector<std::string> merges = {"a b",   "b a", "ab a", "aba b",
                                                 "ab ab", "a a", "b b"};
        const auto found = std::find(merges.begin(), merges.end(), parts[i] + " " + parts[i + 1]);
        const auto rank = static_cast<int32_t>(found - merges.begin());
        if (found != merges.end() && rank < best_id) {
          best_id = rank;
          best = i;
        }
      }
      if (best_id == INT32_MAX) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
    std::vector<std::string> got;
    for (const int32_t id : tokenizer.encode(word, Special::kText))
      got.emplace_back(tokenizer.token_bytes(id));
    EXPECT_EQ(got, parts) << word;
  }
}

TEST(Bpe, AMillionBytesInOnePieceAreFast) {
  const Tokenizer tokenizer(
      bytes_and({"a a", "aa aa", "\xC4\xA0 \xC4\xA0", "\xC4\xA0\xC4\xA0 \xC4\xA0\xC4\xA0"}));
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, 'a'), Special::kText).size(), 250'000u);
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, ' '), Special::kText).size(), 250'000u);
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, '<'), Special::kParse).size(), 1'000'000u);
}

TEST(ByteLevel, EveryByteHasItsCharacter) {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    std::string bytes;
    append_token_bytes(bytes, byte_level_character(static_cast<uint8_t>(byte)));
    EXPECT_EQ(bytes, std::string(1, static_cast<char>(byte)));
  }
  std::string bytes;
  append_token_bytes(bytes, "\xC4\xA0with \xE2\x82\xAC");  // a space: stands for itself
  EXPECT_EQ(bytes, "\xC4\xA0with \xE2\x82\xAC");
}

TEST(Segments, DataNeverBecomesASpecialToken) {
  const Tokenizer tokenizer(bytes_and({}));
  const std::string special = "<|end|>", before = "ab", after = "cd<";
  const std::string whole = before + special + after;
  const Ids as_text = tokenizer.encode(whole, Special::kText);
  const Ids parsed = tokenizer.encode(whole, Special::kParse);
  ASSERT_NE(as_text, parsed);
  // Every stretch of the text is data once; the token is special only if the stretch misses it.
  for (size_t begin = 0; begin <= whole.size(); ++begin) {
    for (size_t end = begin; end <= whole.size(); ++end) {
      const std::vector<Segment> segments = {{whole.substr(0, begin), false},
                                             {whole.substr(begin, end - begin), true},
                                             {whole.substr(end), false}};
      const bool misses =
          begin == end || end <= before.size() || begin >= before.size() + special.size();
      EXPECT_EQ(tokenizer.encode(segments), misses ? parsed : as_text) << begin << " " << end;
    }
  }
}

TEST(Segments, SpecialTokensOfTheTemplateSurviveAnyNeighbour) {
  const Tokenizer tokenizer(bytes_and({}));
  for (const char* data :
       {"", "<", "<|", "<|end|", "<|start|>", "|>", "<|end|><|end|>", "\n", "x"}) {
    const std::vector<Segment> segments = {
        {"<|start|>", false}, {data, true}, {"<|end|>", false}, {data, true}};
    const Ids ids = tokenizer.encode(segments);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 1000), 1) << data;
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 1001), 1) << data;
    EXPECT_EQ(tokenizer.decode(ids, ShowSpecial::kShow),
              std::string("<|start|>") + data + "<|end|>" + data);
  }
}

TEST(Segments, TokensThatAreNotSpecialAreRecognisedInData) {
  const Tokenizer tokenizer(bytes_and({}));
  EXPECT_EQ(tokenizer.encode(std::vector<Segment>{{"<thi", true}, {"nk>", false}}), (Ids{1002}));
}

// One more than the data knows about a longer special token that begins inside of data.
TEST(Segments, AShorterTokenStillCounts) {
  TokenizerData data = bytes_and({});
  data.added.push_back({"<|end|>now", 1003, true});
  const Tokenizer tokenizer(std::move(data));
  const Ids ids = tokenizer.encode(std::vector<Segment>{{"<|end|>", false}, {"now", true}});
  EXPECT_EQ(ids, (Ids{1001, 'n', 'o', 'w'}));
}

TEST(Segments, TheTextIsCutAsOne) {
  const Tokenizer tokenizer(bytes_and({"a b", "e \xC3\x8C"}));
  EXPECT_EQ(tokenizer.encode(std::vector<Segment>{{"a", false}, {"b", true}}), (Ids{256}));
  // A letter and its accent from different segments are normalized together.
  EXPECT_EQ(tokenizer.encode(std::vector<Segment>{{"e", false}, {"\xCC\x81", true}}),
            (Ids{0xC3, 0xA9}));
}

TEST(AddedTokens, LeftmostThenLongest) {
  TokenizerData data = bytes_and({});
  data.added.push_back({"<think>er", 1003, false});
  const Tokenizer tokenizer(std::move(data));
  EXPECT_EQ(tokenizer.encode("a<think>e<think>er", Special::kText), (Ids{'a', 1002, 'e', 1003}));
}

TEST(AddedTokens, StripTakesWhiteSpace) {
  TokenizerData data = bytes_and({});
  data.added = {{"<l>", 1000, false, true, false}, {"<r>", 1001, false, false, true}};
  const Tokenizer tokenizer(std::move(data));
  EXPECT_EQ(tokenizer.encode("a \n<l> b", Special::kText), (Ids{'a', 1000, ' ', 'b'}));
  EXPECT_EQ(tokenizer.encode("a <r>\xC2\xA0 b", Special::kText), (Ids{'a', ' ', 1001, 'b'}));
  EXPECT_EQ(tokenizer.encode("<r> <l>", Special::kText), (Ids{1001, 1000}));
}

TEST(AddedTokens, NormalizedOnesAreFoundAfterNormalization) {
  TokenizerData data = bytes_and({});
  data.added = {{"\xC3\xA9t", 1000, false, false, false, false, true},
                {"\xC3\xA9x", 1001, false, false, false, false, false}};
  const Tokenizer tokenizer(std::move(data));
  EXPECT_EQ(tokenizer.encode("e\xCC\x81t", Special::kText), (Ids{1000}));
  EXPECT_EQ(tokenizer.encode("e\xCC\x81x", Special::kText), (Ids{0xC3, 0xA9, 'x'}));
}

TEST(Detokenizer, EverySplitOfACharacter) {
  const Tokenizer tokenizer(bytes_and({}));
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  Detokenizer stream(tokenizer, ShowSpecial::kShow);
  std::vector<std::string> pieces;
  for (const char c : text) pieces.push_back(stream.push(static_cast<uint8_t>(c)));
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "", "\xC3\xA9", "", "", "\xE2\x82\xAC", "", "",
                                              "", "\xF0\x9F\x98\x80", "z"}));
  EXPECT_EQ(stream.finish(), "");
}

TEST(Detokenizer, BrokenCharactersAreReplacedAsInDecode) {
  const Tokenizer tokenizer(bytes_and({}));
  // Every pair and some triples of bytes that begin, continue or break a character.
  const Ids bytes = {'a', 0x80, 0xBF, 0xC0, 0xC3, 0xA0, 0xE0, 0xED, 0xE2, 0xF0, 0x90, 0xF4, 0xFF};
  for (const int32_t first : bytes) {
    for (const int32_t second : bytes) {
      for (const int32_t third : bytes) {
        Detokenizer stream(tokenizer, ShowSpecial::kShow);
        std::string text = stream.push(first);
        text += stream.push(second);
        text += stream.push(third);
        text += stream.finish();
        EXPECT_EQ(text, tokenizer.decode(Ids{first, second, third}, ShowSpecial::kShow));
      }
    }
  }
}

TEST(Detokenizer, HidesSpecialTokensAndIgnoresUnknownOnes) {
  const Tokenizer tokenizer(bytes_and({}));
  Detokenizer stream(tokenizer);
  EXPECT_EQ(stream.push(1001) + stream.push('x') + stream.push(1002) + stream.push(-1) +
                stream.push(999) + stream.push(INT32_MAX),
            "x<think>");
  EXPECT_TRUE(tokenizer.is_special(1001));
  EXPECT_FALSE(tokenizer.is_special(1002) || tokenizer.is_special(-5) ||
               tokenizer.is_special(9999));
}

TEST(Tokenizer, InvalidUtf8IsNamedByItsOffset) {
  const Tokenizer tokenizer(bytes_and({}));
  try {
    tokenizer.encode("abc\xE4\xBD", Special::kText);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "text.invalid_utf8");
    EXPECT_EQ(error.arguments(), (std::vector<std::string>{"3"}));
  }
}

TEST(Tokenizer, EndsAreAddedOnRequest) {
  TokenizerData data = bytes_and({});
  data.bos = 1000;
  data.eos = 1001;
  EXPECT_EQ(Tokenizer(data).with_ends({1}), (Ids{1}));
  data.add_bos = data.add_eos = true;
  EXPECT_EQ(Tokenizer(data).with_ends({1}), (Ids{1000, 1, 1001}));
  data.appended = {5, 6};
  EXPECT_EQ(Tokenizer(data).with_ends({1}), (Ids{1000, 1, 5, 6}));
  EXPECT_EQ(Tokenizer(data).find("<think>"), 1002);
  EXPECT_EQ(Tokenizer(data).find("<nothing>"), std::nullopt);
}

TEST(Tokenizer, RefusesDataThatContradictsItself) {
  EXPECT_EQ(error_id(bytes_and({"a b"})), "");
  TokenizerData data = bytes_and({});
  data.tokens.push_back("a");  // the text of token 97
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
  for (const char* merge : {"a zz", "zz a", "ab", "q r", ""}) {
    data = bytes_and({"a b"});
    data.merges.push_back(merge);
    EXPECT_EQ(error_id(data), "tokenizer.corrupt") << merge;
  }
  data = bytes_and({"a b"});
  data.merges.push_back("a b");
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
  data = bytes_and({});
  data.eos = 1003;
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
  data = bytes_and({});
  data.appended = {-1};
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
  data = bytes_and({});
  data.appended.assign(kMaxEndTokens + 1, 1);
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
}

TEST(Tokenizer, RefusesAddedTokensThatCannotBe) {
  const auto with = [](AddedToken token) {
    TokenizerData data = bytes_and({});
    data.added.push_back(std::move(token));
    return error_id(std::move(data));
  };
  EXPECT_EQ(with({"<x>", 1003}), "");
  EXPECT_EQ(with({"<x>", 1002}), "tokenizer.corrupt");
  EXPECT_EQ(with({"<x>", 97}), "tokenizer.corrupt");
  EXPECT_EQ(with({"<x>", -1}), "tokenizer.corrupt");
  EXPECT_EQ(with({"<x>", static_cast<int32_t>(kMaxTokens)}), "tokenizer.corrupt");
  EXPECT_EQ(with({"<think>", 1003}), "tokenizer.corrupt");
  EXPECT_EQ(with({"", 1003}), "tokenizer.corrupt");
  EXPECT_EQ(with({"\xFF", 1003}), "tokenizer.corrupt");
  EXPECT_EQ(with({std::string(kMaxAddedTokenBytes, 'x'), 1003}), "");
  EXPECT_EQ(with({std::string(kMaxAddedTokenBytes + 1, 'x'), 1003}), "tokenizer.corrupt");
  EXPECT_EQ(with({"<x>", 1003, false, false, false, true}), "tokenizer.unsupported");
  EXPECT_EQ(with({"<x>", 1003, true, false, false, false, true}), "tokenizer.unsupported");
}

TEST(Tokenizer, TokensUpToTheBound) {
  TokenizerData data = bytes_and({});
  data.tokens.set(2000, std::string(kMaxTokenBytes, 'x'));
  EXPECT_EQ(error_id(data), "");
  data.tokens.set(2000, std::string(kMaxTokenBytes + 1, 'x'));
  EXPECT_EQ(error_id(data), "tokenizer.corrupt");
}

TEST(Tokenizer, AnUnknownTokenNeedsAllBytes) {
  TokenizerData data = bytes_and({});
  data.has_unknown_token = true;
  EXPECT_EQ(error_id(data), "");
  data.tokens.set(4, "");
  EXPECT_EQ(error_id(data), "tokenizer.unsupported");
  data.has_unknown_token = false;
  const Tokenizer tokenizer(std::move(data));
  EXPECT_EQ(tokenizer.encode("a\x04"
                             "b",
                             Special::kText),
            (Ids{'a', 'b'}))
      << "dropped";
}

TEST(Tokenizer, ThreadsAndTokenizersDoNotDisturbEachOther) {
  const Tokenizer one(bytes_and({"a b"})), other(bytes_and({"b c"}));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        ASSERT_EQ(one.encode("abc", Special::kText), (Ids{256, 'c'}));
        ASSERT_EQ(other.encode("abc", Special::kText), (Ids{'a', 256}));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tulou::text
