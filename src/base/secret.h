// What secrets need: bytes that nobody can guess, comparison in constant time, hexadecimal text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::base {

// Fills `bytes` from the kernel's generator (getrandom). Error random.unavailable.
void random_bytes(std::span<uint8_t> bytes);

// Two lower-case digits a byte.
std::string hex_text(std::span<const uint8_t> bytes);
// The bytes of hexadecimal text (lower case), or nothing if it is not that.
std::optional<std::vector<uint8_t>> parse_hex(std::string_view text);

// Whether all bytes are equal; the time depends on the sizes alone.
bool equal_in_constant_time(std::span<const uint8_t> a, std::span<const uint8_t> b);

}  // namespace tulou::base
