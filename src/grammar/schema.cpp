#include "grammar/schema.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/number.h"
#include "grammar/schema_walker.h"

namespace tulou::grammar {
namespace {

using std::string_view;

// No effect on what is valid.
constexpr std::array<string_view, 15> kAnnotations = {
    "$schema",       "$id",      "$comment",   "$defs",    "definitions", "title",   "description",
    "default",       "examples", "deprecated", "readOnly", "writeOnly",   "example",
    "discriminator",  // of OpenAPI: names a property that the branches of oneOf fix themselves
    "strict"};

// With the types that each says something about.
struct Keyword {
  string_view name;
  unsigned types;
};
constexpr std::array<Keyword, 31> kKeywords = {{
    {"$ref", 0},
    {"type", 0},
    {"const", 0},
    {"enum", 0},
    {"anyOf", 0},
    {"oneOf", 0},
    {"allOf", 0},
    {"minLength", kString},
    {"maxLength", kString},
    {"pattern", kString},
    {"format", kString},
    {"minimum", kNumber},
    {"maximum", kNumber},
    {"exclusiveMinimum", kNumber},
    {"exclusiveMaximum", kNumber},
    {"multipleOf", kNumber},
    {"items", kArray},
    {"prefixItems", kArray},
    {"minItems", kArray},
    {"maxItems", kArray},
    {"uniqueItems", kArray},
    {"unevaluatedItems", kArray},
    {"properties", kObject},
    {"required", kObject},
    {"additionalProperties", kObject},
    {"patternProperties", kObject},
    {"propertyNames", kObject},
    {"minProperties", kObject},
    {"maxProperties", kObject},
    {"unevaluatedProperties", kObject},
    {"nullable", 0},
}};

const Keyword* find_keyword(string_view name) {
  const auto found = std::find_if(kKeywords.begin(), kKeywords.end(),
                                  [&](const Keyword& one) { return one.name == name; });
  return found == kKeywords.end() ? nullptr : &*found;
}

bool is_annotation(string_view name) {
  return name.starts_with("x-") ||
         std::find(kAnnotations.begin(), kAnnotations.end(), name) != kAnnotations.end();
}

std::string escaped(string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// A step of a JSON pointer in a URI: %XX, then ~1 and ~0.
std::optional<std::string> unescaped(string_view step) {
  std::string bytes;
  for (size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '%') {
      bytes += step[i];
      continue;
    }
    if (i + 2 >= step.size() || hex_digit(step[i + 1]) < 0 || hex_digit(step[i + 2]) < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(hex_digit(step[i + 1]) * 16 + hex_digit(step[i + 2]));
    i += 2;
  }
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '~') {
      out += bytes[i];
      continue;
    }
    if (i + 1 >= bytes.size() || (bytes[i + 1] != '0' && bytes[i + 1] != '1')) return std::nullopt;
    out += bytes[++i] == '0' ? '~' : '/';
  }
  return out;
}

}  // namespace

SchemaWalker::Place SchemaWalker::Place::below(string_view key) const {
  return {&at(key), pointer + "/" + escaped(key)};
}

SchemaWalker::Place SchemaWalker::Place::below(string_view key, size_t index) const {
  return {&at(key).at(index), pointer + "/" + escaped(key) + "/" + std::to_string(index)};
}

void SchemaWalker::unsupported(const Place& place, string_view keyword, string_view why) {
  throw base::Error("grammar.unsupported_keyword", place.pointer, keyword, why);
}

void SchemaWalker::invalid(const Place& place, string_view what) {
  throw base::Error("grammar.invalid_schema", place.pointer, what);
}

SchemaWalker::Expr SchemaWalker::walk() {
  const Expr root = schema({&root_, "#"});
  check_circles();
  return root;
}

SchemaWalker::Expr SchemaWalker::in_place(const Place& from, const Place& place) {
  in_place_[from.schema].push_back(place);
  return schema(place);
}

// A schema that asks for itself about the same value has no meaning (core, section 8.2.3).
void SchemaWalker::check_circles() const {
  std::set<const Json*> left;  // nothing below leads back
  std::set<const Json*> open;  // on the way from the start to here
  for (const auto& [start, unused] : in_place_) {
    // With the number of branches that were followed already.
    std::vector<std::pair<const Json*, size_t>> path = {{start, 0}};
    while (!path.empty()) {
      auto& [at, next] = path.back();
      const auto branches = in_place_.find(at);
      if (left.contains(at) || branches == in_place_.end() || next == branches->second.size()) {
        left.insert(at);
        open.erase(at);
        path.pop_back();
        continue;
      }
      open.insert(at);
      const Place& below = branches->second[next++];
      if (open.contains(below.schema)) {
        invalid(below, "it refers to itself without going into the value");
      }
      path.emplace_back(below.schema, 0);
    }
  }
}

// One rule a schema, made once, so that references may go in circles.
SchemaWalker::Expr SchemaWalker::schema(const Place& place) {
  const auto found = done_.find(place.schema);
  if (found != done_.end()) return rules_.call(found->second);
  if (done_.size() >= kMaxSchemas) throw base::Error("grammar.too_large", "schemas", kMaxSchemas);
  const Rules::Rule rule = rules_.declare();
  done_.emplace(place.schema, rule);
  rules_.define(rule, make(place));
  return rules_.call(rule);
}

