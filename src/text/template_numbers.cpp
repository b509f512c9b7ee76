// Numbers from text and rounding, as Python does them.
#include "text/template_numbers.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "base/number.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

// The text without whitespace around and without single underscores between digits; nothing if an
// underscore stands elsewhere.
std::optional<std::string> plain_number(Machine& m, const Value& text) {
  const Value stripped = strip_text(m, text, nullptr, true, true);
  if (stripped.text().size() > 1000) m.refuse("a number of more than 1000 characters");
  if (!stripped.ascii()) m.refuse("a number in characters beyond ASCII");
  const std::string_view all = stripped.text();
  const auto word = [&](size_t at) {
    return at < all.size() && all[at] != '_' && all[at] != '+' && all[at] != '-' && all[at] != '.';
  };
  std::string out;
  for (size_t at = 0; at < all.size(); ++at) {
    if (all[at] != '_') {
      out += all[at];
    } else if (at == 0 || !word(at - 1) || !word(at + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

// int(text, base) of Python; nothing where that is a ValueError.
std::optional<int64_t> parse_integer(Machine& m, const Value& text, int64_t base) {
  const auto plain = plain_number(m, text);
  if (!plain || plain->empty()) return std::nullopt;
  std::string_view rest = *plain;
  const bool negative = rest[0] == '-';
  if (negative || rest[0] == '+') rest.remove_prefix(1);
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  if (rest.size() > 2 && rest[0] == '0') {
    const char mark = static_cast<char>(rest[1] | 0x20);
    const int named = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (named != 0 && (base == named || base == 0)) {
      base = named;
      rest.remove_prefix(2);
    }
  }
  if (base == 0) {
    if (rest.size() > 1 && rest[0] == '0' && rest.find_first_not_of('0') != std::string_view::npos)
      return std::nullopt;
    base = 10;
  }
  if (rest.empty()) return std::nullopt;
  int64_t value = 0;
  bool overflow = false;
  for (const char c : rest) {
    const int digit = digit_of(c);
    if (digit >= base) return std::nullopt;
    overflow = overflow || __builtin_mul_overflow(value, base, &value) ||
               __builtin_sub_overflow(value, digit, &value);
  }
  if (overflow || (!negative && value == INT64_MIN)) m.refuse("an integer of more than 64 bits");
  return negative ? value : -value;
}

// float(text) of Python; nothing where that is a ValueError.
std::optional<double> parse_real(Machine& m, const Value& text) {
  const auto plain = plain_number(m, text);
  if (!plain || plain->empty()) return std::nullopt;
  std::string_view rest = *plain;
  const bool negative = rest[0] == '-';
  if (negative || rest[0] == '+') rest.remove_prefix(1);
  if (rest.empty() || rest[0] == '-' || rest[0] == '+') return std::nullopt;
  std::string lower(rest);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (lower == "inf" || lower == "infinity") return negative ? -INFINITY : INFINITY;
  if (lower == "nan") return NAN;
  if (lower.find_first_not_of("0123456789.e+-") != std::string::npos) return std::nullopt;
  double value = 0;
  const auto read = std::from_chars(lower.data(), lower.data() + lower.size(), value);
  if (read.ptr != lower.data() + lower.size()) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) m.refuse("a number beyond the range of a double");
  if (read.ec != std::errc()) return std::nullopt;
  return negative ? -value : value;
}

std::optional<Value> truncated(Machine& m, double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (!(std::fabs(value) < 9.2e18)) m.refuse("an integer of more than 64 bits");
  return Value::integer(static_cast<int64_t>(value));
}

// round(value, digits) of Python for a float.
Value round_real(Machine& m, double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 300) return Value::real(value);
  if (digits < 0) m.refuse("rounding a float to tens");
  char buffer[700];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, value,
                                     std::chars_format::fixed, static_cast<int>(digits));
  double rounded = 0;
  std::from_chars(buffer, written.ptr, rounded);
  return Value::real(rounded);
}

Value round_integer(Machine& m, int64_t value, int64_t digits) {
  if (digits >= 0) return Value::integer(value);
  if (digits < -17) return Value::integer(0);
  int64_t unit = 1;
  for (int64_t i = 0; i < -digits; ++i) unit *= 10;
  int64_t rest = value % unit;
  if (rest < 0) rest += unit;
  int64_t low = 0;
  if (__builtin_sub_overflow(value, rest, &low)) m.refuse("an integer of more than 64 bits");
  const bool up = rest * 2 > unit || (rest * 2 == unit && (low / unit) % 2 != 0);
  if (up && __builtin_add_overflow(low, unit, &low)) m.refuse("an integer of more than 64 bits");
  return Value::integer(low);
}

}  // namespace

