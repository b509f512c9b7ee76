// Classes of characters as ranges of the bytes that write them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/rules.h"

namespace tulou::grammar {

struct ByteRange {
  uint8_t first, last;
  bool operator==(const ByteRange&) const = default;
};

// One to four bytes after each other, any of its range each.
struct ByteSequence {
  int length = 0;
  std::array<ByteRange, 4> bytes{};
};

// The UTF-8 texts of the code points, each in exactly one of the sequences. Surrogates, which UTF-8
// does not write, are left out. The ranges must not overlap.
std::vector<ByteSequence> utf8_sequences(const std::vector<CodePoints>& ranges);

}  // namespace tulou::grammar
