// The values of "format" that are honoured: for each a regular expression of texts that are valid
// in every reading of the standard (a part of all that the standard allows).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tulou::grammar {

// The regular expression of a format; nothing if it is not known.
std::optional<std::string_view> format_pattern(std::string_view format);

// The names, separated by ", ", for messages.
std::string format_names();

}  // namespace tulou::grammar