Value int_filter(Machine& m, const Value& self, const Bound& args) {
  const Value fallback = args.has(0) ? args[0] : Value::integer(0);
  const int64_t base = args.has(1) ? integer_of(m, args[1], "a base") : 10;
  if (self.is_undefined()) m.fail_undefined(self);
  if (self.is_string()) {
    if (const auto value = parse_integer(m, self, base))
      return Value::integer(*value).with_origin(
          self.origin() == Origin::kTemplate ? Origin::kTemplate : Origin::kData);
    const auto real = parse_real(m, self);
    const auto value = real ? truncated(m, *real) : std::nullopt;
    if (!value) return fallback;
    return Value(*value).with_origin(self.origin() == Origin::kTemplate ? Origin::kTemplate
                                                                        : Origin::kData);
  }
  if (self.is(Kind::kFloat)) {
    if (std::isinf(self.as_real())) m.fail("infinity is no integer");
    const auto value = truncated(m, self.as_real());
    return value ? Value(*value).with_origin(self.origin()) : fallback;
  }
  if (self.is(Kind::kUnsigned)) return self;
  if (self.is_integral()) return Value::integer(self.as_integer()).with_origin(self.origin());
  return fallback;
}

Value float_filter(Machine& m, const Value& self, const Bound& args) {
  if (self.is_undefined()) m.fail_undefined(self);
  if (self.is_number()) return Value::real(real_of(self)).with_origin(self.origin());
  if (self.is_string()) {
    if (const auto value = parse_real(m, self))
      return Value::real(*value).with_origin(self.origin() == Origin::kTemplate ? Origin::kTemplate
                                                                                : Origin::kData);
  }
  return args.has(0) ? args[0] : Value::real(0);
}

Value abs_filter(Machine& m, const Value& self, const Bound&) {
  if (self.is_undefined()) m.fail_undefined(self);
  if (self.is(Kind::kUnsigned)) return self;
  if (self.is(Kind::kFloat))
    return Value::real(std::fabs(self.as_real())).with_origin(self.origin());
  const int64_t value = integer_of(m, self, "the value of abs");
  if (value == INT64_MIN) m.refuse("an integer of more than 64 bits");
  return Value::integer(value < 0 ? -value : value).with_origin(self.origin());
}

Value round_filter(Machine& m, const Value& self, const Bound& args) {
  const int64_t digits = args.has(0) ? integer_of(m, args[0], "a precision") : 0;
  const std::string_view method = !args.has(1)          ? "common"
                                  : args[1].is_string() ? args[1].text()
                                                        : "";
  if (method != "common" && method != "ceil" && method != "floor")
    m.fail("the method of round must be common, ceil or floor");
  if (self.is_undefined()) m.fail_undefined(self);
  if (!self.is_number()) m.fail("round needs a number, not " + std::string(type_name(self)));
  if (self.is(Kind::kUnsigned)) m.refuse("rounding an integer of more than 63 bits");
  const Origin origin = self.origin();
  if (method == "common") {
    if (self.is(Kind::kFloat)) return round_real(m, self.as_real(), digits).with_origin(origin);
    return round_integer(m, self.as_integer(), digits).with_origin(origin);
  }
  if (digits < 0 || digits > 15) m.refuse("this precision of round");
  // ceil and floor of Python give an integer, which the power of ten then divides.
  const Value power = Value::integer([&] {
    int64_t unit = 1;
    for (int64_t i = 0; i < digits; ++i) unit *= 10;
    return unit;
  }());
  const Value scaled = arithmetic(m, ExprKind::kMultiply, self, power);
  Value whole = scaled;
  if (scaled.is(Kind::kFloat)) {
    const double real =
        method == "ceil" ? std::ceil(scaled.as_real()) : std::floor(scaled.as_real());
    const auto value = truncated(m, real);
    if (!value) m.fail("round needs a finite number");
    whole = *value;
  }
  return arithmetic(m, ExprKind::kDivide, whole, power).with_origin(origin);
}

}  // namespace tulou::text::jinja
