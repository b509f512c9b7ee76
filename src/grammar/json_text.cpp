#include "grammar/json_text.h"

#include <algorithm>
#include <map>
#include <utility>

namespace tulou::grammar {
namespace {

// What must be escaped inside of a JSON string.
const std::vector<CodePoints>& escaped_code_points() {
  static const std::vector<CodePoints> ranges = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  return ranges;
}

}  // namespace

JsonText::Expr JsonText::once(std::optional<Expr>& memo, Expr (JsonText::*make)()) {
  if (!memo) {
    const Rules::Rule rule = rules_.declare();
    rules_.define(rule, (this->*make)());
    memo = rules_.call(rule);
  }
  return *memo;
}

JsonText::Expr JsonText::space() { return once(space_, &JsonText::make_space); }
JsonText::Expr JsonText::string() { return once(string_, &JsonText::make_string); }
JsonText::Expr JsonText::number() { return once(number_, &JsonText::make_number); }
JsonText::Expr JsonText::integer() { return once(integer_, &JsonText::make_integer); }
JsonText::Expr JsonText::character() {
  if (!character_) character_ = make_character();
  return *character_;
}
JsonText::Expr JsonText::comma() { return once(comma_, &JsonText::make_comma); }
JsonText::Expr JsonText::colon() { return once(colon_, &JsonText::make_colon); }

JsonText::Expr JsonText::make_space() {
  // No bound for the indentation: each count would be a state with a mask of its own.
  const Expr indent =
      rules_.repeat(rules_.one_of({{' ', ' '}, {'\t', '\t'}}), 0, Rules::kUnbounded);
  return rules_.choice(
      {rules_.literal(""), rules_.literal(" "), rules_.sequence({rules_.literal("\n"), indent})});
}

JsonText::Expr JsonText::make_comma() {
  return rules_.sequence({space(), rules_.literal(","), space()});
}

JsonText::Expr JsonText::make_colon() {
  return rules_.sequence({space(), rules_.literal(":"), space()});
}

JsonText::Expr JsonText::digit(char first, char last) {
  return rules_.one_of({{static_cast<char32_t>(first), static_cast<char32_t>(last)}});
}

JsonText::Expr JsonText::boolean() {
  return rules_.choice({rules_.literal("true"), rules_.literal("false")});
}

JsonText::Expr JsonText::null() { return rules_.literal("null"); }

JsonText::Expr JsonText::make_integer() {
  return rules_.choice(
      {rules_.literal("0"), rules_.sequence({rules_.optional(rules_.literal("-")), digit('1', '9'),
                                             rules_.repeat(digit(), 0, kMaxDigits - 1)})});
}

JsonText::Expr JsonText::make_number() {
  const Expr whole = rules_.choice(
      {rules_.literal("0"),
       rules_.sequence({digit('1', '9'), rules_.repeat(digit(), 0, kMaxDigits - 1)})});
  const Expr fraction = rules_.optional(
      rules_.sequence({rules_.literal("."), rules_.repeat(digit(), 1, kMaxDigits)}));
  const Expr sign = rules_.optional(rules_.one_of({{'+', '+'}, {'-', '-'}}));
  const Expr exponent = rules_.optional(rules_.sequence(
      {rules_.one_of({{'e', 'e'}, {'E', 'E'}}), sign, rules_.repeat(digit(), 1, 2)}));
  return rules_.sequence({rules_.optional(rules_.literal("-")), whole, fraction, exponent});
}

JsonText::Expr JsonText::unescaped() {
  return rules_.one_of(subtract(all_code_points(), escaped_code_points()));
}

JsonText::Expr JsonText::make_character() {
  const auto hex = [&] { return rules_.one_of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}); };
  const Expr letter_d = rules_.one_of({{'D', 'D'}, {'d', 'd'}});
  // Not D800..DFFF; those only as a pair of a high and a low one.
  const Expr low = rules_.choice(
      {rules_.sequence({rules_.one_of({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}),
                        hex(), hex(), hex()}),
       rules_.sequence({letter_d, digit('0', '7'), hex(), hex()})});
  const Expr pair = rules_.sequence({letter_d, rules_.one_of({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}),
                                     hex(), hex(), rules_.literal("\\u"), letter_d,
                                     rules_.one_of({{'C', 'F'}, {'c', 'f'}}), hex(), hex()});
  const Expr simple = rules_.one_of({{'"', '"'},
                                     {'\\', '\\'},
                                     {'/', '/'},
                                     {'b', 'b'},
                                     {'f', 'f'},
                                     {'n', 'n'},
                                     {'r', 'r'},
                                     {'t', 't'}});
  const Expr escape =
      rules_.choice({simple, rules_.sequence({rules_.literal("u"), rules_.choice({low, pair})})});
  return rules_.choice({unescaped(), rules_.sequence({rules_.literal("\\"), escape})});
}

