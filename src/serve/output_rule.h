// What an answer must look like: response_format, structured_outputs and the guided_* fields as one
// rule. Schemas and grammars are kept as text; whoever compiles them judges them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tulou::serve {

inline constexpr int64_t kMaxRuleBytes = 256 << 10;  // of a schema, regex or grammar
inline constexpr size_t kMaxRuleChoices = 1024;
inline constexpr int64_t kMaxRuleChoiceBytes = 4096;

struct OutputRule {
  enum class Kind { kNone, kJsonObject, kJsonSchema, kRegex, kChoice, kGrammar };
  Kind kind = Kind::kNone;
  std::string text = {};                  // the JSON Schema (compact, keys in order), regex or EBNF
  std::vector<std::string> choices = {};  // kChoice
  std::string param = {};                 // the field it came from, for errors

  bool operator==(const OutputRule&) const = default;
};

// The readers put their rule into `rule`. Two of them in one request are Error request.conflict;
// others are request.*.
// {"type": "text" | "json_object" | "json_schema", ...}; a schema stands in json_schema.schema or,
// as llama-server has it, in schema.
void read_response_format(const base::Json& value, const std::string& path, OutputRule& rule);
// {"choice": [...]} or regex, json, grammar: exactly one.
void read_structured_outputs(const base::Json& value, const std::string& path, OutputRule& rule);
// One of those by its name: guided_choice, guided_regex, guided_json, guided_grammar.
void read_guided(std::string_view kind, const base::Json& value, const std::string& path,
                 OutputRule& rule);

}  // namespace tulou::serve
