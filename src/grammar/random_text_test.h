// For tests: texts that a grammar lets through when the model's choices are random.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "grammar/grammar.h"

namespace tulou::grammar {

// Every byte, pieces of JSON that cross its parts, a hole, and a stop token at the end; a few ids
// of padding.
inline VocabularyData byte_vocabulary() {
  VocabularyData data;
  for (int byte = 0; byte < 256; ++byte) data.tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* piece : {"{\"",      "\":",          "\": ",
                            "\",",      "\", \"",       "\"}",
                            "\"},",     "}}",           "]}",
                            "},{",      "[]",           "{}",
                            ", ",       ",\"",          "\n ",
                            "\n  ",     "\n\t",         "true",
                            "null",     "false",        "12",
                            "1.5",      "-1",           "e+",
                            "abc",      "the",          "name",
                            "\\u",      "\\n",          "\\\\",
                            "\\\"",     "00",           "2024-",
                            "[\"",      "\"]",          " \"",
                            ": {",      ": [",          "://",
                            "@",        "ab",           "bb",
                            "aaaa",     "\":\"",        "\"aaaa",
                            "[\"aaaaa", "aaa\",\"a",    "\xC3\xA9",
                            "\xE2\x82", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80"}) {
    data.tokens.emplace_back(piece);
  }
  data.tokens.emplace_back();
  data.stop_tokens.push_back(static_cast<int32_t>(data.tokens.size()));
  data.tokens.emplace_back("<stop>");
  data.vocab_size = static_cast<int32_t>(data.tokens.size()) + 7;
  return data;
}

class RandomText {
 public:
  enum class End { kStopped, kDeadEnd, kUnfinished };

  RandomText(const VocabularyData& vocabulary, uint64_t seed)
      : vocabulary_(vocabulary), seed_(seed) {}

  // Chooses at random for `steps` tokens, then so that the text ends soon, for as many again.
  End generate(std::shared_ptr<const CompiledGrammar> grammar, int steps) {
    GrammarMatcher matcher(std::move(grammar));
    std::vector<uint32_t> mask((static_cast<size_t>(vocabulary_.vocab_size) + 31) / 32);
    // Some texts wander, others hurry.
    const double hurry = next() < 0.3 ? 0.02 : 0.2;
    for (int step = 0; step < 2 * steps; ++step) {
      mask.assign(mask.size(), ~0u);
      matcher.fill(mask);
      allowed_.clear();
      for (int32_t token = 0; token < vocabulary_.vocab_size; ++token) {
        if ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0) {
          allowed_.push_back(token);
        }
      }
      if (allowed_.empty()) return End::kDeadEnd;
      const int32_t token = step >= steps || next() < hurry ? closing() : any();
      if (!matcher.accept(token)) return End::kDeadEnd;
      if (matcher.ended()) return End::kStopped;
      text_ += vocabulary_.tokens[static_cast<size_t>(token)];
    }
    return End::kUnfinished;
  }

  const std::string& text() const { return text_; }

 private:
  double next() { return base::random_uniform(seed_, 0, position_++); }
  int32_t any() {
    return allowed_[static_cast<size_t>(next() * static_cast<double>(allowed_.size()))];
  }
  // What tends to end a text: the stop token, closing brackets, short values, the rest.
  int32_t closing() {
    constexpr std::string_view kOrder = "}]\"ntf0123456789,:";
    size_t best = 1000;
    std::vector<int32_t> equal;
    for (const int32_t token : allowed_) {
      size_t rank = kOrder.size() + 1;
      if (token == vocabulary_.stop_tokens[0]) {
        rank = 0;
      } else if (const std::string& bytes = vocabulary_.tokens[static_cast<size_t>(token)];
                 bytes.size() == 1) {
        const size_t found = kOrder.find(bytes[0]);
        if (found != std::string_view::npos) rank = 1 + found;
      }
      if (rank < best) equal.clear();
      if (rank <= best) equal.push_back(token);
      best = std::min(best, rank);
    }
    return equal[static_cast<size_t>(next() * static_cast<double>(equal.size()))];
  }

  const VocabularyData& vocabulary_;
  uint64_t seed_;
  uint64_t position_ = 0;
  std::vector<int32_t> allowed_;
  std::string text_;
};

}  // namespace tulou::grammar
