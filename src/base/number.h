// Numbers to text and back, independent of the locale, and text made safe to show.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tulou::base {

// The shortest decimal text that reads back as the same number; "nan", "inf".
std::string to_text(double value);
std::string to_text(float value);
template <std::integral T>
std::string to_text(T value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else {
    return std::to_string(value);
  }
}
inline std::string to_text(std::string_view text) { return std::string(text); }
inline std::string to_text(const std::string& text) { return text; }
inline std::string to_text(const char* text) { return text; }

// Fixed notation with `digits` after the point, e.g. fixed(3.14159, 2) == "3.14".
std::string fixed(double value, int digits);

// "1.5 GiB", "640 KiB", "12 bytes": for people.
std::string human_bytes(uint64_t bytes);

// Parses the whole text as a number; nothing else may stand around it.
std::optional<int64_t> parse_int(std::string_view text);
std::optional<uint64_t> parse_uint(std::string_view text);
std::optional<double> parse_double(std::string_view text);

// The text with control characters (C0 but newline and tab if `keep_layout`, DEL, C1, and the
// Unicode bidirectional overrides) shown as \n, \x1b, \u009b, and invalid UTF-8 bytes as \xNN,
// so that a file or a model cannot drive the terminal.
enum class Layout { kEscape, kKeep };
std::string printable(std::string_view text, Layout layout = Layout::kEscape);

}  // namespace tulou::base
