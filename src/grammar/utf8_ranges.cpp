#include "grammar/utf8_ranges.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"

namespace tulou::grammar {
namespace {

// Code points of equal length; those of three bytes without the surrogates (Unicode, table 3-7).
constexpr std::array<CodePoints, 5> kLengths = {
    {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}}};
constexpr std::array<int, 5> kBytes = {1, 2, 3, 3, 4};

// Cuts where a byte changes before the bytes behind it have gone through all of their values, so
// that each piece is a product of ranges.
void split(char32_t first, char32_t last, int length, std::vector<ByteSequence>& out) {
  for (int i = 1; i < length; ++i) {
    const char32_t below = (char32_t{1} << (6 * i)) - 1;  // the values of the last i bytes
    if ((first & ~below) == (last & ~below)) continue;
    if ((first & below) != 0) {
      split(first, first | below, length, out);
      split((first | below) + 1, last, length, out);
      return;
    }
    if ((last & below) != below) {
      split(first, (last & ~below) - 1, length, out);
      split(last & ~below, last, length, out);
      return;
    }
  }
  std::string low, high;
  base::append_utf8(low, first);
  base::append_utf8(high, last);
  ByteSequence sequence;
  sequence.length = length;
  for (size_t i = 0; i < static_cast<size_t>(length); ++i)
    sequence.bytes[i] = {static_cast<uint8_t>(low[i]), static_cast<uint8_t>(high[i])};
  out.push_back(sequence);
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(const std::vector<CodePoints>& ranges) {
  std::vector<ByteSequence> out;
  for (const CodePoints& range : ranges) {
    for (size_t i = 0; i < kLengths.size(); ++i) {
      const char32_t first = std::max(range.first, kLengths[i].first);
      const char32_t last = std::min(range.last, kLengths[i].last);
      if (first <= last) split(first, last, kBytes[i], out);
    }
  }
  return out;
}

}  // namespace tulou::grammar
