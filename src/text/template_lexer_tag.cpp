// The tokens inside of {{ }} and {% %}: names, numbers, strings, operators.
#include <array>
#include <string>

#include "base/number.h"
#include "base/utf8.h"
#include "text/template_lexer.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

// The end of digits of `base` from `at`, single underscores between them allowed.
size_t digits_end(std::string_view text, size_t at, int base) {
  while (at < text.size() && digit_value(text[at]) < base) {
    ++at;
    if (at + 1 < text.size() && text[at] == '_' && digit_value(text[at + 1]) < base) ++at;
  }
  return at;
}

std::string without_underscores(std::string_view digits) {
  std::string out;
  for (const char c : digits)
    if (c != '_') out += c;
  return out;
}

}  // namespace

bool Lexer::end_of_tag(Token& token) {
  if (!brackets_.empty()) return false;
  const size_t begin = at_;
  if (state_ == State::kBlock) {
    const size_t end = block_end(at_, "%}");
    if (end == std::string_view::npos) return false;
    token = make(TokenKind::kBlockEnd, begin, end);
    at_ = end;
  } else {
    const bool minus = source_[at_] == '-';
    if (source_.substr(at_ + (minus ? 1 : 0), 2) != "}}") return false;
    at_ = minus ? skip_space(at_ + 3) : at_ + 2;
    token = make(TokenKind::kVariableEnd, begin, at_);
  }
  line_starting_ = source_[at_ - 1] == '\n';
  state_ = State::kRoot;
  return true;
}

bool Lexer::next_in_tag(Token& token) {
  if (end_of_tag(token)) return true;
  const size_t begin = at_;
  at_ = skip_space(at_);
  if (at_ > begin) return false;
  const char c = source_[at_];
  if (is_digit(c) && lex_number(token)) return true;
  if (is_name_start(c)) {
    while (at_ < source_.size() && (is_name_start(source_[at_]) || is_digit(source_[at_]))) ++at_;
    if (at_ < source_.size() && static_cast<unsigned char>(source_[at_]) >= 0x80)
      refuse(static_cast<uint32_t>(at_), "a name with letters beyond ASCII");
    token = make(TokenKind::kName, begin, at_);
    return true;
  }
  if (c == '"' || c == '\'') {
    lex_string(token);
    return true;
  }
  if (static_cast<unsigned char>(c) >= 0x80)
    refuse(static_cast<uint32_t>(at_), "a name with letters beyond ASCII");
  lex_operator(token);
  return true;
}

bool Lexer::lex_prefixed_integer(Token& token) {
  if (source_[at_] != '0' || at_ + 2 >= source_.size()) return false;
  const char mark = static_cast<char>(source_[at_ + 1] | 0x20);
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (base == 0) return false;
  const size_t first = at_ + (source_[at_ + 2] == '_' ? 3 : 2);
  const size_t end = digits_end(source_, first, base);
  if (end == first) return false;
  token = make(TokenKind::kInteger, at_, end);
  for (size_t at = first; at < end; ++at) {
    if (source_[at] == '_') continue;
    if (__builtin_mul_overflow(token.integer, base, &token.integer) ||
        __builtin_add_overflow(token.integer, digit_value(source_[at]), &token.integer))
      refuse(token.offset, "an integer of more than 64 bits");
  }
  at_ = end;
  return true;
}

bool Lexer::lex_number(Token& token) {
  size_t end = digits_end(source_, at_, 10);
  bool is_float = false;
  if (at_ == 0 || source_[at_ - 1] != '.') {  // a.0.1 is two subscripts
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      is_float = true;
      end = digits_end(source_, end + 1, 10);
    }
    size_t exponent = end;
    if (exponent < source_.size() && (source_[exponent] | 0x20) == 'e') {
      ++exponent;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-'))
        ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        is_float = true;
        end = digits_end(source_, exponent, 10);
      }
    }
  }
  if (is_float) {
    token = make(TokenKind::kFloat, at_, end);
    const auto value = base::parse_double(without_underscores(token.text));
    if (!value) refuse(token.offset, "a number beyond the range of a double");
    token.number = *value;
    at_ = end;
    return true;
  }
  if (lex_prefixed_integer(token)) return true;
  if (source_[at_] == '0') {  // 0 may only be followed by zeros; 012 is 0 and 12
    end = at_ + 1;
    while (end < source_.size() &&
           (source_[end] == '0' ||
            (source_[end] == '_' && end + 1 < source_.size() && source_[end + 1] == '0')))
      ++end;
  }
  token = make(TokenKind::kInteger, at_, end);
  const auto value = base::parse_int(without_underscores(token.text));
  if (!value) refuse(token.offset, "an integer of more than 64 bits");
  token.integer = *value;
  at_ = end;
  return true;
}

