// Regular expressions (the part of ECMA-262 that describes a regular language) as rules. Refused:
// look-around, references, word boundaries, flags, Unicode properties, and anchors anywhere but at
// the two ends. \d, \w and \s mean ASCII (and for \s the Unicode spaces); \D and \W match ASCII
// characters only, so that what is generated is right in every dialect.
#pragma once

#include <string_view>

#include "grammar/json_text.h"
#include "grammar/rules.h"

namespace tulou::grammar {

inline constexpr size_t kMaxRegexBytes = 16 << 10;
inline constexpr int kMaxRegexDepth = 64;

// A text that the whole pattern matches, as it is. Errors: grammar.invalid_regex,
// grammar.unsupported_regex (both with the place), grammar.too_large.
Rules::Expr add_regex(Rules& rules, std::string_view pattern);

// The inside of a JSON string in which the pattern matches somewhere, as JSON Schema has it: where
// an end is not anchored, any characters may stand before or after.
Rules::Expr add_json_pattern(JsonText& json, std::string_view pattern);

}  // namespace tulou::grammar
