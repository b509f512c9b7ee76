// Formatting of one value, shared by "%" and str.format.
#pragma once

#include <cstdint>
#include <string>

#include "text/template_machine.h"

namespace tulou::text::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // < > ^ =, 0: the type's own
  char sign = '-';
  bool alternate = false, zero = false, grouped = false;
  int64_t width = 0;
  int64_t precision = -1;  // none
  char type = 0;
};

inline constexpr int64_t kMaxWidth = 1'000'000;
inline constexpr int64_t kMaxPrecision = 300;

// Appends `value` (a string's text or a number) as `spec` says.
void format_string(Machine& m, TextBuilder& out, const Value& text, const FormatSpec& spec);
void format_number(Machine& m, TextBuilder& out, const Value& number, const FormatSpec& spec);

}  // namespace tulou::text::jinja
