// JSON as the project uses it: text that we did not write is parsed by simdjson within limits and
// becomes an order-keeping nlohmann value; typed look-ups that say which key of which file is
// wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tulou::base {

// Chat templates need the order of keys. Declared only; base/json_value.h has the whole type.
using Json = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 64;

// Bounds, besides the depth. Their Errors name SOURCE: MEMBER, as JsonObject does.
struct JsonLimits {
  size_t max_values = SIZE_MAX;   // of all kinds, anywhere
  size_t max_members = SIZE_MAX;  // of all objects together
};

// Parses a whole document. `source` names it in errors (a path, "request"). Refused: invalid JSON
// or UTF-8, nesting above kMaxJsonDepth, a key that stands twice in one object, more than the
// limits. Integers outside of int64 and uint64 become doubles.
Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits = {});

// Reads and parses a file of at most `max_bytes`.
Json read_json_file(const std::string& path, uint64_t max_bytes = 64u << 20);

// Compact text; invalid UTF-8 inside strings is replaced, so this never throws.
std::string to_json_text(const Json& value);
// The same with two spaces of indentation, for people.
std::string to_pretty_json_text(const Json& value);

// A view of one JSON object that names its source in errors. Does not own the value.
class JsonObject {
 public:
  // `value` must be an object, else Error json.wrong_type.
  JsonObject(const Json& value, std::string source);

  // True if the key is there and its value is not null.
  bool has(std::string_view key) const;
  // The value of a key, or null if it is absent.
  const Json& get(std::string_view key) const;
  // An object below this one; an error if absent or not an object.
  JsonObject object(std::string_view key) const;

  // Typed values: without a default, a missing (or null) key is an error; a wrong type or a value
  // out of range is always one.
  int64_t integer(std::string_view key, int64_t min, int64_t max) const;
  int64_t integer(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string string(std::string_view key) const;
  std::string string(std::string_view key, std::string_view fallback) const;

  const Json& value() const { return *value_; }
  const std::string& source() const { return source_; }

 private:
  const Json& required(std::string_view key) const;
  const Json* value_;
  std::string source_;
};

}  // namespace tulou::base
