#include "text/pre_tokenizer.h"

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace tulou::text {
namespace {

// What a character is for the expressions; one bit each.
enum Kind : uint8_t {
  kWord = 1,     // letters; for Qwen 3.5 also marks
  kDigit = 2,    // \p{N}
  kSpace = 4,    // \s but CR and LF
  kNewline = 8,  // CR, LF
  kOther = 16,
  kNothing = 0,  // the end of the text
};
constexpr uint8_t kAnySpace = kSpace | kNewline;

struct Character {
  uint8_t kind = kNothing;
  uint8_t length = 0;
};

constexpr std::array<uint8_t, 128> kAsciiKinds = [] {
  std::array<uint8_t, 128> kinds{};
  for (uint32_t c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool space = c == ' ' || c == '\t' || c == 0x0B || c == 0x0C;
    kinds[c] = letter                   ? kWord
               : c >= '0' && c <= '9'   ? kDigit
               : c == '\r' || c == '\n' ? kNewline
               : space                  ? kSpace
                                        : kOther;
  }
  return kinds;
}();

// A character of more than one byte; the text is valid UTF-8.
struct Wide {
  uint32_t code_point;
  uint8_t length;
};
inline Wide decode_wide(const char* text) {
  const auto byte = [&](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t first = byte(0);
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

// Reads characters as one of the expressions sees them.
template <bool kMarksAreLetters>
class Reader {
 public:
  Reader(std::string_view text) : text_(text) {}

  Character at(size_t place) const {
    if (place >= text_.size()) return {};
    const auto first = static_cast<uint8_t>(text_[place]);
    if (first < 0x80) return {kAsciiKinds[first], 1};
    const Wide wide = decode_wide(text_.data() + place);
    const uint16_t bits = class_of(wide.code_point);
    constexpr uint16_t kLetters = tables::kLetter | (kMarksAreLetters ? tables::kMark : 0);
    const uint8_t kind = (bits & kLetters) != 0              ? kWord
                         : (bits & tables::kNumber) != 0     ? kDigit
                         : (bits & tables::kWhiteSpace) != 0 ? kSpace
                                                             : kOther;
    return {kind, wide.length};
  }

  // Where the run of characters of these kinds that holds `place` ends.
  size_t skip(size_t place, uint8_t kinds) const {
    for (;;) {
      const Character c = at(place);
      if ((c.kind & kinds) == 0) return place;
      place += c.length;
    }
  }

  char byte(size_t place) const { return place < text_.size() ? text_[place] : '\0'; }
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// The end of 's 't 're 've 'm 'll 'd after the apostrophe at `at`; `at` if there is none. Ignoring
// case, U+017F (long s) is an s too: Oniguruma folds it.
enum class LetterCase { kMatters, kIgnored };
size_t skip_contraction(std::string_view text, size_t at, LetterCase letter_case) {
  const auto letter = [&](size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return letter_case == LetterCase::kIgnored && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32)
                                                                       : c;
  };
  const char first = letter(at + 1), second = letter(at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l'))
    return at + 3;
  if (letter_case == LetterCase::kIgnored && text.substr(at + 1, 2) == "\xC5\xBF") return at + 3;
  return at;
}

// White space from `at`, where no word or sign takes part of it: \s+(?!\S)|\s+. A run before
// something else leaves its last character for the next piece, unless it is alone.
template <typename R>
size_t scan_space(const R& reader, size_t at) {
  size_t end = at, last = at;
  for (Character c = reader.at(at); (c.kind & kAnySpace) != 0; c = reader.at(end)) {
    last = end;
    end += c.length;
  }
  return end == reader.text().size() || last == at ? end : last;
}

// As scan_space, but a run is cut behind its last CR or LF: \s*[\r\n]+ comes first.
template <typename R>
size_t scan_lines(const R& reader, size_t at) {
  size_t end = at, after_newline = at;
  for (Character c = reader.at(at); (c.kind & kAnySpace) != 0; c = reader.at(end)) {
    end += c.length;
    if (c.kind == kNewline) after_newline = end;
  }
  return after_newline > at ? after_newline : scan_space(reader, at);
}

// The end of the match of kQwen2Regex or kQwen35Regex at `at`; the alternatives in their order.
template <bool kMarksAreLetters>
size_t scan_qwen(std::string_view text, size_t at) {
  const Reader<kMarksAreLetters> reader(text);
  const Character first = reader.at(at);
  if (first.kind == kWord) return reader.skip(at + first.length, kWord);
  if (first.kind == kDigit) return at + first.length;
  const bool is_apostrophe = text[at] == '\'';
  if (is_apostrophe) {
    const size_t end = skip_contraction(text, at, LetterCase::kIgnored);
    if (end > at) return end;
  }
  const size_t second_at = at + first.length;
  const Character second = reader.at(second_at);
  // In the old expression a mark is no letter, yet may stand before a word like any other sign.
  if (first.kind != kNewline && second.kind == kWord)
    return reader.skip(second_at + second.length, kWord);
  if (first.kind == kOther || (text[at] == ' ' && second.kind == kOther))
    return reader.skip(reader.skip(second_at, kOther), kNewline);
  return scan_lines(reader, at);
}

// The end of the match of kGpt2Regex at `at`.
size_t scan_gpt2(std::string_view text, size_t at) {
  const Reader<false> reader(text);
  if (text[at] == '\'') {
    const size_t end = skip_contraction(text, at, LetterCase::kMatters);
    if (end > at) return end;
  }
  Character first = reader.at(at);
  size_t run_at = at;
  if (text[at] == ' ') {
    run_at = at + 1;
    first = reader.at(run_at);
  }
  constexpr uint8_t kRuns = kWord | kDigit | kOther;
  if ((first.kind & kRuns) != 0) return reader.skip(run_at + first.length, first.kind);
  return scan_space(reader, at);
}

// The length of the digit at `at`, or 0.
size_t split_digit(std::string_view text, size_t at) {
  const auto first = static_cast<uint8_t>(text[at]);
  if (first < 0x80) return first >= '0' && first <= '9' ? 1 : 0;
  const Wide wide = decode_wide(text.data() + at);
  return (class_of(wide.code_point) & tables::kSplitDigit) != 0 ? wide.length : 0;
}

size_t character_length(char first) {
  const auto byte = static_cast<uint8_t>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

PreTokenScanner::PreTokenScanner(PreTokenizer kind, std::string_view text)
    : kind_(kind), text_(text) {}

std::string_view PreTokenScanner::next() {
  if (at_ >= text_.size()) return {};
  const size_t begin = at_;
  switch (kind_) {
    case PreTokenizer::kQwen2:
      at_ = scan_qwen<false>(text_, begin);
      break;
    case PreTokenizer::kQwen35:
      at_ = scan_qwen<true>(text_, begin);
      break;
    case PreTokenizer::kGpt2:
      at_ = scan_gpt2(text_, begin);
      break;
    case PreTokenizer::kSmolLM:
      if (begin == limit_) {
        while (limit_ < text_.size() && split_digit(text_, limit_) == 0)
          limit_ += character_length(text_[limit_]);
      }
      // A stretch between digits is a text of its own: its end counts as the end of the text.
      if (limit_ > begin) {
        at_ = scan_gpt2(text_.substr(0, limit_), begin);
      } else {
        at_ = limit_ = begin + split_digit(text_, begin);
      }
      break;
  }
  return text_.substr(begin, at_ - begin);
}

}  // namespace tulou::text
