// Types of tools' parameters, and text to JSON; see tool_schema.h.
#include "text/tool_schema.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::text {

namespace {

constexpr int kMaxSchemaDepth = 8;  // references and alternatives inside each other
constexpr JsonTypes kAllTypes = 0x7F;

constexpr std::array<std::pair<std::string_view, JsonTypes>, 7> kTypeNames = {{
    {"string", kJsonString},
    {"number", kJsonNumber},
    {"integer", kJsonInteger},
    {"boolean", kJsonBoolean},
    {"object", kJsonObject},
    {"array", kJsonArray},
    {"null", kJsonNull},
}};

JsonTypes named_type(const base::Json& name) {
  if (!name.is_string()) return 0;
  for (const auto& [known, type] : kTypeNames)
    if (name.get_ref<const std::string&>() == known) return type;
  return 0;
}

bool is_integral(const base::Json& number) {
  return number.is_number_integer() || std::trunc(number.get<double>()) == number.get<double>();
}

// All types that a value is of.
JsonTypes types_of(const base::Json& value) {
  if (value.is_string()) return kJsonString;
  if (value.is_boolean()) return kJsonBoolean;
  if (value.is_object()) return kJsonObject;
  if (value.is_array()) return kJsonArray;
  if (value.is_null()) return kJsonNull;
  return is_integral(value) ? kJsonNumber | kJsonInteger : kJsonNumber;
}

// What "#/$defs/NAME" or any other path of keys leads to; null if nothing.
const base::Json* find_reference(std::string_view reference, const base::Json& root) {
  if (!reference.starts_with("#/")) return nullptr;
  const base::Json* at = &root;
  for (size_t begin = 2; begin <= reference.size();) {
    const size_t end = std::min(reference.find('/', begin), reference.size());
    if (!at->is_object()) return nullptr;
    const auto next = at->find(std::string(reference.substr(begin, end - begin)));
    if (next == at->end()) return nullptr;
    at = &*next;
    begin = end + 1;
  }
  return at;
}

class TypeFinder {
 public:
  explicit TypeFinder(const base::Json& root) : root_(root) {}

  JsonTypes find(const base::Json& schema, int depth) {
    // Many references to lists of references could take for ever.
    if (!schema.is_object() || depth > kMaxSchemaDepth || ++steps_ > 1000) return 0;
    if (const auto type = schema.find("type"); type != schema.end()) return of_type(*type);
    if (const auto values = schema.find("enum"); values != schema.end() && values->is_array()) {
      JsonTypes types = 0;
      for (const base::Json& value : *values) types |= types_of(value);
      return types;
    }
    if (const auto value = schema.find("const"); value != schema.end()) return types_of(*value);
    if (const auto reference = schema.find("$ref");
        reference != schema.end() && reference->is_string()) {
      const base::Json* target = find_reference(reference->get_ref<const std::string&>(), root_);
      return target ? find(*target, depth + 1) : 0;
    }
    return of_alternatives(schema, depth);
  }

 private:
  static JsonTypes of_type(const base::Json& type) {
    if (!type.is_array()) return named_type(type);
    JsonTypes types = 0;
    for (const base::Json& one : type) types |= named_type(one);
    return types;
  }

  JsonTypes of_alternatives(const base::Json& schema, int depth) {
    for (const char* key : {"anyOf", "oneOf", "allOf"}) {
      const auto list = schema.find(key);
      if (list == schema.end() || !list->is_array() || list->empty()) continue;
      JsonTypes types = 0;
      for (const base::Json& one : *list) {
        const JsonTypes found = find(one, depth + 1);
        if (found == 0) return 0;  // one of them may be anything
        types |= found;
      }
      return types;
    }
    return 0;
  }

  const base::Json& root_;
  int steps_ = 0;
};

// The types of text as JSON; 0 if it is not.
JsonTypes types_of_text(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return 0;
  // Within a list, so that its depth counts as it will in the arguments.
  std::string list;
  list.append("[").append(text).append("]");
  try {
    const base::Json parsed = base::parse_json(list, "argument");
    return parsed.size() == 1 ? types_of(parsed[0]) : JsonTypes{0};
  } catch (const base::Error&) {
    return 0;
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) append_json_escaped(out, c);
  return out += '"';
}

}  // namespace

const base::Json& resolve_reference(const base::Json& schema, const base::Json& root) {
  const base::Json* at = &schema;
  for (int depth = 0; depth < kMaxSchemaDepth && at->is_object(); ++depth) {
    const auto reference = at->find("$ref");
    if (reference == at->end() || !reference->is_string()) break;
    const base::Json* next = find_reference(reference->get_ref<const std::string&>(), root);
    if (!next) break;
    at = next;
  }
  return *at;
}

JsonTypes schema_types(const base::Json& schema, const base::Json& root) {
  JsonTypes types = TypeFinder(root).find(schema, 0);
  if (types & kJsonNumber) types |= kJsonInteger;
  return types;
}

ToolSchemas::ToolSchemas(const base::Json& tools) {
  if (!tools.is_array()) return;
  for (const base::Json& item : tools) {
    if (!item.is_object()) continue;
    const auto inner = item.find("function");
    const base::Json& function = inner != item.end() ? *inner : item;
    if (!function.is_object()) continue;
    const auto name = function.find("name");
    if (name == function.end() || !name->is_string()) continue;
    Parameters& parameters = tools_[name->get<std::string>()];
    const auto schema = function.find("parameters");
    if (schema == function.end() || !schema->is_object()) continue;
    const auto properties = schema->find("properties");
    if (properties == schema->end() || !properties->is_object()) continue;
    for (const auto& [key, value] : properties->items())
      parameters[key] = schema_types(value, *schema);
  }
}

const ToolSchemas::Parameters* ToolSchemas::parameters(std::string_view name) const {
  const auto found = tools_.find(name);
  return found == tools_.end() ? nullptr : &found->second;
}

std::string argument_json(std::string_view value, JsonTypes types) {
  if (types == kJsonString) return json_string(value);
  if ((types & kJsonBoolean) && value == "True") return "true";
  if ((types & kJsonBoolean) && value == "False") return "false";
  if ((types & kJsonNull) && value == "None") return "null";
  const JsonTypes wanted = types != 0 ? types & ~kJsonString : kAllTypes & ~kJsonString;
  if (types_of_text(value) & wanted) return std::string(value);
  return json_string(value);
}

void append_json_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out += c;
    return;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace tulou::text
