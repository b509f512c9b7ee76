// The methods of strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/template_machine.h"

namespace tulou::text::jinja {

std::optional<uint32_t> find_string_method(std::string_view name);
Value call_string_method(Machine& m, uint32_t method, const Value& self, const CallArgs& args);

// What a character is to Python's str.isalpha and its like. Characters whose class is not known
// here are refused.
enum class Character : uint8_t { kAlpha, kDigit, kDecimal, kNumeric, kAlnum, kSpace, kPrintable };
bool all_characters(Machine& m, const Value& text, Character wanted);
// str.isupper (or islower): at least one cased character, and all of them so.
bool has_case(Machine& m, const Value& text, bool upper);

}  // namespace tulou::text::jinja
