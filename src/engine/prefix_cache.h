// States of earlier prompts and answers, so that what a new prompt has in common with them is not
// computed again.
//
// A recurrent state cannot be cut back to an earlier token, so a prefix can only be taken up where
// a snapshot was kept. Models without recurrent states can be taken up anywhere. By the recipe rule
// the bits of an answer are the same with and without it.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/sha256.h"
#include "model/state_cache.h"

namespace tulou::engine {

struct PrefixCacheStats {
  int64_t entries = 0;
  int64_t lookups = 0, hits = 0;  // matches asked for, and those that found anything
  int64_t tokens_asked = 0, tokens_found = 0;
  int64_t evictions = 0;
};

// Found by keyed 256-bit hashes of blocks of 64 tokens, chained from the beginning; on a hit all
// tokens are compared. Not thread-safe.
class PrefixCache {
 public:
  // `cache` must outlive it. `recurrent`: the model has recurrent states. A bound of 0 entries
  // turns it off.
  PrefixCache(model::StateCache& cache, bool recurrent, size_t max_entries);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  struct Found {
    int64_t length = 0;  // tokens whose state is kept
    int64_t known = 0;   // tokens in common with an entry of the scope, state or not
  };
  // What match() would give; marks nothing as used.
  Found find(std::string_view scope, std::span<const int32_t> tokens) const;
  // The longest kept prefix of `tokens`, shorter than they are, as a new sequence of the cache; no
  // value if there is none. The entry counts as used.
  std::optional<model::SequenceHandle> match(std::string_view scope,
                                             std::span<const int32_t> tokens);
  // Keeps the state of a sequence, which must be that of exactly `tokens`. One that is there
  // already counts as used. Evicts the least recently used beyond the bound.
  void insert(std::string_view scope, std::span<const int32_t> tokens,
              model::SequenceHandle handle);
  // Drops the least recently used entry; false if there is none.
  bool evict();
  void clear();

  PrefixCacheStats stats() const;

 private:
  using Hash = base::Digest;
  struct Entry {
    std::string scope;
    std::vector<int32_t> tokens;
    std::vector<Hash> chain;  // of the beginning, then of each whole block
    model::SequenceHandle handle;
  };
  using Entries = std::list<Entry>;  // the most recently used first
  struct Node {
    std::vector<Entries::iterator> through;  // entries with this chain so far
  };
  struct Place {
    Entries::iterator entry;
    int64_t length = 0;
  };
  std::vector<Hash> chain_of(std::string_view scope, std::span<const int32_t> tokens) const;
  // The best entry, and through `known` the longest beginning that any has in common.
  std::optional<Place> best(std::string_view scope, std::span<const int32_t> tokens,
                            int64_t& known) const;
  void drop(Entries::iterator entry);

  model::StateCache& cache_;
  bool recurrent_;
  size_t max_entries_;
  Hash key_;
  Entries entries_;
  std::unordered_map<Hash, Node, base::DigestHash> nodes_;
  PrefixCacheStats stats_;
};

}  // namespace tulou::engine
