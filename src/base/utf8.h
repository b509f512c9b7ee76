// Strict UTF-8: one code point at a time, and the place of the first error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tulou::base {

struct Utf8Step {
  uint32_t code_point = 0;  // U+FFFD if not valid
  size_t length = 1;        // bytes consumed, at least 1; of an error: its maximal valid prefix
  bool valid = false;
};

// The code point that starts at text[at]; at < text.size(). Overlong forms, surrogates and values
// above U+10FFFF are errors. An error covers the "maximal subpart" (Unicode 15, section 3.9,
// table 3-8), so that replacing errors by U+FFFD gives what other programs give.
Utf8Step decode_utf8(std::string_view text, size_t at);

// Appends the code point; it must be a scalar value.
void append_utf8(std::string& out, uint32_t code_point);

// The offset of the first byte that is not valid UTF-8.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// The text with each error replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace tulou::base
