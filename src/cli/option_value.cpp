// Strict values of options; see option_value.h.
#include "cli/option_value.h"

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

void add_integer(CLI::App& app, const std::string& names, std::optional<int64_t>& target,
                 int64_t min, int64_t max, const std::string& description) {
  const std::string what = names.substr(names.rfind("--"));
  app.add_option_function<std::string>(
         names,
         [&target, what, min, max](const std::string& text) {
           target = integer_value(what, text, min, max);
         },
         description)
      ->type_name("N");
}

void add_strings(CLI::App& app, const std::string& names, std::vector<std::string>& target,
                 const std::string& description) {
  const auto take = [&target](const CLI::results_t& values) {
    target.assign(values.begin(), values.end());
    return true;
  };
  app.add_option(names, take, description)
      ->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

}  // namespace tulou::cli
