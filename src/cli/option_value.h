// Values of options as typed: strict numbers that no locale changes, with errors that name the
// option.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::cli {

// The whole text must be the number, within the range. Error cli.bad_value, naming `what`
// ("--top-k", "TULOU_THREADS", "/set seed"), the text, and what is expected.
int64_t integer_value(std::string_view what, std::string_view text, int64_t min, int64_t max);
uint64_t unsigned_value(std::string_view what, std::string_view text);
double number_value(std::string_view what, std::string_view text);

// Options of a command whose value is checked by the functions above, once parsed.
void add_integer(CLI::App& app, const std::string& names, std::optional<int64_t>& target,
                 int64_t min, int64_t max, const std::string& description);

// An option that may stand several times; each value is taken as it stands.
void add_strings(CLI::App& app, const std::string& names, std::vector<std::string>& target,
                 const std::string& description);

}  // namespace tulou::cli
