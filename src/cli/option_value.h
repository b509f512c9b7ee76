// Values of options as typed: strict numbers that no locale changes, with errors that name the
// option.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tulou::cli {

// The whole text must be the number, within the range. Error cli.bad_value, naming `what`
// ("--top-k", "TULOU_THREADS", "/set seed"), the text, and what is expected.
int64_t integer_value(std::string_view what, std::string_view text, int64_t min, int64_t max);
// Whole numbers with commas between them, each within the range, at most `max_count` of them. Error
// cli.bad_value.
std::vector<int64_t> integer_list(std::string_view what, std::string_view text, int64_t min,
                                  int64_t max, size_t max_count);
uint64_t unsigned_value(std::string_view what, std::string_view text);
double number_value(std::string_view what, std::string_view text);

}  // namespace tulou::cli
