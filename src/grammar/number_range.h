// Decimal numbers between bounds, as rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "grammar/json_text.h"
#include "grammar/rules.h"

namespace tulou::grammar {

// Whole numbers from `min` to `max`, both included; at most 18 digits where a bound is absent.
// Without "-0".
Rules::Expr add_integer_range(JsonText& json, std::optional<int64_t> min,
                              std::optional<int64_t> max);

// Multiples of `step` (1 to kMaxMultiple) from `min` to `max`: both bounds, at most
// kMaxMultiplesListed apart in steps, or none.
inline constexpr int64_t kMaxMultiple = 256;
inline constexpr int64_t kMaxMultiplesListed = 10'000;
Rules::Expr add_multiples(JsonText& json, int64_t step);
Rules::Expr add_multiples(JsonText& json, int64_t step, int64_t min, int64_t max);

// A bound of a number: a decimal in plain notation and whether the number may be equal to it.
struct Bound {
  bool negative = false;
  int64_t whole = 0;       // of the magnitude, below kMaxWhole
  std::string fraction{};  // its digits, without zeros at the end
  bool inclusive = true;
};
inline constexpr double kMaxWhole = 1e9;
inline constexpr size_t kMaxFraction = 6;
// Nothing if the value is too large or needs more than kMaxFraction digits after the point, so that
// a number written here could be rounded onto the other side of the bound.
std::optional<Bound> to_bound(double value, bool inclusive);

// Numbers without exponent between two bounds, at most kMaxFraction + 3 digits after the point.
Rules::Expr add_number_range(JsonText& json, const std::optional<Bound>& min,
                             const std::optional<Bound>& max);

}  // namespace tulou::grammar
