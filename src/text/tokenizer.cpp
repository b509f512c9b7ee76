#include "text/tokenizer.h"

#include <simdjson.h>

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace tulou::text {
namespace {

using base::Error;

[[noreturn]] void corrupt(const TokenizerData& data, const std::string& why) {
  throw Error("tokenizer.corrupt", data.name, why);
}

std::string shown(std::string_view text) { return "\"" + base::printable(text) + "\""; }

// `max_id`: ids of added tokens follow those of the vocabulary, or lie among them.
void check_added_token(const TokenizerData& data, const AddedToken& token, size_t max_id) {
  if (token.content.empty() || token.content.size() > kMaxAddedTokenBytes)
    corrupt(data, "added token " + base::to_text(token.id) + " has " +
                      base::to_text(token.content.size()) + " bytes, allowed are 1 to " +
                      base::to_text(kMaxAddedTokenBytes));
  if (token.id < 0 || static_cast<size_t>(token.id) > max_id)
    corrupt(data, "added token " + shown(token.content) + " has the id " + base::to_text(token.id) +
                      ", allowed are 0 to " + base::to_text(max_id));
  if (base::find_invalid_utf8(token.content))
    corrupt(data, "added token " + base::to_text(token.id) + " is not UTF-8");
  if (token.single_word)
    throw Error("tokenizer.unsupported", data.name,
                "added token " + shown(token.content) + " with single_word");
  // Whose data a character belongs to is not known after normalization.
  if (token.normalized && token.special && data.nfc)
    throw Error("tokenizer.unsupported", data.name,
                "special token " + shown(token.content) + " with normalized");
}

// Puts the added tokens' texts into the list of tokens.
void merge_added_tokens(TokenizerData& data) {
  if (data.added.size() > kMaxAddedTokens)
    corrupt(data, base::to_text(data.added.size()) + " added tokens, allowed are " +
                      base::to_text(kMaxAddedTokens));
  const size_t max_id = std::min(kMaxTokens, data.tokens.size() + kMaxAddedTokens) - 1;
  std::unordered_set<int32_t> ids;
  for (const AddedToken& token : data.added) {
    check_added_token(data, token, max_id);
    if (!ids.insert(token.id).second)
      corrupt(data, "two added tokens have the id " + base::to_text(token.id));
    const auto id = static_cast<size_t>(token.id);
    if (id < data.tokens.size() && !data.tokens[id].empty()) {
      if (data.tokens[id] != token.content)
        corrupt(data, "token " + base::to_text(id) + " is " + shown(data.tokens[id]) +
                          " in the vocabulary and " + shown(token.content) + " as added token");
    } else {
      data.tokens.set(id, token.content);
    }
  }
}

TokenizerData checked(TokenizerData data) {
  if (data.tokens.size() > kMaxTokens || data.merges.size() > kMaxTokens)
    corrupt(data, base::to_text(std::max(data.tokens.size(), data.merges.size())) +
                      " tokens or merges, allowed are " + base::to_text(kMaxTokens));
  merge_added_tokens(data);
  for (size_t id = 0; id < data.tokens.size(); ++id)
    if (data.tokens[id].size() > kMaxTokenBytes)
      corrupt(data, "token " + base::to_text(id) + " has " + base::to_text(data.tokens[id].size()) +
                        " bytes, allowed are " + base::to_text(kMaxTokenBytes));
  const auto check_id = [&](int32_t id, const char* what) {
    if (id < 0 || static_cast<size_t>(id) >= data.tokens.size())
      corrupt(data, std::string(what) + " is token " + base::to_text(id) + ", which is not there");
  };
  if (data.bos) check_id(*data.bos, "bos");
  if (data.eos) check_id(*data.eos, "eos");
  if (data.pad) check_id(*data.pad, "pad");
  if (data.prepended.size() + data.appended.size() > kMaxEndTokens)
    corrupt(data, "the post-processor adds more than " + base::to_text(kMaxEndTokens) + " tokens");
  for (const int32_t id : data.prepended) check_id(id, "the first token added");
  for (const int32_t id : data.appended) check_id(id, "the last token added");
  return data;
}

}  // namespace

struct Tokenizer::Tables {
  explicit Tables(TokenizerData given);

  void encode_text(std::string_view text, const SpecialRule& rule, std::vector<int32_t>& ids) const;
  void encode_between(std::string_view text, const SpecialRule& rule,
                      std::vector<int32_t>& ids) const;
  void encode_plain(std::string_view text, std::vector<int32_t>& ids) const;

  TokenizerData data;
  Vocabulary vocabulary;
  Bpe bpe;
  AddedTokenMatcher raw_added, normalized_added;
  std::string bytes;             // of all tokens, one after the other
  std::vector<uint32_t> begins;  // id -> begin in bytes; one more at the end
  std::vector<bool> special;     // id -> whether it is special
};

Tokenizer::Tables::Tables(TokenizerData given)
    : data(checked(std::move(given))),
      vocabulary(data.tokens, data.name),
      bpe(vocabulary, data.merges, data.name),
      raw_added(data.added, false),
      normalized_added(data.added, true),
      special(data.tokens.size(), false) {
  data.merges = {};  // their table replaces them
  begins.reserve(data.tokens.size() + 1);
  begins.push_back(0);
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    append_token_bytes(bytes, data.tokens[id]);
    begins.push_back(static_cast<uint32_t>(bytes.size()));
  }
  for (const AddedToken& token : data.added)
    if (token.special) special[static_cast<size_t>(token.id)] = true;
  for (uint32_t byte = 0; byte < 256 && data.has_unknown_token; ++byte)
    if (bpe.byte_id(static_cast<uint8_t>(byte)) < 0)
      throw Error(
          "tokenizer.unsupported", data.name,
          "an unknown token together with a vocabulary that lacks the byte " + base::to_text(byte));
}

