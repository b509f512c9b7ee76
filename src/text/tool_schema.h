// What a list of tools says about names and about the types of parameters: enough to turn the text
// of an argument into JSON. It does not validate.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tulou::text {

/// A set of JSON types, one bit each; 0 if nothing is known.
using JsonTypes = uint8_t;
inline constexpr JsonTypes kJsonString = 1, kJsonNumber = 2, kJsonInteger = 4, kJsonBoolean = 8,
                           kJsonObject = 16, kJsonArray = 32, kJsonNull = 64;

/// The types that a JSON Schema allows, from "type", "enum", "const", "anyOf", "oneOf", "allOf" and
/// references into `root` ("#/$defs/NAME"), a few levels deep. 0 if it says nothing.
JsonTypes schema_types(const base::Json& schema, const base::Json& root);

/// The schema itself, or what its "$ref" leads to in `root`, a few references on at most; the last
/// that was found.
const base::Json& resolve_reference(const base::Json& schema, const base::Json& root);

/// Names of tools, and the types of their parameters.
class ToolSchemas {
 public:
  using Parameters = std::map<std::string, JsonTypes, std::less<>>;

  /// Knows nothing: any name is a tool, any parameter is of unknown type.
  ToolSchemas() = default;
  /// `tools` as in OpenAI's requests: a list of {"type": "function", "function": {"name",
  /// "parameters"}}, or of the inner objects. Entries of another shape are left out; null or an
  /// empty list is the same as no list.
  explicit ToolSchemas(const base::Json& tools);

  /// False if there is a list and the name is not on it.
  bool allows(std::string_view name) const { return tools_.empty() || tools_.contains(name); }
  /// The parameters of a tool; null if unknown.
  const Parameters* parameters(std::string_view name) const;

 private:
  std::map<std::string, Parameters, std::less<>> tools_;
};

/// JSON text of an argument that a model wrote as plain text. Text that is JSON of one of `types`
/// stands for itself; True, False and None, which templates write, count where boolean and null are
/// allowed. Everything else is a string. If nothing is known (0), text that is JSON but not a JSON
/// string is that JSON: the inverse of templates, which write strings raw and the rest as JSON.
std::string argument_json(std::string_view value, JsonTypes types);

/// Appends a byte of UTF-8 text inside a JSON string.
void append_json_escaped(std::string& out, char c);

}  // namespace tulou::text
