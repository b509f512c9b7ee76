// The byte-level alphabet of GPT-2: each byte is written as one printable character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tulou::text {

// The character that stands for a byte, as UTF-8 (one or two bytes).
std::string_view byte_level_character(uint8_t byte);

// Appends the bytes that a token's text stands for. If one of its characters is not in the
// alphabet, the text stands for itself (added tokens with a space or other scripts).
void append_token_bytes(std::string& out, std::string_view token_text);

}  // namespace tulou::text
