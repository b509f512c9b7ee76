// Unicode properties, canonical normalization (NFC) and letter case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/unicode_tables.h"

namespace tulou::text {

// The class bits (tables::ClassBit) of any 32-bit value; 0 above U+10FFFF. Letters, marks and
// numbers are those of Unicode 16.0, the rest is 15.0.
inline uint16_t class_of(uint32_t code_point) {
  if (code_point > 0x10FFFF) return 0;
  const uint32_t block = tables::kClassBlocks[code_point / tables::kBlock];
  return tables::kClassValues[block * tables::kBlock + code_point % tables::kBlock];
}

inline bool is_letter(uint32_t c) { return (class_of(c) & tables::kLetter) != 0; }
inline bool is_mark(uint32_t c) { return (class_of(c) & tables::kMark) != 0; }
inline bool is_number(uint32_t c) { return (class_of(c) & tables::kNumber) != 0; }
inline bool is_white_space(uint32_t c) { return (class_of(c) & tables::kWhiteSpace) != 0; }
inline bool is_punctuation(uint32_t c) { return (class_of(c) & tables::kPunctuation) != 0; }
inline bool is_symbol(uint32_t c) { return (class_of(c) & tables::kSymbol) != 0; }

// Columns that a character takes in a terminal: 0, 1 or 2; 0 for control characters.
int column_width(uint32_t code_point);

// Which characters NFC knows. kUnicode9 leaves alone what was assigned later, as the normalizer of
// Hugging Face tokenizers does: a tokenizer needs its results, not the newest ones.
enum class NfcVersion { kUnicode15, kUnicode9 };

// The text in Normalization Form C: `text` itself if a quick check tells that it is that already,
// else a view of `storage`.
// Bytes that are not UTF-8 are kept as they are and separate what stands beside them.
std::string_view to_nfc(std::string_view text, std::string& storage,
                        NfcVersion version = NfcVersion::kUnicode15);

// Letter case as Python's str.lower, upper, title and capitalize: full mappings, final sigma.
// Bytes that are not UTF-8 are kept.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_title(std::string_view text);
std::string to_capitalized(std::string_view text);

}  // namespace tulou::text
