#include "text/byte_level.h"

#include <array>
#include <utility>

#include "base/utf8.h"

namespace tulou::text {
namespace {

// Printable bytes of Latin-1 stand for themselves, the other 68 for U+0100 and up, in order.
constexpr bool is_printable(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

struct Alphabet {
  std::array<std::string, 256> text;     // of a byte
  std::array<int16_t, 0x144> byte_of{};  // of a code point; -1: none

  Alphabet() {
    byte_of.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t code_point = is_printable(byte) ? byte : next++;
      base::append_utf8(text[byte], code_point);
      byte_of[code_point] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view byte_level_character(uint8_t byte) { return alphabet().text[byte]; }

void append_token_bytes(std::string& out, std::string_view token_text) {
  const Alphabet& table = alphabet();
  const size_t start = out.size();
  for (size_t at = 0; at < token_text.size();) {
    // The alphabet ends at U+0143, so a character of two bytes is enough.
    const auto first = static_cast<uint8_t>(token_text[at]);
    uint32_t code_point = first;
    size_t length = 1;
    if (first >= 0x80) {
      const base::Utf8Step step = base::decode_utf8(token_text, at);
      code_point = step.valid ? step.code_point : UINT32_MAX;
      length = step.length;
    }
    const int byte = code_point < table.byte_of.size() ? table.byte_of[code_point] : -1;
    if (byte < 0) {
      out.resize(start);
      out += token_text;
      return;
    }
    out += static_cast<char>(static_cast<uint8_t>(byte));
    at += length;
  }
}

}  // namespace tulou::text
