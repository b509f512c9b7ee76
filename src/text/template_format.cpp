// Widths, precisions, signs and digits of formatted values.
#include "text/template_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/template_filters.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

void append_fill(Machine& m, TextBuilder& out, const std::string& fill, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    m.step();
    out.append(fill, false);
  }
}

// The digits of a float without sign.
std::string real_digits(Machine& m, double value, const FormatSpec& spec) {
  const double size = std::fabs(value);
  if (std::isnan(size)) return "nan";
  if (std::isinf(size)) return "inf";
  const char type = static_cast<char>(spec.type | 0x20);
  if (spec.type == 0) {
    if (spec.precision >= 0) m.refuse("a precision without a type in a format");
    return float_repr(size);
  }
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  char buffer[1024];
  const auto style = type == 'e'   ? std::chars_format::scientific
                     : type == 'g' ? std::chars_format::general
                                   : std::chars_format::fixed;
  const double shown = spec.type == '%' ? size * 100 : size;
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, shown, style,
                                     type == 'g' ? std::max(precision, 1) : precision);
  if (written.ec != std::errc()) m.refuse("a formatted number of this length");
  std::string digits(buffer, static_cast<size_t>(written.ptr - buffer));
  if (spec.type == '%') digits += '%';
  return digits;
}

std::string integer_digits(Machine& m, const Value& number, const FormatSpec& spec) {
  uint64_t size = number.as_unsigned();
  if (!number.is(Kind::kUnsigned) && number.as_integer() < 0) size = 0 - size;
  const int base = spec.type == 'x' || spec.type == 'X' ? 16
                   : spec.type == 'o'                   ? 8
                   : spec.type == 'b'                   ? 2
                                                        : 10;
  if (spec.precision >= 0 && spec.precision > 64) m.refuse("a formatted number of this length");
  char buffer[72];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, size, base);
  std::string digits(buffer, static_cast<size_t>(written.ptr - buffer));
  if (spec.precision > static_cast<int64_t>(digits.size()))
    digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
  return digits;
}

void group_thousands(std::string& digits) {
  size_t end = 0;
  while (end < digits.size() && digits[end] >= '0' && digits[end] <= '9') ++end;
  for (size_t at = end; at > 3; at -= 3) digits.insert(at - 3, ",");
}

}  // namespace

void format_string(Machine& m, TextBuilder& out, const Value& text, const FormatSpec& spec) {
  Value shown = text;
  if (spec.precision >= 0)
    shown = get_slice(m, text, Value::integer(0), Value::integer(spec.precision), Value::none());
  const int64_t missing = spec.width - (spec.width > 0 ? length(m, shown) : 0);
  m.work(shown.text().size());
  const char align = spec.align == 0 ? '<' : spec.align;
  const int64_t left = missing <= 0 ? 0 : align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  append_fill(m, out, spec.fill, left);
  out.append(shown);
  append_fill(m, out, spec.fill, std::max<int64_t>(missing, 0) - left);
}

void format_number(Machine& m, TextBuilder& out, const Value& number, const FormatSpec& spec) {
  const bool real = number.is(Kind::kFloat);
  const bool negative = real ? std::signbit(number.as_real()) && !std::isnan(number.as_real())
                             : !number.is(Kind::kUnsigned) && number.as_integer() < 0;
  std::string digits =
      real ? real_digits(m, number.as_real(), spec) : integer_digits(m, number, spec);
  if (spec.grouped) {
    if (spec.zero) m.refuse("a format with both thousands and leading zeros");
    group_thousands(digits);
  }
  std::string prefix = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.alternate) {
    if (real || spec.type == 0 || spec.type == 'd') m.refuse("'#' in this format");
    prefix += spec.type == 'x' ? "0x" : spec.type == 'X' ? "0X" : spec.type == 'o' ? "0o" : "0b";
  }
  const bool capital = spec.type >= 'A' && spec.type <= 'Z';
  if (capital)
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  const bool data = number.from_data();
  const auto size = static_cast<int64_t>(prefix.size() + digits.size());
  const int64_t missing = std::max<int64_t>(spec.width - size, 0);
  char align = spec.align == 0 ? (spec.zero ? '=' : '>') : spec.align;
  const std::string fill = spec.zero && spec.align == 0 ? "0" : spec.fill;
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  if (align != '=') append_fill(m, out, fill, left);
  out.append(prefix, data);
  if (align == '=') append_fill(m, out, fill, missing);
  out.append(digits, data);
  if (align != '=') append_fill(m, out, fill, missing - left);
}

}  // namespace tulou::text::jinja
