#include "text/unicode.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace tulou::text {
namespace {

using base::decode_utf8;
using base::Utf8Step;

// Hangul syllables are composed by arithmetic (Unicode 15, section 3.12).
constexpr uint32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

const tables::NormalRecord& normal_of(uint32_t c) {
  const uint32_t block = tables::kNormalBlocks[c / tables::kBlock];
  return tables::kNormalRecords[tables::kNormalValues[block * tables::kBlock + c % tables::kBlock]];
}

std::optional<uint32_t> compose(uint32_t first, uint32_t second) {
  if (first - kLBase < kLCount && second - kVBase < kVCount)
    return kSBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
  if (first - kSBase < kSCount && (first - kSBase) % kTCount == 0 && second > kTBase &&
      second < kTBase + kTCount)
    return first + (second - kTBase);
  constexpr size_t kSlots = std::size(tables::kCompositions);
  size_t at = (first * 0x9E3779B1u + second * 0x85EBCA6Bu) >> 21;
  for (; tables::kCompositions[at].first != 0; at = (at + 1) % kSlots) {
    const tables::Composition& entry = tables::kCompositions[at];
    if (entry.first == first && entry.second == second) return entry.composite;
  }
  return std::nullopt;
}

// Normalizes one stretch of text at a time: from a character that begins anew to the next such.
class Normalizer {
 public:
  explicit Normalizer(NfcVersion version) : version_(version) {}

  // True if the character may change, or may change with what stands before it.
  bool is_unsafe(uint32_t c) const { return (bits(c) & tables::kNfcUnsafe) != 0; }

  // True if the character allows the text to be NFC as it stands, in this place.
  bool quick_check(uint32_t c, uint8_t& last_class) const {
    const uint16_t b = bits(c);
    if ((b & tables::kNfcUnsafe) == 0) {
      last_class = 0;
      return true;
    }
    if ((b & tables::kNfcNotYes) != 0) return false;
    const uint8_t combining = normal_of(c).combining_class;
    const bool ordered = last_class <= combining;
    last_class = combining;
    return ordered;
  }

  void add(uint32_t c) {
    if ((class_of(c) & tables::kAfterUnicode9) != 0 && version_ == NfcVersion::kUnicode9)
      return characters_.push_back({c, 0});
    if (c - kSBase < kSCount) {
      const uint32_t index = c - kSBase;
      characters_.push_back({kLBase + index / (kVCount * kTCount), 0});
      characters_.push_back({kVBase + index % (kVCount * kTCount) / kTCount, 0});
      if (index % kTCount != 0) characters_.push_back({kTBase + index % kTCount, 0});
      return;
    }
    const tables::NormalRecord& record = normal_of(c);
    if (record.length == 0) characters_.push_back({c, record.combining_class});
    for (uint32_t i = 0; i < record.length; ++i) {
      const uint32_t part = tables::kDecompositions[record.offset + i];
      characters_.push_back({part, normal_of(part).combining_class});
    }
  }

  // Writes the normalized stretch and forgets it.
  void flush(std::string& out) {
    reorder();
    compose_all();
    for (const Character& character : characters_) base::append_utf8(out, character.code_point);
    characters_.clear();
  }

 private:
  struct Character {
    uint32_t code_point;
    uint8_t combining_class;
  };

  uint16_t bits(uint32_t c) const {
    const uint16_t b = class_of(c);
    const bool unknown = (b & tables::kAfterUnicode9) != 0 && version_ == NfcVersion::kUnicode9;
    return unknown ? 0 : b;
  }

  void reorder() {
    for (auto it = characters_.begin(); it != characters_.end();) {
      const auto is_starter = [](const Character& c) { return c.combining_class == 0; };
      it = std::find_if_not(it, characters_.end(), is_starter);
      const auto end = std::find_if(it, characters_.end(), is_starter);
      if (end - it > 1) sort_by_class({it, end});
      it = end;
    }
  }

  // A stable counting sort: a run of marks may be as long as the text.
  void sort_by_class(std::span<Character> run) {
    size_t begins[256] = {};
    for (const Character& character : run) ++begins[character.combining_class];
    size_t sum = 0;
    for (size_t& begin : begins) sum += std::exchange(begin, sum);
    sorted_.resize(run.size());
    for (const Character& character : run) sorted_[begins[character.combining_class]++] = character;
    std::copy(sorted_.begin(), sorted_.end(), run.begin());
  }

  void compose_all() {
    size_t written = 0;
    std::optional<size_t> starter;
    int last_class = -1;  // class of the last kept character after the starter; -1: none
    for (const Character character : characters_) {
      if (starter && last_class < static_cast<int>(character.combining_class)) {
        const auto composite = compose(characters_[*starter].code_point, character.code_point);
        const bool new_one = composite && (class_of(*composite) & tables::kAfterUnicode9) != 0 &&
                             version_ == NfcVersion::kUnicode9;
        if (composite && !new_one) {
          characters_[*starter].code_point = *composite;
          continue;
        }
      }
      if (character.combining_class == 0) {
        starter = written;
        last_class = -1;
      } else {
        last_class = character.combining_class;
      }
      characters_[written++] = character;
    }
    characters_.resize(written);
  }

  NfcVersion version_;
  std::vector<Character> characters_, sorted_;
};

size_t skip_ascii(std::string_view text, size_t at) {
  while (at < text.size() && static_cast<uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

// Where the last character before the first doubtful one begins; text.size() if there is no doubt.
size_t find_doubt(std::string_view text, const Normalizer& normalizer) {
  size_t safe = 0;  // begin of the last character that begins anew
  uint8_t last_class = 0;
  for (size_t at = skip_ascii(text, 0); at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      at = skip_ascii(text, at);
      safe = at - 1;
      last_class = 0;
      continue;
    }
    if (at > safe && static_cast<uint8_t>(text[at - 1]) < 0x80) safe = at - 1;
    const Utf8Step step = decode_utf8(text, at);
    if (!step.valid) {
      last_class = 0;
      safe = at + step.length;
    } else {
      if (!normalizer.quick_check(step.code_point, last_class)) return safe;
      if (!normalizer.is_unsafe(step.code_point)) safe = at;
    }
    at += step.length;
  }
  return text.size();
}

}  // namespace

int column_width(uint32_t code_point) {
  if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) return 0;
  const uint16_t bits = class_of(code_point);
  if ((bits & tables::kZeroWidth) != 0) return 0;
  // The vowels and finals of decomposed Hangul join the syllable before them.
  if (code_point >= 0x1160 && code_point <= 0x11FF) return 0;
  return (bits & tables::kWide) != 0 ? 2 : 1;
}

std::string_view to_nfc(std::string_view text, std::string& storage, NfcVersion version) {
  Normalizer normalizer(version);
  const size_t doubt = find_doubt(text, normalizer);
  if (doubt == text.size()) return text;
  storage.assign(text.substr(0, doubt));
  storage.reserve(text.size());
  for (size_t at = doubt; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.valid) {
      normalizer.flush(storage);
      storage += text.substr(at, step.length);
    } else {
      if (!normalizer.is_unsafe(step.code_point)) normalizer.flush(storage);
      normalizer.add(step.code_point);
    }
    at += step.length;
  }
  normalizer.flush(storage);
  return storage;
}

}  // namespace tulou::text
