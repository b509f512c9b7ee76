// The tokens of a vocabulary as trees over their bytes, for walks that find out which of them may
// come next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/rules.h"

namespace tulou::grammar {

// Nearly all tokens are whole characters of few kinds, and most repetitions of characters take all
// of such a kind: with these, the tokens that need a closer look are few. The classes are letters
// of ASCII, digits, space and all that is not ASCII; and what a JSON string has unescaped, which
// holds the first one.
inline constexpr size_t kTokenClasses = 2;
const std::vector<CodePoints>& token_class(size_t number);

// A tree in the order of a walk that goes down first.
class TokenTrie {
 public:
  struct Node {
    uint32_t skip;  // nodes of the subtree, this one too: where a walk that leaves it goes on
    uint32_t first_token;  // of the subtree, in tokens()
    uint16_t depth;        // bytes up to here; the first nodes have 1
    uint8_t byte;
    bool is_token;       // first_token ends here
    uint8_t characters;  // that have begun up to here; 255: or more
    uint8_t most;        // the same of the longest token in the subtree
  };

  // The tokens with these ids, which have bytes and differ.
  TokenTrie() = default;
  explicit TokenTrie(std::span<const std::pair<std::string_view, int32_t>> sorted);

  // One more node than there are, which ends the tokens of the last one.
  const std::vector<Node>& nodes() const { return nodes_; }
  size_t num_nodes() const { return nodes_.size() - 1; }
  uint16_t max_depth() const { return max_depth_; }
  // The ids of a subtree's tokens.
  std::span<const int32_t> tokens(size_t node) const {
    const uint32_t first = nodes_[node].first_token;
    return std::span(tokens_).subspan(first, nodes_[node + nodes_[node].skip].first_token - first);
  }
  // The largest of a few numbers of characters, up to `most`, for which there is a mask.
  uint32_t mask_characters(uint32_t most) const;
  // Sets bit i % 32 of word i / 32 of each token i with at most so many characters.
  void set_up_to(uint32_t mask_characters, std::span<uint32_t> mask) const;

 private:
  // A mask of Qwen3.5's vocabulary has 31 KiB.
  static constexpr std::array<uint32_t, 9> kMaskCharacters = {1,  2,  4,   8,         16,
                                                              32, 64, 128, UINT32_MAX};
  void add_masks(std::span<const uint8_t> characters);

  std::vector<Node> nodes_ = {Node{}};
  std::vector<int32_t> tokens_;
  std::array<std::vector<uint32_t>, kMaskCharacters.size()> masks_;
  uint16_t max_depth_ = 0;
};

class TokenTries {
 public:
  // `tokens`: the bytes of each id; empty ones are in no tree.
  explicit TokenTries(const std::vector<std::string>& tokens);

  // The tokens of whole characters of class i that are in no class before; last, all others.
  const TokenTrie& trie(size_t i) const { return tries_[i]; }
  // Tokens with the bytes of another one that is in a tree: (that one, this one).
  std::span<const std::pair<int32_t, int32_t>> duplicates() const { return duplicates_; }
  size_t longest_token() const { return longest_; }  // bytes

 private:
  std::array<TokenTrie, kTokenClasses + 1> tries_;
  std::vector<std::pair<int32_t, int32_t>> duplicates_;
  size_t longest_ = 0;
};

}  // namespace tulou::grammar
