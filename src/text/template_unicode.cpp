// Characters of UTF-8 text as Python sees them.
#include "text/template_unicode.h"

#include <cstring>

#include "base/utf8.h"
#include "text/unicode.h"

namespace tulou::text::jinja {

bool is_space(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_printable(uint32_t c) {
  if (c < 0x7f) return c >= ' ';
  constexpr uint16_t kVisible =
      tables::kLetter | tables::kMark | tables::kNumber | tables::kPunctuation | tables::kSymbol;
  return (class_of(c) & kVisible) != 0;
}

bool is_line_end(uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

uint32_t code_point_at(std::string_view text, size_t at, size_t& length) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    length = 1;
    return first;
  }
  const base::Utf8Step step = base::decode_utf8(text, at);
  length = step.valid ? step.length : 1;
  return step.code_point;
}

size_t previous_start(std::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && end - start < 4 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80)
    --start;
  size_t length = 0;
  code_point_at(text, start, length);
  return start + length == end ? start : end - 1;
}

size_t count_code_points(std::string_view text) {
  if (is_ascii(text)) return text.size();
  size_t count = 0;
  for (size_t at = 0, length = 0; at < text.size(); at += length, ++count)
    code_point_at(text, at, length);
  return count;
}

size_t offset_of(std::string_view text, size_t index) {
  size_t at = 0;
  for (size_t length = 0; index > 0 && at < text.size(); at += length, --index)
    code_point_at(text, at, length);
  return at;
}

bool is_ascii(std::string_view text) {
  size_t at = 0;
  uint64_t high = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    high |= eight;
  }
  for (; at < text.size(); ++at) high |= static_cast<unsigned char>(text[at]);
  return (high & 0x8080808080808080u) == 0;
}

}  // namespace tulou::text::jinja
