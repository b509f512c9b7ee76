// Strict values of options; see option_value.h.
#include "cli/option_value.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/number.h"

namespace tulou::cli {

int64_t integer_value(std::string_view what, std::string_view text, int64_t min, int64_t max) {
  const std::optional<int64_t> value = base::parse_int(text);
  if (value && *value >= min && *value <= max) return *value;
  const std::string expected =
      max == std::numeric_limits<int64_t>::max()
          ? "a whole number of at least " + base::to_text(min)
          : "a whole number from " + base::to_text(min) + " to " + base::to_text(max);
  throw base::Error("cli.bad_value", what, base::printable(text), expected);
}

std::vector<int64_t> integer_list(std::string_view what, std::string_view text, int64_t min,
                                  int64_t max, size_t max_count) {
  std::vector<int64_t> values;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    values.push_back(integer_value(what, text.substr(begin, end - begin), min, max));
    if (values.size() > max_count)
      throw base::Error("cli.bad_value", what, base::printable(text),
                        "a list of at most " + base::to_text(max_count) + " numbers");
    begin = end + 1;
  }
  return values;
}

uint64_t unsigned_value(std::string_view what, std::string_view text) {
  const std::optional<uint64_t> value = base::parse_uint(text);
  if (value) return *value;
  throw base::Error("cli.bad_value", what, base::printable(text),
                    "a whole number from 0 to 18446744073709551615");
}

double number_value(std::string_view what, std::string_view text) {
  const std::optional<double> value = base::parse_double(text);
  if (value) return *value;
  throw base::Error("cli.bad_value", what, base::printable(text),
                    "a number such as 0.7 (with a point)");
}

}  // namespace tulou::cli
