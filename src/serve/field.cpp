#include "serve/field.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/number.h"

namespace tulou::serve {
namespace {

// "a string", "null", ...: what a value is, without its content.
std::string kind_of(const base::Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number()) return "the number " + base::to_json_text(value);
  if (value.is_string()) return "a string";
  return value.is_array() ? "an array" : "an object";
}

std::string name_of(std::string_view path) {
  return path.empty() ? std::string("the body") : std::string(path);
}

[[noreturn]] void wrong_type(const base::Json& value, std::string_view path,
                             std::string_view expected) {
  throw base::Error("request.wrong_type", name_of(path), kind_of(value), expected);
}

// 2^63 as a double: the first that no int64_t holds.
constexpr double kTwo63 = 9223372036854775808.0;

bool is_whole(double value) {
  return std::isfinite(value) && std::trunc(value) == value && value >= -kTwo63 && value < kTwo63;
}

}  // namespace

int64_t read_integer(const base::Json& value, std::string_view path, int64_t min, int64_t max) {
  if (!value.is_number()) wrong_type(value, path, "a whole number");
  const auto out_of_range = [&] {
    throw base::Error("request.out_of_range", path, base::to_json_text(value), min, max);
  };
  int64_t result = 0;
  if (value.is_number_float()) {
    const double real = value.get<double>();
    if (std::isfinite(real) && std::trunc(real) != real) wrong_type(value, path, "a whole number");
    if (!is_whole(real)) out_of_range();
    result = static_cast<int64_t>(real);
  } else if (value.is_number_unsigned() &&
             value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
    out_of_range();
  } else {
    result = value.get<int64_t>();
  }
  if (result < min || result > max) out_of_range();
  return result;
}

double read_number(const base::Json& value, std::string_view path, double low, double high) {
  if (!value.is_number()) wrong_type(value, path, "a number");
  const double result = value.get<double>();
  if (!(result >= low && result <= high))
    throw base::Error("request.out_of_range", path, base::to_json_text(value), low, high);
  return result == 0 ? 0.0 : result;  // -0 is 0
}

bool read_boolean(const base::Json& value, std::string_view path) {
  if (!value.is_boolean()) wrong_type(value, path, "true or false");
  return value.get<bool>();
}

const std::string& read_string(const base::Json& value, std::string_view path, int64_t min,
                               int64_t max) {
  if (!value.is_string()) wrong_type(value, path, "a string");
  const auto& text = value.get_ref<const std::string&>();
  if (std::cmp_less(text.size(), min)) throw base::Error("request.empty", path);
  if (std::cmp_greater(text.size(), max))
    throw base::Error("request.too_long", path, text.size(), max);
  return text;
}

const base::Json& read_object(const base::Json& value, std::string_view path) {
  if (!value.is_object()) wrong_type(value, path, "an object");
  return value;  // NOLINT(bugprone-return-const-ref-from-parameter): no temporary is taken
}

const base::Json& read_array(const base::Json& value, std::string_view path, size_t max) {
  if (!value.is_array()) wrong_type(value, path, "an array");
  if (value.size() > max) throw base::Error("request.too_many", path, value.size(), max);
  return value;  // NOLINT(bugprone-return-const-ref-from-parameter): no temporary is taken
}

size_t read_word(const base::Json& value, std::string_view path,
                 const std::vector<std::string_view>& words) {
  if (!value.is_string()) wrong_type(value, path, "a string");
  const auto& text = value.get_ref<const std::string&>();
  for (size_t i = 0; i < words.size(); ++i) {
    if (text == words[i]) return i;
  }
  std::string list;
  for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
  throw base::Error("request.bad_choice", path, list);
}

const base::Json* find_member(const base::Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const base::Json& member(const base::Json& object, std::string_view path, std::string_view name) {
  const base::Json* found = find_member(object, name);
  if (found == nullptr) throw base::Error("request.missing", member_path(path, name));
  return *found;
}

std::string item_path(std::string_view path, size_t index) {
  return std::string(path) + "[" + base::to_text(index) + "]";
}

std::string member_path(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

base::Json parse_body(std::string_view body) {
  const base::JsonLimits limits = {.max_values = kMaxJsonValues, .max_members = kMaxJsonMembers};
  base::Json value = base::parse_json(body, kBodySource, limits);
  read_object(value, "");
  return value;
}

base::Json field_schema(const FieldInfo& info) {
  base::Json schema = base::Json::object();
  switch (info.type) {
    case FieldType::kInteger:
      schema = {{"type", "integer"}, {"minimum", info.min}, {"maximum", info.max}};
      break;
    case FieldType::kNumber:
      schema = {{"type", "number"}, {"minimum", info.low}, {"maximum", info.high}};
      break;
    case FieldType::kBoolean:
      schema = {{"type", "boolean"}};
      break;
    case FieldType::kString:
      schema = {{"type", "string"}};
      if (info.min > 0) schema["minLength"] = info.min;
      schema["maxLength"] = info.max;
      break;
    case FieldType::kOther:
      schema = base::parse_json(info.schema, info.name);
      break;
  }
  if (!info.fallback.empty()) schema["default"] = base::parse_json(info.fallback, info.name);
  std::string summary(info.summary);
  if (!info.alias_of.empty()) summary = "The same as " + std::string(info.alias_of) + ".";
  if (!summary.empty()) schema["description"] = summary;
  return schema;
}

}  // namespace tulou::serve