// Tokens that are looked for in the text as it is; what lies between them is normalized.
void Tokenizer::Tables::encode_text(std::string_view text, const SpecialRule& rule,
                                    std::vector<int32_t>& ids) const {
  size_t at = 0;
  const auto encode_to = [&](size_t end) {
    if (end == at) return;
    // The places of data, seen from the stretch.
    std::vector<Stretch> data_inside;
    if (!normalized_added.empty()) {
      auto s = std::partition_point(rule.data.begin(), rule.data.end(),
                                    [&](const Stretch& other) { return other.end <= at; });
      for (; s != rule.data.end() && s->begin < end; ++s)
        data_inside.push_back({std::max(s->begin, at) - at, std::min(s->end, end) - at});
    }
    encode_between(text.substr(at, end - at), {rule.ignore_all, data_inside}, ids);
  };
  while (const auto match = raw_added.find(text, at, rule)) {
    encode_to(match->begin);
    ids.push_back(match->id);
    at = match->end;
  }
  encode_to(text.size());
}

void Tokenizer::Tables::encode_between(std::string_view text, const SpecialRule& rule,
                                       std::vector<int32_t>& ids) const {
  std::string storage;
  if (data.nfc) text = to_nfc(text, storage, NfcVersion::kUnicode9);
  size_t at = 0;
  // With nfc no special token is normalized (checked), so that the rule's places do not matter.
  while (const auto match = normalized_added.find(text, at, rule)) {
    encode_plain(text.substr(at, match->begin - at), ids);
    ids.push_back(match->id);
    at = match->end;
  }
  encode_plain(text.substr(at), ids);
}

void Tokenizer::Tables::encode_plain(std::string_view text, std::vector<int32_t>& ids) const {
  PreTokenScanner scanner(data.pre_tokenizer, text);
  for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next()) bpe.encode(piece, ids);
}

Tokenizer::Tokenizer(TokenizerData data) : tables_(std::make_unique<Tables>(std::move(data))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

namespace {

void check_text(std::string_view text) {
  if (text.size() > kMaxTextBytes) throw Error("text.too_long", text.size(), kMaxTextBytes);
  if (simdjson::validate_utf8(text.data(), text.size())) return;
  throw Error("text.invalid_utf8", base::find_invalid_utf8(text).value_or(0));
}

}  // namespace

std::vector<int32_t> Tokenizer::encode(std::string_view utf8, Special rule) const {
  check_text(utf8);
  std::vector<int32_t> ids;
  ids.reserve(utf8.size() / 4 + 8);
  tables_->encode_text(utf8, {rule == Special::kText, {}}, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::encode(std::span<const Segment> segments) const {
  std::string text;
  std::vector<Stretch> data;
  for (const Segment& segment : segments) {
    const size_t begin = text.size();
    text += segment.text;
    if (!segment.from_data || segment.text.empty()) continue;
    if (!data.empty() && data.back().end == begin) {
      data.back().end = text.size();
    } else {
      data.push_back({begin, text.size()});
    }
  }
  check_text(text);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 8);
  tables_->encode_text(text, {false, data}, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::with_ends(std::vector<int32_t> ids) const {
  const TokenizerData& data = tables_->data;
  std::vector<int32_t> before = data.prepended, after = data.appended;
  if (before.empty() && data.add_bos && data.bos) before.push_back(*data.bos);
  if (after.empty() && data.add_eos && data.eos) after.push_back(*data.eos);
  ids.insert(ids.begin(), before.begin(), before.end());
  ids.insert(ids.end(), after.begin(), after.end());
  return ids;
}

int32_t Tokenizer::num_tokens() const { return static_cast<int32_t>(tables_->data.tokens.size()); }

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= num_tokens()) return {};
  const auto index = static_cast<size_t>(id);
  const uint32_t begin = tables_->begins[index];
  return std::string_view(tables_->bytes).substr(begin, tables_->begins[index + 1] - begin);
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < num_tokens() && tables_->special[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::find(std::string_view content) const {
  const int32_t id = tables_->vocabulary.find(content);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, ShowSpecial show) const {
  std::string bytes;
  for (const int32_t id : ids)
    if (show == ShowSpecial::kShow || !is_special(id)) bytes += token_bytes(id);
  if (simdjson::validate_utf8(bytes.data(), bytes.size())) return bytes;
  return base::replace_invalid_utf8(bytes);
}

const std::vector<AddedToken>& Tokenizer::added_tokens() const { return tables_->data.added; }
std::optional<int32_t> Tokenizer::bos() const { return tables_->data.bos; }
std::optional<int32_t> Tokenizer::eos() const { return tables_->data.eos; }
std::optional<int32_t> Tokenizer::pad() const { return tables_->data.pad; }
PreTokenizer Tokenizer::pre_tokenizer() const { return tables_->data.pre_tokenizer; }
bool Tokenizer::nfc() const { return tables_->data.nfc; }
const std::string& Tokenizer::name() const { return tables_->data.name; }

}  // namespace tulou::text
