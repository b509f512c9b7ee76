// Names from files, cut short for messages.
#pragma once

#include <string>
#include <string_view>

namespace tulou::checkpoint {

// The text, or its first `max_bytes` bytes (a whole number of UTF-8 characters) and "...".
inline std::string shown(std::string_view text, size_t max_bytes = 200) {
  if (text.size() <= max_bytes) return std::string(text);
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xc0) == 0x80) --max_bytes;
  return std::string(text.substr(0, max_bytes)) + "...";
}

}  // namespace tulou::checkpoint
