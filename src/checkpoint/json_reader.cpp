#include "checkpoint/json_reader.h"

#include <algorithm>

#include "base/utf8.h"

namespace tulou::checkpoint {

std::string JsonReader::unescape(const char* at) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  std::string result;
  while (*at != '"') {
    if (*at != '\\') {
      result += *at++;
      continue;
    }
    const size_t letter = kLetters.find(at[1]);
    if (letter != std::string_view::npos) {
      result += kMeanings[letter];
      at += 2;
      continue;
    }
    if (at[1] != 'u') invalid("an unknown escape in a string");
    uint32_t code = hex4(at + 2);
    at += 6;
    if (code >= 0xd800 && code < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
      const uint32_t low = hex4(at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
    }
    if (code >= 0xd800 && code < 0xe000) invalid("half of a surrogate pair in a string");
    base::append_utf8(result, code);
  }
  return result;
}

uint32_t JsonReader::hex4(const char* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    // The padding after the text ends this loop at the latest: it holds no digits.
    const char c = at[i];
    const bool digit = c >= '0' && c <= '9', lower = c >= 'a' && c <= 'f';
    if (!digit && !lower && !(c >= 'A' && c <= 'F')) invalid("an escape \\u without four digits");
    value = value << 4 | static_cast<uint32_t>(digit   ? c - '0'
                                               : lower ? c - 'a' + 10
                                                       : c - 'A' + 10);
  }
  return value;
}

}  // namespace tulou::checkpoint
