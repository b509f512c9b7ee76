// Byte pair encoding: the merge rules, and merging the bytes of one piece of text into token ids.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/hash.h"
#include "text/string_list.h"

namespace tulou::text {

// Texts of tokens -> ids. Refers to the list, which must outlive it and stay in its place.
class Vocabulary {
 public:
  // Error tokenizer.corrupt, naming `source`, if two tokens have the same text.
  Vocabulary(const StringList& tokens, const std::string& source);
  // -1 if there is none.
  int32_t find(std::string_view text) const;
  const StringList& tokens() const { return *tokens_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  const StringList* tokens_;
  std::vector<Slot> slots_;
  size_t mask_;
};

// Const and shareable after construction; each thread has its own cache of pieces.
class Bpe {
 public:
  // Error tokenizer.corrupt for a merge of unknown tokens, into one, or given twice.
  Bpe(const Vocabulary& vocabulary, const StringList& merges, const std::string& source);

  // Appends the ids of one piece; bytes without a token are left out.
  void encode(std::string_view piece, std::vector<int32_t>& ids) const;
  // The id of a single byte; -1 if the vocabulary lacks it.
  int32_t byte_id(uint8_t byte) const { return byte_ids_[byte]; }

 private:
  struct Merge {
    uint32_t rank = UINT32_MAX;
    int32_t id = -1;
  };
  static constexpr uint32_t kNoRank = UINT32_MAX;

  void add_merges(const Vocabulary& vocabulary, const StringList& merges,
                  const std::string& source);
  Merge merge_of(int32_t left, int32_t right) const;
  void encode_short(std::string_view piece, std::vector<int32_t>& ids) const;
  void encode_long(std::string_view piece, std::vector<int32_t>& ids) const;

  std::array<int32_t, 256> byte_ids_;
  PairTable<Merge> merges_;
  uint32_t cache_owner_;  // differs between all Bpe of the process
};

}  // namespace tulou::text
