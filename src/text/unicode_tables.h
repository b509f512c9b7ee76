// Layout of the generated Unicode tables (unicode_tables.cpp). Only unicode*.{h,cpp} use them.
//
// A property of code point c is XValues[XBlocks[c / 128] * 128 + c % 128].
#pragma once

#include <cstdint>

namespace tulou::text::tables {

// Bits of kClassValues.
enum ClassBit : uint16_t {
  kLetter = 1,
  kMark = 2,
  kNumber = 4,
  kWhiteSpace = 8,
  kPunctuation = 16,
  kSymbol = 32,
  kWide = 64,             // East Asian width W or F
  kZeroWidth = 128,       // Mn, Me, Cf but the soft hyphen
  kNfcUnsafe = 256,       // combining class not 0, or NFC_Quick_Check not Yes
  kNfcNotYes = 512,       // NFC_Quick_Check No or Maybe
  kAfterUnicode9 = 1024,  // assigned after Unicode 9.0
  kCased = 2048,
  kCaseIgnorable = 4096,
  kSplitDigit = 8192,  // numbers of Unicode 17.0
};

// Values of kNormalValues index these: the canonical combining class, and the full canonical
// decomposition (kDecompositions[offset .. offset + length)); length 0: none. Hangul is computed.
struct NormalRecord {
  uint8_t combining_class;
  uint8_t length;
  uint16_t offset;
};

// A slot of the hash table of primary composites; first == 0: empty.
struct Composition {
  uint32_t first, second, composite;
};

// Values of kCaseValues index these: what to add to a code point for its simple mapping, and if not
// 0, one plus the index of its entry in kSpecialCases, which comes first.
struct CaseRecord {
  int32_t lower, upper, title;
  uint16_t special;
};

// Full mappings, padded with 0.
struct SpecialCase {
  uint32_t lower[3], upper[3], title[3];
};

inline constexpr uint32_t kBlock = 128;

extern const uint16_t kClassBlocks[8704];
extern const uint16_t kClassValues[35072];
extern const uint16_t kNormalBlocks[8704];
extern const uint16_t kNormalValues[15744];
extern const NormalRecord kNormalRecords[2117];
extern const uint32_t kDecompositions[3406];
extern const Composition kCompositions[2048];
extern const uint16_t kCaseBlocks[8704];
extern const uint16_t kCaseValues[5632];
extern const CaseRecord kCaseRecords[279];
extern const SpecialCase kSpecialCases[103];

}  // namespace tulou::text::tables
