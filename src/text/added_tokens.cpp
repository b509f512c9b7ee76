#include "text/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace tulou::text {
namespace {

bool touches(std::span<const Stretch> data, size_t begin, size_t end) {
  const auto after = std::partition_point(data.begin(), data.end(),
                                          [&](const Stretch& s) { return s.end <= begin; });
  return after != data.end() && after->begin < end;
}

size_t total_bytes(std::span<const AddedToken> tokens) {
  size_t bytes = 0;
  for (const AddedToken& token : tokens) bytes += token.content.size();
  return bytes;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::span<const AddedToken> tokens, bool normalized)
    : children_(total_bytes(tokens)), token_at_(1, -1) {
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized) continue;
    uint32_t node = 0;
    for (const char c : token.content) {
      const auto byte = static_cast<uint8_t>(c);
      if (const uint32_t* child = children_.find(node, byte)) {
        node = *child;
        continue;
      }
      const auto fresh = static_cast<uint32_t>(token_at_.size());
      if (children_.insert(node, byte, fresh) != PairTable<uint32_t>::Insertion::kDone)
        throw base::Error("tokenizer.corrupt", token.content, "added tokens are made to collide");
      token_at_.push_back(-1);
      node = fresh;
    }
    token_at_[node] = static_cast<int32_t>(tokens_.size());
    is_first_byte_[static_cast<uint8_t>(token.content.front())] = true;
    tokens_.push_back(token);
  }
  if (std::count(is_first_byte_.begin(), is_first_byte_.end(), true) == 1)
    only_first_byte_ = tokens_.front().content.front();
}

size_t AddedTokenMatcher::next_begin(std::string_view text, size_t at) const {
  if (only_first_byte_) return std::min(text.find(*only_first_byte_, at), text.size());
  while (at < text.size() && !is_first_byte_[static_cast<uint8_t>(text[at])]) ++at;
  return at;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::find(std::string_view text, size_t from,
                                                                const SpecialRule& rule) const {
  if (tokens_.empty()) return std::nullopt;
  const size_t start = from;
  std::array<const AddedToken*, kMaxAddedTokenBytes> found;  // those that begin here, by length
  while ((from = next_begin(text, from)) < text.size()) {
    size_t num_found = 0;
    uint32_t node = 0;
    for (size_t at = from; at < text.size(); ++at) {
      const uint32_t* child = children_.find(node, static_cast<uint8_t>(text[at]));
      if (child == nullptr) break;
      node = *child;
      if (token_at_[node] >= 0) found[num_found++] = &tokens_[static_cast<size_t>(token_at_[node])];
    }
    size_t skipped = 1;
    while (num_found > 0) {
      const AddedToken& token = *found[--num_found];
      const size_t length = token.content.size();
      if (!token.special || (!rule.ignore_all && !touches(rule.data, from, from + length)))
        return strip(text, start, token, from);
      // An ignored token is stepped over whole, as Hugging Face does with encode_special_tokens.
      // One that touches data hides nothing: shorter ones and later begins still count.
      if (rule.ignore_all) {
        skipped = length;
        break;
      }
    }
    from += skipped;
  }
  return std::nullopt;
}

AddedTokenMatcher::Match AddedTokenMatcher::strip(std::string_view text, size_t from,
                                                  const AddedToken& token, size_t begin) const {
  size_t end = begin + token.content.size();
  if (token.lstrip) {
    while (begin > from) {
      size_t previous = begin - 1;
      while (previous > from && (static_cast<uint8_t>(text[previous]) & 0xC0) == 0x80) --previous;
      if (!is_white_space(base::decode_utf8(text, previous).code_point)) break;
      begin = previous;
    }
  }
  if (token.rstrip) {
    while (end < text.size()) {
      const base::Utf8Step step = base::decode_utf8(text, end);
      if (!is_white_space(step.code_point)) break;
      end += step.length;
    }
  }
  return {begin, end, token.id};
}

}  // namespace tulou::text
