// Finds added tokens in text: leftmost first, and of those that begin there the longest.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/hash.h"
#include "text/tokenizer_data.h"

namespace tulou::text {

// A stretch of the text, in bytes.
struct Stretch {
  size_t begin = 0, end = 0;
};

// Which special tokens count.
struct SpecialRule {
  // Special tokens in the text stay text.
  bool ignore_all = false;
  // Sorted stretches that are data; special tokens that touch one stay text.
  std::span<const Stretch> data;
};

class AddedTokenMatcher {
 public:
  // The tokens with this value of `normalized`.
  AddedTokenMatcher(std::span<const AddedToken> tokens, bool normalized);

  struct Match {
    size_t begin = 0, end = 0;  // with the white space that lstrip and rstrip take
    int32_t id = 0;
  };
  // The next match in text[from, ...); white space is never taken from before `from`.
  std::optional<Match> find(std::string_view text, size_t from, const SpecialRule& rule) const;
  bool empty() const { return tokens_.empty(); }

 private:
  size_t next_begin(std::string_view text, size_t at) const;
  Match strip(std::string_view text, size_t from, const AddedToken& token, size_t begin) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> is_first_byte_{};
  std::optional<char> only_first_byte_;
  PairTable<uint32_t> children_;   // (node, byte) -> node; node 0 is the root
  std::vector<int32_t> token_at_;  // node -> index into tokens_, or -1
};

}  // namespace tulou::text
