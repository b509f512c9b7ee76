// A grammar under construction: rules made of literals, character classes, sequences, choices,
// repetitions and calls. What can match no finite text is pruned before the grammar is written, so
// that a parser which follows it never comes to a dead end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::grammar {

// Code points first..last, both included.
struct CodePoints {
  char32_t first;
  char32_t last;
};

// Every code point that UTF-8 can write, as ranges that do not cross the surrogates.
std::vector<CodePoints> all_code_points();
// The code points of `from` that are in none of `without`; sorted.
std::vector<CodePoints> subtract(std::vector<CodePoints> from, std::vector<CodePoints> without);

// The code points of valid UTF-8.
std::u32string to_code_points(std::string_view utf8);

class Rules {
 public:
  // Numbers of expressions and rules of this object.
  enum class Expr : uint32_t {};
  enum class Rule : uint32_t {};
  enum class Kind : uint8_t { kLiteral, kClass, kSequence, kChoice, kRepeat, kCall };
  struct Node {
    Kind kind;
    std::string text{};  // kLiteral
    std::vector<CodePoints> code_points{};
    std::vector<Expr> parts{};
    uint32_t min = 0, max = 0;
    uint64_t size = 1;  // with bounded repetitions counted out
    Rule rule{};
  };

  static constexpr uint32_t kUnbounded = UINT32_MAX;
  static constexpr size_t kMaxExpressions = 400'000;
  // Of repetitions within each other, written out.
  static constexpr uint64_t kMaxRepetitions = 50'000;
  // Repetitions of at most this many rounds are always written out.
  static constexpr uint32_t kFewRounds = 4;

  // Matches no text at all; what needs it is pruned.
  Expr nothing();
  // UTF-8, without NUL; may be empty.
  Expr literal(std::string_view text);
  // One character of the class; an empty class is nothing().
  Expr one_of(std::vector<CodePoints> code_points);
  Expr sequence(std::vector<Expr> parts);
  Expr choice(std::vector<Expr> options);
  Expr repeat(Expr body, uint32_t min, uint32_t max);
  Expr optional(Expr body) { return choice({literal(""), body}); }

  // A rule that is defined later or right away, and its use.
  Rule declare();
  void define(Rule rule, Expr body);
  Expr call(Rule rule);
  // A rule of its own for an expression that is used often.
  Expr shared(Expr body);

  // The grammar as EBNF, beginning at `root`: equal texts are equal grammars. Errors:
  // grammar.unsatisfiable when no finite text matches; grammar.too_large (from any of the functions
  // above, too).
  std::string ebnf(Rule root) const;

  const Node& node(Expr expr) const { return nodes_[static_cast<size_t>(expr)]; }
  Expr body(Rule rule) const { return bodies_[static_cast<size_t>(rule)]; }
  // Of each rule whether it matches any finite text; of an expression the same.
  std::vector<bool> finite_rules() const;
  bool is_finite(Expr expr, const std::vector<bool>& finite) const;
  // Whether it matches the empty text. No rule in it may lead back to itself.
  bool is_empty_allowed(Expr expr) const;
  // Whether its repetitions may be counted as the text goes, and need not be written out: it calls
  // no rules, is never empty, and has no longer repetitions in it.
  bool is_countable(Expr expr) const;

 private:
  Expr add(Node node);
  void write(std::string& out, Expr expr, const std::vector<bool>& finite) const;
  void write_group(std::string& out, Expr expr, const std::vector<bool>& finite) const;

  std::vector<Node> nodes_;
  std::vector<Expr> bodies_;  // of the rules
};

}  // namespace tulou::grammar
