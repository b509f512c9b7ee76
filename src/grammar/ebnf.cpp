#include "grammar/ebnf.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace tulou::grammar {
namespace {

using Expr = Rules::Expr;

bool begins_name(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool continues_name(char32_t c) { return begins_name(c) || is_digit(c) || c == '-' || c == '.'; }

class Parser {
 public:
  Parser(Rules& rules, std::u32string text) : rules_(rules), text_(std::move(text)) {}

  Rules::Rule parse() {
    for (skip_space(); more(); skip_space()) {
      const size_t begin = at_;
      const std::u32string rule_name = name();
      skip_space();
      if (!eat(U"::=")) fail("expected \"::=\"");
      Named& named = rules_named_[rule_name];
      if (named.defined) fail_at(begin, "this rule is defined twice");
      if (!named.used) named.rule = rules_.declare();
      named.used = named.defined = true;
      rules_.define(named.rule, without_left_recursion(named.rule, alternatives(0)));
    }
    for (const auto& [rule_name, named] : rules_named_) {
      if (!named.defined) fail_at(named.first_use, "this rule is not defined");
    }
    const auto root = rules_named_.find(U"root");
    if (root == rules_named_.end()) fail("there is no rule \"root\"");
    return root->second.rule;
  }

 private:
  // x ::= x a | b is x ::= b a*: parsers that go from left to right would never come to its end.
  Expr without_left_recursion(Rules::Rule rule, Expr body) {
    const Rules::Node whole = rules_.node(body);
    const std::vector<Expr> options =
        whole.kind == Rules::Kind::kChoice ? whole.parts : std::vector<Expr>{body};
    std::vector<Expr> first, further;
    for (const Expr option : options) {
      const Rules::Node node = rules_.node(option);
      const bool recursive = node.kind == Rules::Kind::kSequence && !node.parts.empty() &&
                             rules_.node(node.parts[0]).kind == Rules::Kind::kCall &&
                             rules_.node(node.parts[0]).rule == rule;
      if (!recursive) {
        first.push_back(option);
      } else if (node.parts.size() > 1) {
        further.push_back(rules_.sequence({node.parts.begin() + 1, node.parts.end()}));
      }
    }
    if (first.size() == options.size()) return body;
    return rules_.sequence(
        {rules_.choice(std::move(first)),
         rules_.repeat(rules_.choice(std::move(further)), 0, Rules::kUnbounded)});
  }

  struct Named {
    Rules::Rule rule{};
    size_t first_use = 0;
    bool used = false;
    bool defined = false;
  };

  [[noreturn]] void fail(const char* what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(size_t at, const char* what) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < text_.size(); ++i) {
      column = text_[i] == '\n' ? 1 : column + 1;
      line += text_[i] == '\n' ? 1 : 0;
    }
    throw base::Error("grammar.invalid_ebnf", line, column, what);
  }
  bool more() const { return at_ < text_.size(); }
  char32_t peek() const { return more() ? text_[at_] : U'\0'; }
  bool eat(std::u32string_view wanted) {
    if (std::u32string_view(text_).substr(at_, wanted.size()) != wanted) return false;
    at_ += wanted.size();
    return true;
  }
  void skip_space() {
    while (more()) {
      if (peek() == '#') {
        while (more() && peek() != '\n') ++at_;
      } else if (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::u32string name() {
    if (!begins_name(peek())) fail("expected the name of a rule");
    const size_t begin = at_;
    while (more() && continues_name(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // True at "name ::=", where the next rule begins.
  bool at_next_rule() {
    if (!begins_name(peek())) return false;
    const size_t begin = at_;
    name();
    skip_space();
    const bool found = eat(U"::=");
    at_ = begin;
    return found;
  }

  Expr alternatives(int depth) {
    std::vector<Expr> options = {sequence(depth)};
    while (eat(U"|")) options.push_back(sequence(depth));
    return options.size() == 1 ? options[0] : rules_.choice(std::move(options));
  }

  Expr sequence(int depth) {
    std::vector<Expr> parts;
    for (skip_space(); more() && peek() != '|' && peek() != ')' && !at_next_rule(); skip_space()) {
      parts.push_back(quantified(element(depth)));
    }
    if (parts.empty()) fail("expected an element; the empty text is \"\"");
    return rules_.sequence(std::move(parts));
  }

  Expr element(int depth) {
    switch (peek()) {
      case '"':
        return string();
      case '[':
        return character_class();
      case '(': {
        if (depth >= kMaxEbnfDepth) {
          throw base::Error("grammar.too_large", "groups within each other", kMaxEbnfDepth);
        }
        ++at_;
        const Expr body = alternatives(depth + 1);
        if (!eat(U")")) fail("expected \")\"");
        return body;
      }
      default:
        break;
    }
    if (!begins_name(peek())) fail("expected a string, a class, a name or a group");
    const size_t begin = at_;
    Named& named = rules_named_[name()];
    if (!named.used) {
      named.rule = rules_.declare();
      named.first_use = begin;
      named.used = true;
    }
    return rules_.call(named.rule);
  }

  Expr quantified(Expr body) {
    skip_space();
    if (eat(U"*")) return rules_.repeat(body, 0, Rules::kUnbounded);
    if (eat(U"+")) return rules_.repeat(body, 1, Rules::kUnbounded);
    if (eat(U"?")) return rules_.repeat(body, 0, 1);
    if (!eat(U"{")) return body;
    const uint32_t min = count();
    uint32_t max = min;
    skip_space();
    if (eat(U",")) {
      skip_space();
      max = peek() == '}' ? Rules::kUnbounded : count();
      skip_space();
    }
    if (!eat(U"}")) fail("expected \"}\"");
    if (min > max) fail("the minimum is above the maximum");
    return rules_.repeat(body, min, max);
  }

  uint32_t count() {
    constexpr uint32_t kMaxCount = 100'000;
    skip_space();
    if (!is_digit(peek())) fail("expected a number");
    uint32_t value = 0;
    for (; is_digit(peek()); ++at_) {
      value = value * 10 + static_cast<uint32_t>(peek() - '0');
      if (value > kMaxCount) throw base::Error("grammar.too_large", "repetitions", kMaxCount);
    }
    return value;
  }

  Expr string() {
    ++at_;
    std::string out;
    while (peek() != '"') {
      if (!more() || peek() == '\n') fail("this string does not end on its line");
      base::append_utf8(out, character());
    }
    ++at_;
    return rules_.literal(out);
  }

  Expr character_class() {
    ++at_;
    const bool inverted = eat(U"^");
    std::vector<CodePoints> ranges;
    while (peek() != ']') {
      if (!more() || peek() == '\n') fail("this class does not end on its line");
      CodePoints range;
      range.first = range.last = character();
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        range.last = character();
        if (range.first > range.last) fail("a range that goes backwards");
      }
      ranges.push_back(range);
    }
    ++at_;
    if (inverted) {
      ranges.push_back({0, 0});
      return rules_.one_of(subtract(all_code_points(), std::move(ranges)));
    }
    return rules_.one_of(subtract(std::move(ranges), {{0xD800, 0xDFFF}}));
  }

  char32_t character() {
    const char32_t c = peek();
    ++at_;
    if (c == 0) fail("NUL");
    if (c != '\\') return c;
    const char32_t escape = peek();
    ++at_;
    switch (escape) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      case 'U':
        return hexadecimal(8);
      default:
        break;
    }
    if (escape == 0 || begins_name(escape) || is_digit(escape)) fail("an unknown escape");
    return escape;
  }

  char32_t hexadecimal(int digits) {
    uint64_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char32_t c = peek(), lower = c | 0x20;
      if (is_digit(c)) {
        value = value * 16 + (c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + (lower - 'a' + 10);
      } else {
        fail("expected hexadecimal digits");
      }
    }
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (value == 0 || value > 0x10FFFF || surrogate) fail("not a character of a text");
    return static_cast<char32_t>(value);
  }

  Rules& rules_;
  std::u32string text_;
  size_t at_ = 0;
  std::map<std::u32string, Named> rules_named_;
};

}  // namespace

Rules::Rule add_ebnf(Rules& rules, std::string_view text) {
  if (text.size() > kMaxEbnfBytes) {
    throw base::Error("grammar.too_large", "bytes in a grammar", kMaxEbnfBytes);
  }
  if (base::find_invalid_utf8(text)) throw base::Error("grammar.invalid_ebnf", 1, 1, "not UTF-8");
  return Parser(rules, to_code_points(text)).parse();
}

}  // namespace tulou::grammar