JsonText::Expr JsonText::quoted(Expr inside) {
  return rules_.sequence({rules_.literal("\""), inside, rules_.literal("\"")});
}

JsonText::Expr JsonText::string(uint32_t min, uint32_t max) {
  if (min > max) return rules_.nothing();
  return quoted(rules_.repeat(character(), min, max));
}

JsonText::Expr JsonText::make_string() {
  return quoted(rules_.repeat(character(), 0, Rules::kUnbounded));
}

JsonText::Expr JsonText::characters(const std::vector<CodePoints>& code_points) {
  std::vector<Expr> options = {rules_.one_of(subtract(code_points, escaped_code_points()))};
  static const std::map<char32_t, char> letters = {
      {'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}};
  static const char* const kHex = "0123456789abcdef";
  for (const CodePoints& escaped : escaped_code_points()) {
    for (char32_t c = escaped.first; c <= escaped.last; ++c) {
      const bool wanted =
          std::any_of(code_points.begin(), code_points.end(),
                      [c](const CodePoints& range) { return range.first <= c && c <= range.last; });
      if (!wanted) continue;
      const auto letter = letters.find(c);
      options.push_back(rules_.literal(letter != letters.end()
                                           ? std::string("\\") + letter->second
                                           : std::string("\\u00") + kHex[c >> 4] + kHex[c & 15]));
    }
  }
  return options.size() == 1 ? options[0] : rules_.choice(std::move(options));
}

JsonText::Expr JsonText::enclosed(std::string_view open, std::optional<Expr> body,
                                  std::string_view close) {
  if (!body) return rules_.sequence({rules_.literal(open), space(), rules_.literal(close)});
  return rules_.sequence({rules_.literal(open), space(), *body, space(), rules_.literal(close)});
}

JsonText::Expr JsonText::value() {
  if (!value_) {
    value_ = rules_.declare();
    rules_.define(*value_,
                  rules_.choice({object(), array(), string(), number(), boolean(), null()}));
  }
  return rules_.call(*value_);
}

JsonText::Expr JsonText::object() {
  if (!object_) {
    object_ = rules_.declare();
    const Expr pair = rules_.shared(rules_.sequence({string(), colon(), value()}));
    const Expr more = rules_.repeat(rules_.sequence({comma(), pair}), 0, Rules::kUnbounded);
    rules_.define(*object_, rules_.choice({enclosed("{", std::nullopt, "}"),
                                           enclosed("{", rules_.sequence({pair, more}), "}")}));
  }
  return rules_.call(*object_);
}

JsonText::Expr JsonText::array() {
  if (!array_) {
    array_ = rules_.declare();
    const Expr more = rules_.repeat(rules_.sequence({comma(), value()}), 0, Rules::kUnbounded);
    rules_.define(*array_, rules_.choice({enclosed("[", std::nullopt, "]"),
                                          enclosed("[", rules_.sequence({value(), more}), "]")}));
  }
  return rules_.call(*array_);
}

JsonText::Expr JsonText::make_unescaped_rest() {
  return rules_.sequence({rules_.repeat(unescaped(), 0, Rules::kUnbounded), rules_.literal("\"")});
}

JsonText::Expr JsonText::key_except(const std::vector<std::u32string>& names) {
  // A key that needs an escape is never written here, so names that need one do not matter.
  return rules_.sequence({rules_.literal("\""), key_rest(names, 0)});
}

// What may follow the first `depth` characters that all `names` share.
JsonText::Expr JsonText::key_rest(const std::vector<std::u32string>& names, size_t depth) {
  std::map<char32_t, std::vector<std::u32string>> children;
  bool is_name = false;
  for (const std::u32string& name : names) {
    if (name.size() == depth) {
      is_name = true;
    } else {
      children[name[depth]].push_back(name);
    }
  }
  std::vector<CodePoints> other = subtract(all_code_points(), escaped_code_points());
  std::vector<Expr> options;
  if (!is_name) options.push_back(rules_.literal("\""));
  for (const auto& [c, below] : children) {
    other = subtract(std::move(other), {{c, c}});
    options.push_back(rules_.sequence({characters({{c, c}}), key_rest(below, depth + 1)}));
  }
  options.push_back(
      rules_.sequence({rules_.one_of(other), once(rest_, &JsonText::make_unescaped_rest)}));
  return rules_.shared(rules_.choice(std::move(options)));
}

}  // namespace tulou::grammar