SchemaWalker::Expr SchemaWalker::make(const Place& place) {
  if (place.schema->is_boolean()) {
    return place.schema->get<bool>() ? json_.value() : rules_.nothing();
  }
  if (!place.schema->is_object()) invalid(place, "a schema is an object, true or false");
  check_keywords(place);
  if (place.has("$ref")) {
    check_alone(place, "$ref", false);
    return in_place(place, target(place));
  }
  if (place.has("const") || place.has("enum")) return constants(place);
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (place.has(keyword)) return any_of(place, keyword);
  }
  if (place.has("allOf")) return all_of(place);
  return typed(place);
}

bool SchemaWalker::is_string_keyword(string_view name) {
  const Keyword* const keyword = find_keyword(name);
  return is_annotation(name) || name == "type" || (keyword != nullptr && keyword->types == kString);
}

// Unknown keywords are refused wherever they stand; whether a known one has its right type is
// checked where it is used.
void SchemaWalker::check_keywords(const Place& place) const {
  for (const auto& [name, value] : place.schema->items()) {
    if (name == "$id" && place.schema != &root_) {
      unsupported(place, name, "only the whole schema may have it");
    }
    if (name == "nullable") unsupported(place, name, "use \"type\": [..., \"null\"]");
    if (!is_annotation(name) && find_keyword(name) == nullptr) {
      unsupported(place, name, "it is not in the list of docs/structured-output.md");
    }
  }
}

// Refuses keywords beside one with which they would have to be combined.
void SchemaWalker::check_alone(const Place& place, string_view keyword, bool with_type) const {
  for (const auto& [name, value] : place.schema->items()) {
    if (is_annotation(name) || name == keyword || (with_type && name == "type")) continue;
    unsupported(place, name, "it stands beside \"" + std::string(keyword) + "\"");
  }
}

SchemaWalker::Place SchemaWalker::target(const Place& place) const {
  const Json& value = place.at("$ref");
  if (!value.is_string()) invalid(place, "\"$ref\" is not a string");
  const std::string uri = value.get<std::string>();
  if (uri != "#" && !uri.starts_with("#/")) {
    unsupported(place, "$ref", "only references into this schema, \"#\" and \"#/...\", are");
  }
  const Json* at = &root_;
  for (size_t begin = 2; begin <= uri.size() && uri != "#";) {
    const size_t end = std::min(uri.find('/', begin), uri.size());
    const auto step = unescaped(string_view(uri).substr(begin, end - begin));
    if (step && at->is_object() && at->contains(*step)) {
      at = &at->at(*step);
    } else if (const auto index = step ? base::parse_uint(*step) : std::nullopt;
               index && at->is_array() && *index < at->size()) {
      at = &at->at(*index);
    } else {
      invalid(place, "\"$ref\" points to nothing: " + uri);
    }
    begin = end + 1;
  }
  return {at, uri};
}

unsigned SchemaWalker::type_named(string_view name) {
  constexpr std::array<std::pair<string_view, unsigned>, 7> kTypes = {{{"null", kNull},
                                                                       {"boolean", kBoolean},
                                                                       {"integer", kInteger},
                                                                       {"number", kNumber},
                                                                       {"string", kString},
                                                                       {"array", kArray},
                                                                       {"object", kObject}}};
  for (const auto& [type_name, type] : kTypes) {
    if (type_name == name) return type;
  }
  return 0;
}

// What "type" says; all types where it is missing.
unsigned SchemaWalker::declared_types(const Place& place) const {
  if (!place.has("type")) return kAnyType;
  const Json& value = place.at("type");
  const Json list = value.is_array() ? value : Json::array({value});
  unsigned types = 0;
  for (const Json& name : list) {
    const unsigned type = name.is_string() ? type_named(name.get<std::string>()) : 0;
    if (type == 0) invalid(place, "\"type\" is not the name of a type or a list of names");
    types |= type;
  }
  if (types == 0) invalid(place, "\"type\" is an empty list");
  return types;
}

SchemaWalker::Expr SchemaWalker::typed(const Place& place) {
  unsigned types = declared_types(place);
  if (!place.has("type")) {
    // A keyword says nothing of other types; what is written is of a type that it speaks of.
    unsigned spoken = 0;
    for (const auto& [name, value] : place.schema->items()) {
      if (const Keyword* keyword = find_keyword(name)) spoken |= keyword->types;
    }
    if (spoken == 0) return json_.value();
    types = spoken;
  }
  std::vector<Expr> options;
  for (const JsonType type : {kObject, kArray, kString, kNumber, kInteger, kBoolean, kNull}) {
    if (type == kInteger && (types & kFraction) != 0) continue;  // written as a number
    if ((types & type) == type) options.push_back(of_type(place, type));
  }
  return options.size() == 1 ? options[0] : rules_.choice(std::move(options));
}

SchemaWalker::Expr SchemaWalker::of_type(const Place& place, JsonType type) {
  switch (type) {
    case kNull:
      return json_.null();
    case kBoolean:
      return json_.boolean();
    case kInteger:
      return number(place, true);
    case kNumber:
      return number(place, false);
    case kString:
      return string(place);
    case kArray:
      return array(place);
    default:
      return object(place);
  }
}

Rules::Rule add_schema(JsonText& json, string_view schema) {
  if (schema.size() > kMaxSchemaBytes) {
    throw base::Error("grammar.too_large", "bytes in a JSON Schema", kMaxSchemaBytes);
  }
  const base::Json value = base::parse_json(schema, "JSON Schema");
  SchemaWalker walker(json, value);
  const Rules::Rule root = json.rules().declare();
  json.rules().define(root, walker.walk());
  return root;
}

}  // namespace tulou::grammar
