#include "grammar/token_trie.h"

#include <algorithm>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "grammar/token_mask.h"

namespace tulou::grammar {
namespace {

bool is_letter_or_so(unsigned char c) {
  return c >= 0x80 || c == ' ' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
         (c >= 'a' && c <= 'z');
}

bool is_unescaped(unsigned char c) { return c >= 0x20 && c != '"' && c != '\\'; }

// The first class that has all characters of the token; kTokenClasses if none has.
size_t class_of(std::string_view token) {
  if (base::find_invalid_utf8(token)) return kTokenClasses;
  if (std::all_of(token.begin(), token.end(), is_letter_or_so)) return 0;
  return std::all_of(token.begin(), token.end(), is_unescaped) ? 1 : kTokenClasses;
}

bool begins_character(uint8_t byte) { return (byte & 0xC0) != 0x80; }

}  // namespace

const std::vector<CodePoints>& token_class(size_t number) {
  static const std::array<std::vector<CodePoints>, kTokenClasses> classes = {
      subtract(all_code_points(), {{0, 0x1F}, {'!', '/'}, {':', '@'}, {'[', '`'}, {'{', 0x7F}}),
      subtract(all_code_points(), {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}})};
  return classes[number];
}

TokenTrie::TokenTrie(std::span<const std::pair<std::string_view, int32_t>> sorted) {
  nodes_.clear();
  std::vector<size_t> path;  // the nodes above, by depth
  std::vector<uint8_t> characters;
  std::string_view before;
  const auto close = [&](size_t depth) {  // nodes deeper than that are complete
    for (; path.size() > depth; path.pop_back()) {
      Node& node = nodes_[path.back()];
      node.skip = static_cast<uint32_t>(nodes_.size() - path.back());
      if (path.size() < 2) continue;
      Node& above = nodes_[path[path.size() - 2]];
      above.most = std::max(above.most, node.most);
    }
  };
  for (const auto& [bytes, id] : sorted) {
    const auto shared = static_cast<size_t>(
        std::mismatch(bytes.begin(), bytes.end(), before.begin(), before.end()).first -
        bytes.begin());
    close(shared);
    for (size_t i = shared; i < bytes.size(); ++i) {
      const int above = path.empty() ? 0 : nodes_[path.back()].characters;
      path.push_back(nodes_.size());
      Node& node = nodes_.emplace_back();
      node.first_token = static_cast<uint32_t>(tokens_.size());
      node.depth = static_cast<uint16_t>(i + 1);
      node.byte = static_cast<uint8_t>(bytes[i]);
      node.characters = static_cast<uint8_t>(
          std::min<int>(above + (begins_character(node.byte) ? 1 : 0), UINT8_MAX));
    }
    Node& last = nodes_.back();
    last.is_token = true;
    last.most = last.characters;
    tokens_.push_back(id);
    characters.push_back(last.characters);
    max_depth_ = std::max(max_depth_, static_cast<uint16_t>(bytes.size()));
    before = bytes;
  }
  close(0);
  nodes_.emplace_back().first_token = static_cast<uint32_t>(tokens_.size());
  add_masks(characters);
}

void TokenTrie::add_masks(std::span<const uint8_t> characters) {
  const int32_t last = tokens_.empty() ? 0 : *std::max_element(tokens_.begin(), tokens_.end());
  for (size_t i = 0; i < masks_.size(); ++i) {
    masks_[i].assign(static_cast<size_t>(last) / 32 + 1, 0);
    for (size_t t = 0; t < tokens_.size(); ++t) {
      if (characters[t] <= kMaskCharacters[i]) allow(masks_[i], tokens_[t]);
    }
  }
}

uint32_t TokenTrie::mask_characters(uint32_t most) const {
  uint32_t result = 0;
  for (const uint32_t characters : kMaskCharacters) {
    if (characters <= most) result = characters;
  }
  return result;
}

void TokenTrie::set_up_to(uint32_t mask_characters, std::span<uint32_t> mask) const {
  for (size_t i = 0; i < masks_.size(); ++i) {
    if (kMaskCharacters[i] != mask_characters) continue;
    for (size_t word = 0; word < masks_[i].size(); ++word) mask[word] |= masks_[i][word];
  }
}

TokenTries::TokenTries(const std::vector<std::string>& tokens) {
  std::array<std::vector<std::pair<std::string_view, int32_t>>, kTokenClasses + 1> parts;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    ASSERT(tokens[id].size() < UINT16_MAX);
    longest_ = std::max(longest_, tokens[id].size());
    parts[class_of(tokens[id])].emplace_back(tokens[id], static_cast<int32_t>(id));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    auto& part = parts[i];
    std::sort(part.begin(), part.end());
    size_t kept = 0;
    for (const auto& one : part) {
      if (kept > 0 && part[kept - 1].first == one.first) {
        duplicates_.emplace_back(part[kept - 1].second, one.second);
      } else {
        part[kept++] = one;
      }
    }
    part.resize(kept);
    tries_[i] = TokenTrie(part);
  }
}

}  // namespace tulou::grammar
