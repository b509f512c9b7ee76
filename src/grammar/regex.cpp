#include "grammar/regex.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace tulou::grammar {
namespace {

using Class = std::vector<CodePoints>;
using Expr = Rules::Expr;

constexpr uint32_t kMaxCount = 100'000;

const Class& digits() {
  static const Class ranges = {{'0', '9'}};
  return ranges;
}
const Class& word_characters() {
  static const Class ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return ranges;
}
const Class& spaces() {
  static const Class ranges = {{'\t', '\r'}, {' ', ' '}};
  return ranges;
}
// What some dialect takes for a space.
const Class& all_spaces() {
  static const Class ranges = {{'\t', '\r'},     {0x1C, ' '},      {0x85, 0x85},
                               {0xA0, 0xA0},     {0x1680, 0x1680}, {0x180E, 0x180E},
                               {0x2000, 0x200B}, {0x2028, 0x2029}, {0x202F, 0x202F},
                               {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return ranges;
}
const Class& beyond_ascii() {
  static const Class ranges = {{0x80, 0xD7FF}, {0xE000, 0x10FFFF}};
  return ranges;
}

Class joined(Class a, const Class& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A class escape such as \d: what it matches, and what an inverted class around it leaves out.
struct ClassEscape {
  Class matches;
  Class excluded;
};

class Parser {
 public:
  Parser(Rules& rules, std::u32string pattern, std::function<Expr(const Class&)> one_of)
      : rules_(rules), pattern_(std::move(pattern)), one_of_(std::move(one_of)) {}

  // All alternatives; `around` stands where an end is not anchored.
  Expr parse(const std::function<Expr()>& around) {
    std::vector<Expr> options;
    do {
      std::vector<Expr> parts;
      if (!eat('^')) parts.push_back(around());
      parts.push_back(sequence(0));
      if (!eat('$')) parts.push_back(around());
      options.push_back(rules_.sequence(std::move(parts)));
    } while (eat('|'));
    if (at_ < pattern_.size())
      invalid(peek() == ')' ? "unmatched \")\"" : "\"$\" is not at the end");
    return rules_.choice(std::move(options));
  }

 private:
  [[noreturn]] void invalid(const char* what) const {
    throw base::Error("grammar.invalid_regex", at_ + 1, what);
  }
  [[noreturn]] void unsupported(const char* what) const {
    throw base::Error("grammar.unsupported_regex", at_ + 1, what);
  }
  bool more() const { return at_ < pattern_.size(); }
  char32_t peek(size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : U'\0';
  }
  bool eat(char32_t c) {
    if (!more() || peek() != c) return false;
    ++at_;
    return true;
  }

  Expr alternatives(int depth) {
    std::vector<Expr> options = {sequence(depth)};
    while (eat('|')) options.push_back(sequence(depth));
    return options.size() == 1 ? options[0] : rules_.choice(std::move(options));
  }

  Expr sequence(int depth) {
    std::vector<Expr> parts;
    while (more() && peek() != '|' && peek() != ')') {
      if (peek() == '$') {
        if (depth > 0) unsupported("\"$\" inside of a group");
        break;
      }
      if (peek() == '^') unsupported("\"^\" that is not at the beginning");
      parts.push_back(quantified(atom(depth)));
    }
    return rules_.sequence(std::move(parts));
  }

  Expr atom(int depth) {
    const char32_t c = peek();
    switch (c) {
      case '(':
        return group(depth);
      case '[':
        return one_of_(character_class());
      case '.':
        ++at_;
        return one_of_(subtract(all_code_points(), {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}));
      case '\\': {
        const ClassEscape escape = escaped();
        return one_of_(escape.matches);
      }
      case '*':
      case '+':
      case '?':
        invalid("nothing to repeat");
      case '{':
      case '}':
      case ']':
        invalid("a bracket that must be written with a backslash here");
      default:
        ++at_;
        return one_of_({{c, c}});
    }
  }

  Expr group(int depth) {
    if (depth >= kMaxRegexDepth) {
      throw base::Error("grammar.too_large", "groups within each other", kMaxRegexDepth);
    }
    ++at_;
    if (eat('?')) {
      if (peek() == 'P' && peek(1) == '<') ++at_;
      if (peek() == '<' && peek(1) != '=' && peek(1) != '!') {
        while (more() && peek() != '>') ++at_;
        if (!eat('>')) invalid("a group's name does not end");
      } else if (!eat(':')) {
        unsupported("look-around or flags");
      }
    }
    const Expr body = alternatives(depth + 1);
    if (!eat(')')) invalid("a group is not closed");
    return body;
  }

  Expr quantified(Expr body) {
    uint32_t min = 1, max = 1;
    if (eat('*')) {
      min = 0, max = Rules::kUnbounded;
    } else if (eat('+')) {
      max = Rules::kUnbounded;
    } else if (eat('?')) {
      min = 0;
    } else if (peek() == '{') {
      ++at_;
      min = max = count();
      if (eat(',')) max = peek() == '}' ? Rules::kUnbounded : count();
      if (!eat('}')) invalid("a repetition is {m}, {m,} or {m,n}");
      if (min > max) invalid("a repetition whose minimum is above its maximum");
    } else {
      return body;
    }
    if (peek() == '+') unsupported("possessive repetition");
    eat('?');  // lazy: the same language
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
      invalid("nothing to repeat");
    }
    return rules_.repeat(body, min, max);
  }

  uint32_t count() {
    uint32_t value = 0;
    const size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<uint32_t>(pattern_[at_++] - '0');
      if (value > kMaxCount) throw base::Error("grammar.too_large", "repetitions", kMaxCount);
    }
    if (at_ == begin) invalid("a repetition is {m}, {m,} or {m,n}");
    return value;
  }

  Class character_class() {
    ++at_;
    const bool inverted = eat('^');
    Class matches, excluded;
    while (more() && peek() != ']') {
      if (peek() == '[' && peek(1) == ':') unsupported("POSIX classes");
      const ClassEscape first = class_member();
      matches = joined(std::move(matches), first.matches);
      excluded = joined(std::move(excluded), first.excluded);
      if (peek() != '-' || peek(1) == ']' || at_ + 1 >= pattern_.size()) continue;
      ++at_;
      const ClassEscape last = class_member();
      if (!is_single(first) || !is_single(last)) invalid("a range between classes");
      const CodePoints range = {first.matches[0].first, last.matches[0].first};
      if (range.first > range.last) invalid("a range that goes backwards");
      matches.push_back(range);
      excluded.push_back(range);
    }
    if (!eat(']')) invalid("a class is not closed");
    Class result = inverted ? subtract(all_code_points(), std::move(excluded))
                            : subtract(std::move(matches), {{0xD800, 0xDFFF}});
    return result;
  }

  static bool is_single(const ClassEscape& one) {
    return one.matches.size() == 1 && one.matches[0].first == one.matches[0].last;
  }

  ClassEscape class_member() {
    if (!more()) invalid("a class is not closed");
    if (peek() == '\\') return escaped();
    const Class one = {{peek(), peek()}};
    ++at_;
    return {one, one};
  }

  ClassEscape escaped() {
    ++at_;
    if (!more()) invalid("a backslash at the end");
    const char32_t c = pattern_[at_++];
    switch (c) {
      case 'd':
        return {digits(), joined(digits(), beyond_ascii())};
      case 'w':
        return {word_characters(), joined(word_characters(), beyond_ascii())};
      case 's':
        return {spaces(), all_spaces()};
      case 'D':
        return {subtract({{0, 0x7F}}, digits()), subtract(all_code_points(), digits())};
      case 'W':
        return {subtract({{0, 0x7F}}, word_characters()),
                subtract(all_code_points(), word_characters())};
      case 'S':
        return {subtract(all_code_points(), all_spaces()), subtract(all_code_points(), spaces())};
      default:
        break;
    }
    const char32_t one = escaped_character(c);
    return {{{one, one}}, {{one, one}}};
  }

  char32_t escaped_character(char32_t c) {
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (letter || digit) {
      --at_;
      unsupported(digit ? "a reference or an octal escape" : "this escape");
    }
    return c;
  }

  char32_t hexadecimal(int wanted) {
    char32_t value = 0;
    for (int i = 0; i < wanted; ++i) {
      const char32_t c = peek();
      if (c >= '0' && c <= '9') {
        value = value * 16 + (c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        value = value * 16 + ((c | 0x20) - 'a' + 10);
      } else {
        invalid("\\x takes two hexadecimal digits, \\u four");
      }
      ++at_;
    }
    if (value >= 0xD800 && value <= 0xDFFF) unsupported("half of a surrogate pair");
    return value;
  }

  Rules& rules_;
  std::u32string pattern_;
  std::function<Expr(const Class&)> one_of_;
  size_t at_ = 0;
};

std::u32string checked(std::string_view pattern) {
  if (pattern.size() > kMaxRegexBytes) {
    throw base::Error("grammar.too_large", "bytes in a regular expression", kMaxRegexBytes);
  }
  if (const auto at = base::find_invalid_utf8(pattern)) {
    throw base::Error("grammar.invalid_regex", *at + 1, "not UTF-8");
  }
  return to_code_points(pattern);
}

}  // namespace

Rules::Expr add_regex(Rules& rules, std::string_view pattern) {
  Parser parser(rules, checked(pattern),
                [&](const Class& ranges) { return rules.one_of(subtract(ranges, {{0, 0}})); });
  return parser.parse([&] { return rules.literal(""); });
}

Rules::Expr add_json_pattern(JsonText& json, std::string_view pattern) {
  Parser parser(json.rules(), checked(pattern),
                [&](const Class& ranges) { return json.characters(ranges); });
  return parser.parse([&] {
    return json.rules().repeat(json.characters(all_code_points()), 0, Rules::kUnbounded);
  });
}

}  // namespace tulou::grammar