void Lexer::lex_string(Token& token) {
  const size_t begin = at_;
  const char quote = source_[begin];
  size_t end = begin + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) fail(static_cast<uint32_t>(begin), "a string is not closed");
  token = make(TokenKind::kString, begin, end + 1);
  token.value = unescape(source_.substr(begin + 1, end - begin - 1), token.offset);
  at_ = end + 1;
}

// The escapes of Python. A backslash before anything else stays.
std::string Lexer::unescape(std::string_view raw, uint32_t offset) const {
  std::string out;
  out.reserve(raw.size());
  for (size_t at = 0; at < raw.size();) {
    if (raw[at] != '\\') {
      out += raw[at++];
    } else {
      at = unescape_one(raw, at + 1, offset, out);
    }
  }
  return out;
}

// `at` is behind the backslash; returns where the escape ends.
size_t Lexer::unescape_one(std::string_view raw, size_t at, uint32_t offset,
                           std::string& out) const {
  static constexpr std::string_view kFrom = "\\'\"abfnrtv\n";
  static constexpr std::array<std::string_view, 11> kTo = {"\\", "'",  "\"", "\a", "\b", "\f",
                                                           "\n", "\r", "\t", "\v", ""};
  const char c = raw[at];
  if (const size_t found = kFrom.find(c); found != std::string_view::npos) {
    out += kTo[found];
    return at + 1;
  }
  uint32_t code = 0;
  size_t end = at;
  if (c >= '0' && c <= '7') {
    for (; end < raw.size() && end < at + 3 && raw[end] >= '0' && raw[end] <= '7'; ++end)
      code = code * 8 + static_cast<uint32_t>(digit_value(raw[end]));
    base::append_utf8(out, code);
    return end;
  }
  if (c == 'x' || c == 'u' || c == 'U') {
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    for (end = at + 1; end < raw.size() && end < at + 1 + digits && digit_value(raw[end]) < 16;
         ++end)
      code = code * 16 + static_cast<uint32_t>(digit_value(raw[end]));
    if (end != at + 1 + digits) fail(offset, "an escape in a string lacks digits");
    if (code > 0x10ffff) fail(offset, "an escape in a string is beyond U+10FFFF");
    if (code >= 0xd800 && code <= 0xdfff) refuse(offset, "half of a surrogate pair in a string");
    base::append_utf8(out, code);
    return end;
  }
  if (c == 'N') refuse(offset, "a character given by its name in a string");
  out += '\\';
  if (static_cast<unsigned char>(c) < 0x80) {
    out += c;
    return at + 1;
  }
  // Python spells a character beyond ASCII as an escape first; the backslash then hides that.
  size_t length = 0;
  code = code_point_at(raw, at, length);
  static constexpr char kHex[] = "0123456789abcdef";
  const int digits = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
  out += code < 0x100 ? 'x' : code < 0x10000 ? 'u' : 'U';
  for (int i = digits - 1; i >= 0; --i) out += kHex[(code >> (4 * i)) & 15];
  return at + length;
}

void Lexer::lex_operator(Token& token) {
  static constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
  static constexpr std::string_view kOne = "+-/*%~[](){}><=.:|,;";
  size_t length = 0;
  for (const std::string_view two : kTwo)
    if (source_.substr(at_, 2) == two) length = 2;
  if (length == 0 && kOne.find(source_[at_]) != std::string_view::npos) length = 1;
  if (length == 0)
    fail(static_cast<uint32_t>(at_), "unexpected character '" + std::string(1, source_[at_]) + "'");
  token = make(TokenKind::kOperator, at_, at_ + length);
  const char c = token.text[0];
  if (c == '(' || c == '[' || c == '{') {
    brackets_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
  } else if (c == ')' || c == ']' || c == '}') {
    if (brackets_.empty() || brackets_.back() != c)
      fail(token.offset, "unexpected '" + std::string(1, c) + "'");
    brackets_.pop_back();
  }
  at_ += length;
}

}  // namespace tulou::text::jinja
