// The fields of a request as a table: name, type, range and default in one place. The same table
// reads requests, feeds /openapi.json and makes the tests of bad values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_value.h"

namespace tulou::serve {

enum class FieldType { kInteger, kNumber, kBoolean, kString, kOther };

// What a field is, apart from where its value goes.
struct FieldInfo {
  std::string_view name = {};
  FieldType type = FieldType::kOther;
  int64_t min = 0, max = 0;        // of integers, both allowed; of strings: length in bytes
  double low = 0, high = 0;        // of numbers, both allowed
  std::string_view summary = {};   // one line for people
  std::string_view fallback = {};  // the default as JSON text; empty if there is none
  std::string_view schema = {};    // of kOther: its JSON Schema as JSON text
  std::string_view alias_of = {};  // another name for that field; empty if it is none
  bool required = false;
};

// The field as JSON Schema (an object with type, range, default, description).
base::Json field_schema(const FieldInfo& info);

// Values of fields. `path` names the field in errors, for example "messages[2].role". Errors
// request.wrong_type and request.out_of_range. A whole number may be written as 3.0.
int64_t read_integer(const base::Json& value, std::string_view path, int64_t min, int64_t max);
double read_number(const base::Json& value, std::string_view path, double low, double high);
bool read_boolean(const base::Json& value, std::string_view path);
// Of `min` to `max` bytes. Error request.too_long, request.empty.
const std::string& read_string(const base::Json& value, std::string_view path, int64_t min,
                               int64_t max);
// The value itself. Error request.wrong_type.
const base::Json& read_object(const base::Json& value, std::string_view path);
const base::Json& read_object(base::Json&& value, std::string_view path) = delete;
// At most `max` items. Error request.wrong_type, request.too_many.
const base::Json& read_array(const base::Json& value, std::string_view path, size_t max);
const base::Json& read_array(base::Json&& value, std::string_view path, size_t max) = delete;
// One of the words, as its index. Error request.bad_choice.
size_t read_word(const base::Json& value, std::string_view path,
                 const std::vector<std::string_view>& words);

// The member of an object; nullptr if it is absent or null.
const base::Json* find_member(const base::Json& object, std::string_view name);
// The same; Error request.missing if it is absent or null.
const base::Json& member(const base::Json& object, std::string_view path, std::string_view name);

// "messages" and 2 to "messages[2]"; "a" and "b" to "a.b" ("b" if a is empty).
std::string item_path(std::string_view path, size_t index);
std::string member_path(std::string_view path, std::string_view name);

// A body larger or more intricate than any honest request. Error json.*.
inline constexpr size_t kMaxJsonValues = 1u << 20;
inline constexpr size_t kMaxJsonMembers = 1u << 16;
// How errors of JSON name the body.
inline constexpr std::string_view kBodySource = "request";
// The body as an object. Error json.* and request.wrong_type.
base::Json parse_body(std::string_view body);

// A field whose value goes into a T.
template <typename T>
struct Field {
  FieldInfo info;
  std::function<void(T&, const base::Json&, const std::string& path)> read;
};

template <typename T, typename Member>
Field<T> integer_field(std::string_view name, Member T::* target, int64_t min, int64_t max,
                       std::string_view summary, std::string_view fallback = "") {
  const FieldInfo info = {.name = name,
                          .type = FieldType::kInteger,
                          .min = min,
                          .max = max,
                          .summary = summary,
                          .fallback = fallback};
  return {info, [=](T& to, const base::Json& value, const std::string& path) {
            to.*target = read_integer(value, path, min, max);
          }};
}

template <typename T, typename Member>
Field<T> number_field(std::string_view name, Member T::* target, double low, double high,
                      std::string_view summary, std::string_view fallback = "") {
  const FieldInfo info = {.name = name,
                          .type = FieldType::kNumber,
                          .low = low,
                          .high = high,
                          .summary = summary,
                          .fallback = fallback};
  return {info, [=](T& to, const base::Json& value, const std::string& path) {
            to.*target = read_number(value, path, low, high);
          }};
}

template <typename T, typename Member>
Field<T> boolean_field(std::string_view name, Member T::* target, std::string_view summary,
                       std::string_view fallback = "") {
  const FieldInfo info = {
      .name = name, .type = FieldType::kBoolean, .summary = summary, .fallback = fallback};
  return {info, [=](T& to, const base::Json& value, const std::string& path) {
            to.*target = read_boolean(value, path);
          }};
}

template <typename T, typename Member>
Field<T> string_field(std::string_view name, Member T::* target, int64_t min, int64_t max,
                      std::string_view summary) {
  const FieldInfo info = {
      .name = name, .type = FieldType::kString, .min = min, .max = max, .summary = summary};
  return {info, [=](T& to, const base::Json& value, const std::string& path) {
            to.*target = read_string(value, path, min, max);
          }};
}

// A field with a reader of its own. `schema` is JSON text.
template <typename T, typename Read>
Field<T> other_field(std::string_view name, std::string_view schema, std::string_view summary,
                     Read read) {
  return {{.name = name, .summary = summary, .schema = schema}, std::move(read)};
}

template <typename T>
Field<T> required(Field<T> field) {
  field.info.required = true;
  return field;
}

// Another name for a field that other servers use.
template <typename T>
Field<T> alias(Field<T> field, std::string_view name) {
  field.info.alias_of = field.info.name;
  field.info.name = name;
  return field;
}

// The fields of a T.
template <typename T>
class FieldTable {
 public:
  explicit FieldTable(std::vector<Field<T>> fields) : fields_(std::move(fields)) {
    for (const Field<T>& field : fields_) by_name_.emplace(field.info.name, &field);
  }
  FieldTable(const FieldTable&) = delete;
  FieldTable& operator=(const FieldTable&) = delete;

  const std::vector<Field<T>>& fields() const { return fields_; }

  // Reads the members of `object` that the table knows, in the object's order; null is absent, and
  // members that it does not know are left alone. Error request.*, naming the field below `path`.
  void read(const base::Json& object, T& target, std::string_view path = "") const {
    read_object(object, path);
    for (const auto& [name, value] : object.items()) {
      const auto found = by_name_.find(name);
      if (found != by_name_.end() && !value.is_null())
        found->second->read(target, value, member_path(path, name));
    }
    for (const Field<T>& field : fields_) {
      if (field.info.required) member(object, path, field.info.name);
    }
  }

 private:
  std::vector<Field<T>> fields_;
  std::map<std::string_view, const Field<T>*, std::less<>> by_name_;
};

}  // namespace tulou::serve
