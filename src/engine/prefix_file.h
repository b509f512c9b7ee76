// The form of a prefix on disk: a head, the tokens, the state, and a MAC over all of it. The layout
// is in docs/formats.md. Pure: bytes in, values out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"

namespace tulou::engine {

// Files of another version are not read.
inline constexpr uint32_t kPrefixFileVersion = 1;
// More tokens than any context has.
inline constexpr uint64_t kMaxPrefixTokens = uint64_t{1} << 24;

// What stands before the tokens. Nothing in it tells who asked or what was asked: all digests but
// `identity` are made with the folder's key.
struct PrefixHead {
  base::Digest identity{};  // of weights, program, kernels and cache type: what the bits depend on
  base::Digest scope{};     // who may use it
  base::Digest block{};     // of the tokens up to the last whole block
  base::Digest name{};      // of all tokens; the file's name
  uint64_t length = 0;      // tokens
  uint64_t payload = 0;     // bytes of the state
  bool operator==(const PrefixHead&) const = default;
};

inline constexpr size_t kPrefixHeadBytes = 192;
inline constexpr size_t kPrefixMacBytes = 32;

// The whole file's size; no value if it is beyond 64 bits.
std::optional<uint64_t> prefix_file_bytes(const PrefixHead& head);

using PrefixHeadBytes = std::array<std::byte, kPrefixHeadBytes>;
// With its MAC.
PrefixHeadBytes encode_prefix_head(const PrefixHead& head, const base::Digest& key);

struct ParsedPrefixHead {
  PrefixHead head;
  std::string_view problem;  // empty if the head is right
};
// The head of a file that has `file_bytes` bytes and begins with `bytes`. What it says is to be
// trusted only if `problem` is empty.
ParsedPrefixHead parse_prefix_head(std::span<const std::byte> bytes, uint64_t file_bytes,
                                   const base::Digest& key);

// The keyed digests of the beginnings of a token sequence, for one model and one scope.
class PrefixNames {
 public:
  // `tokens` must outlive it.
  PrefixNames(const base::Digest& key, const base::Digest& identity, std::string_view scope,
              std::span<const int32_t> tokens);
  std::span<const int32_t> tokens() const { return tokens_; }
  size_t num_blocks() const { return chain_.size() - 1; }
  // Of the first `index` whole blocks, index <= num_blocks().
  const base::Digest& block(size_t index) const { return chain_[index]; }
  // Of the first `length` tokens.
  base::Digest name(uint64_t length) const;
  // The head of a file with the first `length` tokens.
  PrefixHead head(uint64_t length, uint64_t payload) const;

 private:
  base::Digest identity_, scope_;
  std::span<const int32_t> tokens_;
  std::vector<base::Digest> chain_;  // of the beginning, then of each whole block
};

}  // namespace tulou::engine
