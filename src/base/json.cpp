#include "base/json_value.h"

#include <simdjson.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"

namespace tulou::base {
namespace {

namespace od = simdjson::ondemand;

// Walks a simdjson On-Demand document and builds the value. Recursion is bounded by kMaxJsonDepth.
class Builder {
 public:
  Builder(std::string_view source, size_t size, const JsonLimits& limits)
      : source_(source), size_(size), limits_(limits) {}

  Json build(od::document& document) {
    // A document that is a bare scalar has accessors of its own in simdjson 3.0.
    switch (check(document.type())) {
      case od::json_type::array:
        return array(check(document.get_array()), 1);
      case od::json_type::object:
        return object(check(document.get_object()), 1);
      case od::json_type::string:
        return Json(std::string(check(document.get_string())));
      case od::json_type::boolean:
        return Json(check(document.get_bool()));
      case od::json_type::number:
        return number(check(document.get_number()));
      case od::json_type::null: {
        if (check(document.is_null())) return Json(nullptr);
        break;
      }
    }
    invalid("not a JSON value");
  }

  // What stands after the value; only white space may.
  void finish(od::document& document) {
    const char* location = nullptr;  // simdjson reports the end of the document as an error
    if (document.current_location().get(location) == simdjson::SUCCESS)
      invalid("there is more text after the value");
  }

 private:
  Json value(od::value item, int depth) {
    if (++num_values_ > limits_.max_values)
      throw Error("json.too_many", place(), "values", limits_.max_values);
    switch (check(item.type())) {
      case od::json_type::array:
        return array(check(item.get_array()), depth + 1);
      case od::json_type::object:
        return object(check(item.get_object()), depth + 1);
      case od::json_type::string:
        return Json(std::string(check(item.get_string())));
      case od::json_type::boolean:
        return Json(check(item.get_bool()));
      case od::json_type::number:
        return number(item);
      case od::json_type::null: {
        if (check(item.is_null())) return Json(nullptr);
        break;
      }
    }
    invalid("not a JSON value");
  }

  Json array(od::array items, int depth) {
    check_depth(depth);
    Json result = Json::array();
    for (auto item : items) result.push_back(value(check(std::move(item)), depth));
    return result;
  }

  Json object(od::object fields, int depth) {
    check_depth(depth);
    Json result = Json::object();
    // ordered_json looks keys up linearly, so duplicates are found with a set of our own.
    std::set<std::string, std::less<>> seen;
    auto& members = result.get_ref<Json::object_t&>();
    for (auto field : fields) {
      auto entry = check(std::move(field));
      std::string key(check(entry.unescaped_key()));
      if (++num_members_ > limits_.max_members)
        throw Error("json.too_many", place(), "keys", limits_.max_members);
      if (depth == 1) field_ = key;
      if (!seen.insert(key).second) throw Error("json.duplicate_key", place(), key);
      Json item = value(entry.value(), depth);
      members.push_back({std::move(key), std::move(item)});
    }
    return result;
  }

  // simdjson refuses whole numbers of more than 64 bits, which are numbers all the same.
  Json number(od::value item) {
    od::number n;
    if (item.get_number().get(n) == simdjson::SUCCESS) return number(n);
    return Json(check(item.get_double()));
  }

  static Json number(od::number n) {
    switch (n.get_number_type()) {
      case od::number_type::signed_integer:
        return Json(n.get_int64());
      case od::number_type::unsigned_integer:
        return Json(n.get_uint64());
      default:
        return Json(n.as_double());
    }
  }

  // The source, and the member of the outermost object that is being read, as in JsonObject.
  std::string place() const { return field_.empty() ? source_ : source_ + ": " + field_; }

  void check_depth(int depth) const {
    if (depth > kMaxJsonDepth) throw Error("json.too_deep", place(), kMaxJsonDepth);
  }

  template <typename T>
  T check(simdjson::simdjson_result<T> result) const {
    T value;
    const auto error = std::move(result).get(value);
    if (error != simdjson::SUCCESS) invalid(simdjson::error_message(error));
    return value;
  }
  bool check(bool value) const { return value; }

  [[noreturn]] void invalid(std::string_view reason) const {
    throw Error("json.invalid", source_, size_, reason);
  }

  std::string source_;
  size_t size_;
  JsonLimits limits_;
  size_t num_values_ = 0, num_members_ = 0;
  std::string field_;
};

}  // namespace

Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  const simdjson::padded_string padded(text);
  od::parser parser;
  od::document document;
  const auto error = parser.iterate(padded).get(document);
  if (error != simdjson::SUCCESS)
    throw Error("json.invalid", source, text.size(), simdjson::error_message(error));
  Builder builder(source, text.size(), limits);
  Json value = builder.build(document);
  builder.finish(document);
  return value;
}

Json read_json_file(const std::string& path, uint64_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path);
}

std::string to_json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_pretty_json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

JsonObject::JsonObject(const Json& value, std::string source)
    : value_(&value), source_(std::move(source)) {
  if (!value.is_object()) throw Error("json.wrong_type", source_, "(document)", "an object");
}

const Json& JsonObject::get(std::string_view key) const {
  static const Json kNull;
  const auto found = value_->find(key);
  return found == value_->end() ? kNull : *found;
}

bool JsonObject::has(std::string_view key) const { return !get(key).is_null(); }

const Json& JsonObject::required(std::string_view key) const {
  const Json& found = get(key);
  if (found.is_null()) throw Error("json.missing_key", source_, key);
  return found;
}

JsonObject JsonObject::object(std::string_view key) const {
  const Json& found = required(key);
  if (!found.is_object()) throw Error("json.wrong_type", source_, key, "an object");
  return JsonObject(found, source_ + ": " + std::string(key));
}

int64_t JsonObject::integer(std::string_view key, int64_t min, int64_t max) const {
  const Json& found = required(key);
  // Some exporters write whole numbers as 1000000.0.
  double real = 0;
  const bool whole =
      found.is_number_integer() ||
      (found.is_number_float() && (real = found.get<double>(), std::trunc(real) == real));
  if (!whole) throw Error("json.wrong_type", source_, key, "a whole number");
  const bool too_big = found.is_number_float()
                           ? !(real >= -9.0e18 && real <= 9.0e18)
                           : found.is_number_unsigned() && found.get<uint64_t>() > INT64_MAX;
  const int64_t result = too_big ? INT64_MAX : found.get<int64_t>();
  if (too_big || result < min || result > max)
    throw Error("json.out_of_range", source_, key, to_json_text(found), min, max);
  return result;
}

int64_t JsonObject::integer(std::string_view key, int64_t min, int64_t max,
                            int64_t fallback) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double JsonObject::number(std::string_view key) const {
  const Json& found = required(key);
  if (!found.is_number()) throw Error("json.wrong_type", source_, key, "a number");
  return found.get<double>();
}

double JsonObject::number(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool JsonObject::boolean(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const Json& found = get(key);
  if (!found.is_boolean()) throw Error("json.wrong_type", source_, key, "true or false");
  return found.get<bool>();
}

std::string JsonObject::string(std::string_view key) const {
  const Json& found = required(key);
  if (!found.is_string()) throw Error("json.wrong_type", source_, key, "a string");
  return found.get<std::string>();
}

std::string JsonObject::string(std::string_view key, std::string_view fallback) const {
  return has(key) ? string(key) : std::string(fallback);
}

}  // namespace tulou::base
