// Python's notion of characters and cases, over UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tulou::text::jinja {

// str.isspace() of one code point.
bool is_space(uint32_t code_point);
// str.isprintable() of one code point.
bool is_printable(uint32_t code_point);
// Ends a line for str.splitlines().
bool is_line_end(uint32_t code_point);

// The code point that starts at text[at] of valid UTF-8 and its length; invalid bytes count as one
// code point each.
uint32_t code_point_at(std::string_view text, size_t at, size_t& length);
// The start of the code point that ends before `end`.
size_t previous_start(std::string_view text, size_t end);
// Number of code points.
size_t count_code_points(std::string_view text);
// The byte offset of the code point number `index`, or text.size().
size_t offset_of(std::string_view text, size_t index);
bool is_ascii(std::string_view text);

}  // namespace tulou::text::jinja
