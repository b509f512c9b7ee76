// Text to ids and back, for each pre-tokenizer, on a small vocabulary with all 256 bytes.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

using namespace tulou;
using text::Tokenizer;

namespace {

constexpr int32_t kStart = 500, kEnd = 501;

Tokenizer make(text::PreTokenizer kind) {
  text::TokenizerData data;
  data.name = "fuzz";
  data.pre_tokenizer = kind;
  data.nfc = text::uses_nfc(kind);
  for (uint32_t byte = 0; byte < 256; ++byte)
    data.tokens.set(byte, text::byte_level_character(static_cast<uint8_t>(byte)));
  for (const char* merge : {"a b", "i n", "t h", "th e", "h e", "a a", "aa aa", "in t", "e r",
                            "o n", "\xC4\xA0 t", "\xC4\xA0t he", "\xC4\xA0 \xC4\xA0",
                            "\xC4\x8A \xC4\x8A", "\xC3\x83 \xC2\xA9", "\xC3\x99 \xC4\xA8"}) {
    std::string joined = merge;
    data.merges.push_back(joined);
    joined.erase(joined.find(' '), 1);
    data.tokens.push_back(joined);
  }
  data.added = {{"<|start|>", kStart, true}, {"<|end|>", kEnd, true}, {"<think>", 502, false}};
  return Tokenizer(std::move(data));
}

std::string nfc(const Tokenizer& tokenizer, std::string_view text) {
  std::string storage;
  if (!tokenizer.nfc()) return std::string(text);
  return std::string(text::to_nfc(text, storage, text::NfcVersion::kUnicode9));
}

void check(bool condition) { ASSERT(condition); }

void check_stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  text::Detokenizer stream(tokenizer, text::ShowSpecial::kShow);
  std::string all;
  for (const int32_t id : ids) {
    const std::string piece = stream.push(id);
    check(!base::find_invalid_utf8(piece));
    all += piece;
  }
  check(all + stream.finish() == tokenizer.decode(ids, text::ShowSpecial::kShow));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using enum text::PreTokenizer;
  static const Tokenizer tokenizers[] = {make(kGpt2), make(kSmolLM), make(kQwen2), make(kQwen35)};
  // Longer texts show nothing new: not taken into the corpus.
  if (size < 2 || size > 512) return -1;
  const Tokenizer& tokenizer = tokenizers[data[0] % 4];
  const size_t cut = data[1];
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);

  // Any bytes are ids, and a stream of them is text.
  check_stream(tokenizer, std::vector<int32_t>(data, data + size));
  const auto invalid = base::find_invalid_utf8(text);
  try {
    const auto ids = tokenizer.encode(text, Tokenizer::Special::kParse);
    check(!invalid);
    const std::string back = tokenizer.decode(ids, text::ShowSpecial::kShow);
    // An added token keeps its neighbours from being normalized with it.
    check(nfc(tokenizer, back) == nfc(tokenizer, text));
    check_stream(tokenizer, ids);
  } catch (const base::Error& error) {
    check(invalid && error.arguments().front() == std::to_string(*invalid));
    return 0;
  }
  // Data between two tokens of a template: exactly those two are special.
  const size_t middle = std::min(cut, text.size());
  const std::vector<text::Segment> segments = {{"<|start|>", false},
                                               {std::string(text.substr(0, middle)), true},
                                               {std::string(text.substr(middle)), true},
                                               {"<|end|>", false}};
  const auto ids = tokenizer.encode(segments);
  size_t num_special = 0;
  for (const int32_t id : ids) num_special += tokenizer.is_special(id);
  check(num_special == 2 && ids.front() == kStart && ids.back() == kEnd);
  return 0;
}
