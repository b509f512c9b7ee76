// Grammars in EBNF as users write them: `name ::= alternatives` with strings, character classes,
// names, groups, and * + ? {m} {m,} {m,n}; # begins a comment. The answer matches the rule "root".
#pragma once

#include <string_view>

#include "grammar/rules.h"

namespace tulou::grammar {

inline constexpr size_t kMaxEbnfBytes = 64 << 10;
inline constexpr int kMaxEbnfDepth = 64;

// The rule "root". Errors: grammar.invalid_ebnf with line and column, grammar.too_large.
Rules::Rule add_ebnf(Rules& rules, std::string_view text);

}  // namespace tulou::grammar
