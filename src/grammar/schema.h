// JSON Schema (draft 2020-12) as rules. This is the allow-list: each keyword is either honoured
// exactly (every text that the grammar lets through is valid) or refused with its name and place.
// Nothing is dropped but annotations. The list is in docs/structured-output.md.
#pragma once

#include <string_view>

#include "grammar/json_text.h"
#include "grammar/rules.h"

namespace tulou::grammar {

inline constexpr size_t kMaxSchemaBytes = 256 << 10;
inline constexpr size_t kMaxSchemas = 20'000;  // sub-schemas that are used

// The rule of the texts that `schema` allows. Errors: grammar.unsupported_keyword and
// grammar.invalid_schema (with a JSON pointer), grammar.too_large, and those of JSON and patterns.
Rules::Rule add_schema(JsonText& json, std::string_view schema);

}  // namespace tulou::grammar
