// The parts of JSON texts as rules (RFC 8259), in the form that answers are written in: at most one
// space, or a line break with its indentation, where JSON allows any white space; whole numbers of
// at most 18 digits and exponents of at most two, so that every parser can hold them; escapes
// never make half a surrogate pair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/rules.h"

namespace tulou::grammar {

class JsonText {
 public:
  using Expr = Rules::Expr;
  static constexpr uint32_t kMaxDigits = 18;

  explicit JsonText(Rules& rules) : rules_(rules) {}

  Rules& rules() { return rules_; }
  Expr space();
  // Any value; any object or array below it too.
  Expr value();
  Expr object();
  Expr array();
  Expr string();
  // With min to max characters.
  Expr string(uint32_t min, uint32_t max);
  // Quotes around a text that was made of characters().
  Expr quoted(Expr inside);
  Expr number();
  Expr integer();
  Expr boolean();
  Expr null();
  // A character inside of a string, in any spelling.
  Expr character();
  // The class of characters as they stand in a string, each in one spelling.
  Expr characters(const std::vector<CodePoints>& code_points);
  // One decimal digit; from `first` to `last`.
  Expr digit(char first = '0', char last = '9');
  // A comma, a colon, with space.
  Expr comma();
  Expr colon();
  // Brackets around a body that begins and ends without space; empty brackets if it has none.
  Expr enclosed(std::string_view open, std::optional<Expr> body, std::string_view close);
  // A key that is none of `names`, in one spelling.
  Expr key_except(const std::vector<std::u32string>& names);

 private:
  Expr unescaped();
  Expr key_rest(const std::vector<std::u32string>& names, size_t depth);
  Expr once(std::optional<Expr>& memo, Expr (JsonText::*make)());
  Expr make_space();
  Expr make_value();
  Expr make_string();
  Expr make_number();
  Expr make_integer();
  Expr make_character();
  Expr make_comma();
  Expr make_colon();
  Expr make_unescaped_rest();

  Rules& rules_;
  std::optional<Rules::Rule> value_, object_, array_;
  std::optional<Expr> space_, string_, number_, integer_, character_, comma_, colon_, rest_;
};

}  // namespace tulou::grammar
