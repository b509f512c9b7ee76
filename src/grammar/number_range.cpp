#include "grammar/number_range.h"

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::grammar {
namespace {

using Expr = Rules::Expr;
constexpr uint64_t kNoBound = UINT64_MAX;
constexpr uint32_t kDigitsAfterPoint = kMaxFraction + 3;

// Texts of digits: all functions here work on the texts, never on values, so nothing overflows.
class Digits {
 public:
  explicit Digits(JsonText& json) : json_(json), rules_(json.rules()) {}

  Expr any(uint32_t min, uint32_t max) { return rules_.repeat(json_.digit(), min, max); }

  // Digits first..last, then any `count` digits; nothing if first > last.
  Expr step(char first, char last, size_t count) {
    if (first > last) return rules_.nothing();
    const auto n = static_cast<uint32_t>(count);
    return rules_.sequence({json_.digit(first, last), any(n, n)});
  }

  // Texts as long as `low`, from it upwards.
  Expr from(std::string_view low) {
    if (low.empty()) return rules_.literal("");
    const char d = low[0];
    return rules_.choice({rules_.sequence({json_.digit(d, d), from(low.substr(1))}),
                          step(static_cast<char>(d + 1), '9', low.size() - 1)});
  }

  Expr up_to(std::string_view high) {
    if (high.empty()) return rules_.literal("");
    const char d = high[0];
    return rules_.choice({rules_.sequence({json_.digit(d, d), up_to(high.substr(1))}),
                          step('0', static_cast<char>(d - 1), high.size() - 1)});
  }

  // Texts as long as both, low <= text <= high.
  Expr between(std::string_view low, std::string_view high) {
    if (low.empty()) return rules_.literal("");
    const char a = low[0], b = high[0];
    if (a == b) {
      return rules_.sequence({json_.digit(a, a), between(low.substr(1), high.substr(1))});
    }
    return rules_.choice({rules_.sequence({json_.digit(a, a), from(low.substr(1))}),
                          step(static_cast<char>(a + 1), static_cast<char>(b - 1), low.size() - 1),
                          rules_.sequence({json_.digit(b, b), up_to(high.substr(1))})});
  }

  // Whole numbers from low to high (kNoBound: up to kMaxDigits digits), low <= high, without
  // zeros in front.
  Expr whole(uint64_t low, uint64_t high) {
    const std::string first = std::to_string(low);
    if (high == kNoBound) {
      std::vector<Expr> options = {between(first, std::string(first.size(), '9'))};
      const auto digits = static_cast<uint32_t>(first.size());
      if (digits < JsonText::kMaxDigits) {
        options.push_back(
            rules_.sequence({json_.digit('1', '9'), any(digits, JsonText::kMaxDigits - 1)}));
      }
      return rules_.choice(options);
    }
    const std::string last = std::to_string(high);
    if (first.size() == last.size()) return between(first, last);
    std::vector<Expr> options = {between(first, std::string(first.size(), '9'))};
    for (size_t size = first.size() + 1; size < last.size(); ++size) {
      options.push_back(step('1', '9', size - 1));
    }
    options.push_back(between("1" + std::string(last.size() - 1, '0'), last));
    return rules_.choice(options);
  }

 private:
  JsonText& json_;
  Rules& rules_;
};

// Digits after a point. A text s stands for 0.s; these make the texts that are not empty.
class Fractions {
 public:
  explicit Fractions(JsonText& json) : json_(json), rules_(json.rules()), digits_(json) {}

  // 0.s >= 0.f (or > where not inclusive), with at most `room` digits.
  Expr from(std::string_view f, bool inclusive, uint32_t room) {
    if (room == 0) return rules_.nothing();
    if (f.empty()) {
      if (inclusive) return digits_.any(1, room);
      // not all zeros
      return rules_.choice({rules_.sequence({json_.digit('1', '9'), digits_.any(0, room - 1)}),
                            rules_.sequence({rules_.literal("0"), from(f, false, room - 1)})});
    }
    const char d = f[0];
    const std::string_view rest = f.substr(1);
    std::vector<Expr> then = {from(rest, inclusive, room - 1)};
    if (rest.empty() && inclusive) then.push_back(rules_.literal(""));
    return rules_.choice(
        {higher(d, '9', room - 1), rules_.sequence({json_.digit(d, d), rules_.choice(then)})});
  }

  // 0.s <= 0.f (or <).
  Expr up_to(std::string_view f, bool inclusive, uint32_t room) {
    if (room == 0) return rules_.nothing();
    if (f.empty()) {
      return inclusive ? rules_.repeat(rules_.literal("0"), 1, room) : rules_.nothing();
    }
    const char d = f[0];
    const std::string_view rest = f.substr(1);
    std::vector<Expr> then = {up_to(rest, inclusive, room - 1)};
    if (!rest.empty() || inclusive) then.push_back(rules_.literal(""));
    return rules_.choice(
        {lower('0', d, room - 1), rules_.sequence({json_.digit(d, d), rules_.choice(then)})});
  }

  // Both at once, for bounds with the same whole part; f <= g.
  Expr between(std::string_view f, bool from_f, std::string_view g, bool to_g, uint32_t room) {
    if (room == 0) return rules_.nothing();
    const char a = f.empty() ? '0' : f[0], b = g.empty() ? '0' : g[0];
    const std::string_view f_rest = f.empty() ? f : f.substr(1);
    const std::string_view g_rest = g.empty() ? g : g.substr(1);
    const bool f_ends = f_rest.empty() && from_f;  // s may end at f's value
    const bool g_ends = !g_rest.empty() || to_g;   // and at g's
    if (a == b) {
      std::vector<Expr> then = {between(f_rest, from_f, g_rest, to_g, room - 1)};
      if (f_ends && g_ends) then.push_back(rules_.literal(""));
      return rules_.sequence({json_.digit(a, a), rules_.choice(then)});
    }
    std::vector<Expr> low = {from(f_rest, from_f, room - 1)};
    if (f_ends) low.push_back(rules_.literal(""));
    std::vector<Expr> high = {up_to(g_rest, to_g, room - 1)};
    if (g_ends) high.push_back(rules_.literal(""));
    std::vector<Expr> options = {rules_.sequence({json_.digit(a, a), rules_.choice(low)}),
                                 rules_.sequence({json_.digit(b, b), rules_.choice(high)})};
    if (b - a > 1) {
      options.push_back(
          rules_.sequence({json_.digit(static_cast<char>(a + 1), static_cast<char>(b - 1)),
                           digits_.any(0, room - 1)}));
    }
    return rules_.choice(options);
  }

 private:
  Expr higher(char d, char last, uint32_t room) {
    if (d >= last) return rules_.nothing();
    return rules_.sequence({json_.digit(static_cast<char>(d + 1), last), digits_.any(0, room)});
  }
  Expr lower(char first, char d, uint32_t room) {
    if (d <= first) return rules_.nothing();
    return rules_.sequence({json_.digit(first, static_cast<char>(d - 1)), digits_.any(0, room)});
  }

  JsonText& json_;
  Rules& rules_;
  Digits digits_;
};

// Magnitudes between bounds that are not negative.
Expr add_magnitudes(JsonText& json, const Bound& low, const std::optional<Bound>& high) {
  Rules& rules = json.rules();
  Fractions fractions(json);
  Digits digits(json);
  const auto with_point = [&](Expr s) { return rules.sequence({rules.literal("."), s}); };
  const Expr low_whole = rules.literal(std::to_string(low.whole));
  const bool low_alone = low.fraction.empty() && low.inclusive;
  std::vector<Expr> options;
  if (high && high->whole == low.whole) {
    options.push_back(rules.sequence(
        {low_whole, with_point(fractions.between(low.fraction, low.inclusive, high->fraction,
                                                 high->inclusive, kDigitsAfterPoint))}));
    if (low_alone && (!high->fraction.empty() || high->inclusive)) options.push_back(low_whole);
    return rules.choice(options);
  }
  options.push_back(rules.sequence(
      {low_whole, with_point(fractions.from(low.fraction, low.inclusive, kDigitsAfterPoint))}));
  if (low_alone) options.push_back(low_whole);
  const auto first = static_cast<uint64_t>(low.whole) + 1;
  if (!high || first < static_cast<uint64_t>(high->whole)) {
    const uint64_t last = high ? static_cast<uint64_t>(high->whole) - 1 : kNoBound;
    options.push_back(rules.sequence(
        {digits.whole(first, last), rules.optional(with_point(digits.any(1, kDigitsAfterPoint)))}));
  }
  if (high) {
    const Expr high_whole = rules.literal(std::to_string(high->whole));
    options.push_back(rules.sequence(
        {high_whole,
         with_point(fractions.up_to(high->fraction, high->inclusive, kDigitsAfterPoint))}));
    if (!high->fraction.empty() || high->inclusive) options.push_back(high_whole);
  }
  return rules.choice(options);
}

bool is_zero(const Bound& bound) { return bound.whole == 0 && bound.fraction.empty(); }

// low > high as magnitudes, so that nothing lies between them.
bool above(const Bound& low, const Bound& high) {
  if (low.whole != high.whole) return low.whole > high.whole;
  return low.fraction > high.fraction;
}

}  // namespace

Rules::Expr add_integer_range(JsonText& json, std::optional<int64_t> min,
                              std::optional<int64_t> max) {
  Rules& rules = json.rules();
  Digits digits(json);
  std::vector<Expr> options;
  const auto magnitude = [](int64_t value) {  // of a negative one; right for INT64_MIN
    return static_cast<uint64_t>(-(value + 1)) + 1;
  };
  if (min && max && *min > *max) return rules.nothing();
  if (!max || *max >= 0) {
    const uint64_t low = min && *min > 0 ? static_cast<uint64_t>(*min) : 0;
    const uint64_t high = max ? static_cast<uint64_t>(*max) : kNoBound;
    options.push_back(digits.whole(low, high));
  }
  if (!min || *min < 0) {
    const uint64_t low = max && *max < 0 ? magnitude(*max) : 1;
    const uint64_t high = min ? magnitude(*min) : kNoBound;
    options.push_back(rules.sequence({rules.literal("-"), digits.whole(low, high)}));
  }
  return rules.choice(options);
}

Rules::Expr add_multiples(JsonText& json, int64_t step) {
  Rules& rules = json.rules();
  // One rule a remainder: what may follow digits whose value has it.
  std::vector<Rules::Rule> remainders;
  for (int64_t r = 0; r < step; ++r) remainders.push_back(rules.declare());
  const auto after = [&](int64_t remainder, int digit) {
    return rules.sequence(
        {rules.literal(std::to_string(digit)),
         rules.call(remainders[static_cast<size_t>((remainder * 10 + digit) % step)])});
  };
  for (int64_t r = 0; r < step; ++r) {
    std::vector<Expr> options;
    if (r == 0) options.push_back(rules.literal(""));
    for (int digit = 0; digit <= 9; ++digit) options.push_back(after(r, digit));
    rules.define(remainders[static_cast<size_t>(r)], rules.choice(options));
  }
  std::vector<Expr> first;
  for (int digit = 1; digit <= 9; ++digit) first.push_back(after(0, digit));
  return rules.choice({rules.literal("0"),
                       rules.sequence({rules.optional(rules.literal("-")), rules.choice(first)})});
}

Rules::Expr add_multiples(JsonText& json, int64_t step, int64_t min, int64_t max) {
  Rules& rules = json.rules();
  std::vector<Expr> options;
  const int64_t below = min % step;
  int64_t value = below == 0 ? min : min - below + (min > 0 ? step : 0);
  for (; value <= max; value += step) options.push_back(rules.literal(std::to_string(value)));
  return rules.choice(options);
}

std::optional<Bound> to_bound(double value, bool inclusive) {
  if (!(std::abs(value) < kMaxWhole)) return std::nullopt;
  char text[64];
  const auto done =
      std::to_chars(text, text + sizeof(text), std::abs(value), std::chars_format::fixed);
  if (done.ec != std::errc()) return std::nullopt;
  const std::string_view digits(text, static_cast<size_t>(done.ptr - text));
  const size_t point = digits.find('.');
  Bound bound{.negative = value < 0, .inclusive = inclusive};
  const std::string_view whole = digits.substr(0, point);
  std::from_chars(whole.data(), whole.data() + whole.size(), bound.whole);
  if (point != std::string_view::npos) bound.fraction = digits.substr(point + 1);
  while (!bound.fraction.empty() && bound.fraction.back() == '0') bound.fraction.pop_back();
  if (bound.fraction.size() > kMaxFraction) return std::nullopt;
  if (is_zero(bound)) bound.negative = false;
  return bound;
}

Rules::Expr add_number_range(JsonText& json, const std::optional<Bound>& min,
                             const std::optional<Bound>& max) {
  Rules& rules = json.rules();
  std::vector<Expr> options;
  const Bound zero{};
  const auto add = [&](const Bound& low, const std::optional<Bound>& high, const char* sign) {
    if (high && above(low, *high)) return;
    options.push_back(rules.sequence({rules.literal(sign), add_magnitudes(json, low, high)}));
  };
  if (!max || !max->negative) add(min && !min->negative ? *min : zero, max, "");
  // Below zero; zero itself belongs to the numbers above, unless it is the largest.
  Bound smallest{.inclusive = false};
  if (max && max->negative) smallest = *max;
  if (!min || min->negative) add(smallest, min, "-");
  return rules.choice(options);
}

}  // namespace tulou::grammar
