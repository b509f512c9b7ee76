// Letter case: full mappings, with the one rule that depends on context (final sigma).
#include "base/utf8.h"
#include "text/unicode.h"

namespace tulou::text {
namespace {

enum class Case { kLower, kUpper, kTitle };

void append_case(std::string& out, uint32_t c, Case wanted) {
  const uint32_t block = tables::kCaseBlocks[c / tables::kBlock];
  const tables::CaseRecord& record =
      tables::kCaseRecords[tables::kCaseValues[block * tables::kBlock + c % tables::kBlock]];
  if (record.special != 0) {
    const tables::SpecialCase& special = tables::kSpecialCases[record.special - 1];
    const auto& parts = wanted == Case::kLower   ? special.lower
                        : wanted == Case::kUpper ? special.upper
                                                 : special.title;
    for (const uint32_t part : parts)
      if (part != 0) base::append_utf8(out, part);
    return;
  }
  const int32_t delta = wanted == Case::kLower   ? record.lower
                        : wanted == Case::kUpper ? record.upper
                                                 : record.title;
  base::append_utf8(out, static_cast<uint32_t>(static_cast<int32_t>(c) + delta));
}

// True if the next character from `at` that is not ignorable in case is cased.
bool cased_follows(std::string_view text, size_t at) {
  while (at < text.size()) {
    const base::Utf8Step step = base::decode_utf8(text, at);
    const uint16_t bits = step.valid ? class_of(step.code_point) : 0;
    if ((bits & tables::kCaseIgnorable) == 0) return (bits & tables::kCased) != 0;
    at += step.length;
  }
  return false;
}

// Calls `choose(previous_is_cased, is_first)` for the case of each character.
template <typename Choose>
std::string map_case(std::string_view text, Choose choose) {
  constexpr uint32_t kCapitalSigma = 0x3A3, kFinalSigma = 0x3C2;
  std::string out;
  out.reserve(text.size());
  bool previous_is_cased = false;  // the character before
  bool word_has_cased = false;     // the last one before that is not ignorable in case
  for (size_t at = 0; at < text.size();) {
    const base::Utf8Step step = base::decode_utf8(text, at);
    if (!step.valid) {
      out += text.substr(at, step.length);
      previous_is_cased = word_has_cased = false;
      at += step.length;
      continue;
    }
    const Case wanted = choose(previous_is_cased, at == 0);
    if (step.code_point == kCapitalSigma && wanted == Case::kLower && word_has_cased &&
        !cased_follows(text, at + step.length)) {
      base::append_utf8(out, kFinalSigma);
    } else {
      append_case(out, step.code_point, wanted);
    }
    const uint16_t bits = class_of(step.code_point);
    previous_is_cased = (bits & tables::kCased) != 0;
    if ((bits & tables::kCaseIgnorable) == 0) word_has_cased = previous_is_cased;
    at += step.length;
  }
  return out;
}

}  // namespace

std::string to_lower(std::string_view text) {
  return map_case(text, [](bool, bool) { return Case::kLower; });
}

std::string to_upper(std::string_view text) {
  return map_case(text, [](bool, bool) { return Case::kUpper; });
}

std::string to_title(std::string_view text) {
  return map_case(text,
                  [](bool after_cased, bool) { return after_cased ? Case::kLower : Case::kTitle; });
}

std::string to_capitalized(std::string_view text) {
  return map_case(text, [](bool, bool is_first) { return is_first ? Case::kTitle : Case::kLower; });
}

}  // namespace tulou::text
