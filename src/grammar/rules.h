// A grammar under construction: rules made of literals, character classes, sequences, choices,
// repetitions and calls. What can match no finite text is pruned before the grammar is written, so
// that a parser which follows it never comes to a dead end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
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

  static constexpr uint32_t kUnbounded = UINT32_MAX;
  static constexpr size_t kMaxExpressions = 400'000;
  // Of repetitions within each other, counted out: beyond it, the parser itself becomes slow.
  static constexpr uint64_t kMaxRepetitions = 50'000;

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

  // `body` and then `rest`, written so that masks are cheap: a repetition becomes a rule that calls
  // itself last and that holds `rest`. A rule that could end after each character would leave
  // XGrammar every token that crosses its end to try at run time (a hundred times slower).
  Expr then(Expr body, Expr rest);
  // `min` to `max` characters of a class, the maximum counted by XGrammar and not by states. Within
  // one rule: a token that crosses into a counted rule from outside would be let through.
  Expr counted(Expr one_character, uint32_t min, uint32_t max);

  // A rule that is defined later or right away, and its use.
  Rule declare();
  void define(Rule rule, Expr body);
  Expr call(Rule rule);
  // A rule of its own for an expression that is used often.
  Expr shared(Expr body);

  // The grammar as XGrammar's EBNF, beginning at `root`. Errors: grammar.unsatisfiable when no
  // finite text matches; grammar.too_large (from any of the functions above, too).
  std::string ebnf(Rule root) const;

 private:
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

  Expr add(Node node);
  Expr then_repeat(const Node& given, Expr rest);
  void join_repetitions(Node& n) const;
  bool is_empty_allowed(Expr expr) const;
  Expr without_empty(Expr expr);
  const Node& node(Expr expr) const { return nodes_[static_cast<size_t>(expr)]; }
  std::vector<bool> finite_rules() const;
  bool is_finite(Expr expr, const std::vector<bool>& finite) const;
  void write(std::string& out, Expr expr, const std::vector<bool>& finite) const;
  void write_group(std::string& out, Expr expr, const std::vector<bool>& finite) const;

  std::vector<Node> nodes_;
  std::vector<Expr> bodies_;          // of the rules
  std::map<Rule, uint32_t> counted_;  // rules whose characters are counted
};

}  // namespace tulou::grammar
