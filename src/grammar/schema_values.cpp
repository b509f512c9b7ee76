// JSON Schema: constants, strings and numbers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/json.h"
#include "grammar/formats.h"
#include "grammar/number_range.h"
#include "grammar/regex.h"
#include "grammar/schema_walker.h"

namespace tulou::grammar {

unsigned SchemaWalker::type_of(const Json& value) {
  if (value.is_null()) return kNull;
  if (value.is_boolean()) return kBoolean;
  if (value.is_string()) return kString;
  if (value.is_array()) return kArray;
  if (value.is_object()) return kObject;
  if (value.is_number_integer()) return kInteger;
  const double number = value.get<double>();
  return std::floor(number) == number ? kInteger : kFraction;
}

SchemaWalker::Expr SchemaWalker::constant(const Place& place, const Json& value) const {
  // Beyond 64 bits the reader has rounded it, so that it would not be equal to what was meant.
  if (value.is_number_float() && std::abs(value.get<double>()) >= 9e18 &&
      type_of(value) == kInteger) {
    invalid(place, "a constant beyond the range of 64 bits");
  }
  const std::string text = base::to_json_text(value);
  if (text.find('\0') != std::string::npos) invalid(place, "a constant with a NUL character");
  return rules_.literal(text);
}

SchemaWalker::Expr SchemaWalker::constants(const Place& place) {
  const char* const keyword = place.has("const") ? "const" : "enum";
  check_alone(place, keyword, true);
  const unsigned types = declared_types(place);
  const Json& given = place.at(keyword);
  if (place.has("enum") && !given.is_array()) invalid(place, "\"enum\" is not a list");
  std::vector<Expr> options;
  const auto add = [&](const Json& value) {
    if ((type_of(value) & types) != 0) options.push_back(constant(place, value));
  };
  if (place.has("const")) {
    add(given);
  } else {
    for (const Json& value : given) add(value);
  }
  return rules_.choice(std::move(options));
}

uint32_t SchemaWalker::count(const Place& place, std::string_view keyword,
                             uint32_t fallback) const {
  // Nothing this long is ever written: as a maximum it is none.
  constexpr double kEndless = 10'000'000;
  if (!place.has(keyword)) return fallback;
  const auto value = numeric(place, keyword);
  if (!value || *value < 0 || std::floor(*value) != *value) {
    invalid(place, "\"" + std::string(keyword) + "\" is not a whole number from 0 on");
  }
  if (*value > kEndless) {
    if (keyword.starts_with("max")) return Rules::kUnbounded;
    unsupported(place, keyword, "it is above 10,000,000");
  }
  return static_cast<uint32_t>(*value);
}

SchemaWalker::Expr SchemaWalker::string(const Place& place) {
  const bool sized = place.has("minLength") || place.has("maxLength");
  const uint32_t min = count(place, "minLength", 0);
  const uint32_t max = count(place, "maxLength", Rules::kUnbounded);
  for (const char* keyword : {"pattern", "format"}) {
    if (!place.has(keyword)) continue;
    const Json& value = place.at(keyword);
    if (!value.is_string()) invalid(place, "\"" + std::string(keyword) + "\" is not a string");
    if (min > 0 || max != Rules::kUnbounded) {
      unsupported(place, keyword, "it stands beside a length");
    }
  }
  if (place.has("pattern") && place.has("format")) {
    unsupported(place, "format", "it stands beside \"pattern\"");
  }
  if (place.has("pattern")) {
    return json_.quoted(add_json_pattern(json_, place.at("pattern").get<std::string>()));
  }
  if (place.has("format")) {
    const auto pattern = format_pattern(place.at("format").get<std::string>());
    if (!pattern) unsupported(place, "format", "known are " + format_names());
    return json_.quoted(add_json_pattern(json_, *pattern));
  }
  if (!sized) return json_.string();
  return json_.string(min, max);
}

std::optional<double> SchemaWalker::numeric(const Place& place, std::string_view keyword) const {
  if (!place.has(keyword)) return std::nullopt;
  const Json& value = place.at(keyword);
  if (!value.is_number()) invalid(place, "\"" + std::string(keyword) + "\" is not a number");
  return value.get<double>();
}

// The stricter of the two bounds on one side, as a whole number that is allowed itself.
std::optional<int64_t> SchemaWalker::integer_bound(const Place& place, bool lower) const {
  const char* const inclusive = lower ? "minimum" : "maximum";
  const char* const exclusive = lower ? "exclusiveMinimum" : "exclusiveMaximum";
  std::optional<int64_t> bound;
  for (const char* keyword : {inclusive, exclusive}) {
    const auto number = numeric(place, keyword);
    if (!number) continue;
    const Json& value = place.at(keyword);
    if (!(std::abs(*number) < 9e18)) unsupported(place, keyword, "it is beyond 64 bits");
    const double rounded = lower ? std::ceil(*number) : std::floor(*number);
    int64_t whole =
        value.is_number_integer() ? value.get<int64_t>() : static_cast<int64_t>(rounded);
    if (keyword == exclusive && rounded == *number) whole += lower ? 1 : -1;
    if (!bound) bound = whole;
    bound = lower ? std::max(*bound, whole) : std::min(*bound, whole);
  }
  return bound;
}

SchemaWalker::Expr SchemaWalker::integer(const Place& place) {
  const auto min = integer_bound(place, true), max = integer_bound(place, false);
  if (!min && !max) return json_.integer();
  return add_integer_range(json_, min, max);
}

SchemaWalker::Expr SchemaWalker::multiples(const Place& place, double step) {
  if (!(step > 0)) invalid(place, "\"multipleOf\" is not above 0");
  if (std::floor(step) != step || step > 1e9) {
    unsupported(place, "multipleOf", "only whole numbers up to 1,000,000,000 are");
  }
  const auto whole = static_cast<int64_t>(step);
  if (whole == 1) return integer(place);
  const auto min = integer_bound(place, true), max = integer_bound(place, false);
  if (!min && !max) {
    if (whole > kMaxMultiple) {
      unsupported(place, "multipleOf", "above 256 it needs a minimum and a maximum");
    }
    return add_multiples(json_, whole);
  }
  if (!min || !max) unsupported(place, "multipleOf", "beside one bound only");
  if (*min > *max) return rules_.nothing();
  // Widths as doubles, which cannot overflow.
  if ((static_cast<double>(*max) - static_cast<double>(*min)) / step > kMaxMultiplesListed) {
    unsupported(place, "multipleOf", "more than 10,000 multiples lie between the bounds");
  }
  return add_multiples(json_, whole, *min, *max);
}

SchemaWalker::Expr SchemaWalker::number(const Place& place, bool integer_only) {
  if (const auto step = numeric(place, "multipleOf")) return multiples(place, *step);
  if (integer_only) return integer(place);
  std::optional<Bound> bounds[2];
  for (const bool lower : {true, false}) {
    const char* const inclusive = lower ? "minimum" : "maximum";
    const char* const exclusive = lower ? "exclusiveMinimum" : "exclusiveMaximum";
    const auto open = numeric(place, exclusive), closed = numeric(place, inclusive);
    if (!open && !closed) continue;
    // Of two bounds on one side the stricter; of equal ones the exclusive.
    bool use_open = open.has_value();
    if (open && closed) use_open = lower ? *open >= *closed : *open <= *closed;
    auto& bound = bounds[lower ? 0 : 1];
    bound = to_bound(use_open ? *open : *closed, !use_open);
    if (!bound) {
      unsupported(place, use_open ? exclusive : inclusive,
                  "a bound of numbers has at most 9 digits before and 6 after the point");
    }
  }
  if (!bounds[0] && !bounds[1]) return json_.number();
  return add_number_range(json_, bounds[0], bounds[1]);
}

}  // namespace tulou::grammar
