#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/assert.h"
#include "base/secret.h"

namespace tulou::engine {
namespace {

int64_t common_length(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return end.first - a.begin();
}

}  // namespace

PrefixCache::PrefixCache(model::StateCache& cache, bool recurrent, size_t max_entries)
    : cache_(cache), recurrent_(recurrent), max_entries_(max_entries) {
  base::random_bytes(key_);
}

PrefixCache::~PrefixCache() { clear(); }

// hash[0] = H(key, scope), hash[i + 1] = H(hash[i], block i).
std::vector<PrefixCache::Hash> PrefixCache::chain_of(std::string_view scope,
                                                     std::span<const int32_t> tokens) const {
  const auto digest = [](const Hash& before, std::span<const std::byte> bytes) {
    base::Sha256 hash;
    hash.update(base::bytes_of(before));
    hash.update(bytes);
    return hash.finish();
  };
  constexpr auto kBlock = static_cast<size_t>(model::kKvBlockTokens);
  std::vector<Hash> chain = {digest(key_, std::as_bytes(std::span(scope)))};
  for (size_t begin = 0; begin + kBlock <= tokens.size(); begin += kBlock)
    chain.push_back(digest(chain.back(), std::as_bytes(tokens.subspan(begin, kBlock))));
  return chain;
}

std::optional<PrefixCache::Place> PrefixCache::best(std::string_view scope,
                                                    std::span<const int32_t> tokens,
                                                    int64_t& known) const {
  const std::vector<Hash> chain = chain_of(scope, tokens);
  const auto longest = static_cast<int64_t>(tokens.size()) - 1;  // one must be left to compute
  std::optional<Place> found;
  known = 0;
  // From the deepest block up: the first block with an entry that can be taken up has the best.
  for (size_t level = chain.size(); level-- > 0 && !found;) {
    const auto node = nodes_.find(chain[level]);
    if (node == nodes_.end()) continue;
    for (const Entries::iterator entry : node->second.through) {
      if (entry->scope != scope) continue;
      const int64_t common = std::min(common_length(entry->tokens, tokens), longest);
      known = std::max(known, common);
      const auto size = static_cast<int64_t>(entry->tokens.size());
      const int64_t length = recurrent_ ? (size <= common ? size : 0) : common;
      if (length > 0 && (!found || length > found->length)) found = Place{entry, length};
    }
  }
  return found;
}

PrefixCache::Found PrefixCache::find(std::string_view scope,
                                     std::span<const int32_t> tokens) const {
  if (entries_.empty() || tokens.empty()) return {};
  Found result;
  if (const auto place = best(scope, tokens, result.known)) result.length = place->length;
  return result;
}

std::optional<model::SequenceHandle> PrefixCache::match(std::string_view scope,
                                                        std::span<const int32_t> tokens) {
  ++stats_.lookups;
  stats_.tokens_asked += static_cast<int64_t>(tokens.size());
  if (entries_.empty() || tokens.empty()) return std::nullopt;
  int64_t known = 0;
  const auto place = best(scope, tokens, known);
  if (!place) return std::nullopt;
  ++stats_.hits;
  stats_.tokens_found += place->length;
  entries_.splice(entries_.begin(), entries_, place->entry);
  return cache_.fork_prefix(place->entry->handle, place->length);
}

void PrefixCache::insert(std::string_view scope, std::span<const int32_t> tokens,
                         model::SequenceHandle handle) {
  if (max_entries_ == 0 || tokens.empty()) return;
  ASSERT(cache_.length(handle) == static_cast<int64_t>(tokens.size()));
  std::vector<Hash> chain = chain_of(scope, tokens);
  if (const auto node = nodes_.find(chain.back()); node != nodes_.end()) {
    for (const Entries::iterator entry : node->second.through) {
      if (entry->scope != scope || !std::ranges::equal(entry->tokens, tokens)) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return;
    }
  }
  const auto snapshot = cache_.snapshot(handle);
  if (!snapshot) return;
  entries_.push_front(
      {std::string(scope), {tokens.begin(), tokens.end()}, std::move(chain), *snapshot});
  for (const Hash& hash : entries_.front().chain) nodes_[hash].through.push_back(entries_.begin());
  if (entries_.size() > max_entries_) evict();
}

void PrefixCache::drop(Entries::iterator entry) {
  for (const Hash& hash : entry->chain) {
    const auto node = nodes_.find(hash);
    std::erase(node->second.through, entry);
    if (node->second.through.empty()) nodes_.erase(node);
  }
  cache_.release(entry->handle);
  entries_.erase(entry);
}

bool PrefixCache::evict() {
  if (entries_.empty()) return false;
  drop(std::prev(entries_.end()));
  ++stats_.evictions;
  return true;
}

void PrefixCache::clear() {
  while (!entries_.empty()) drop(entries_.begin());
}

PrefixCacheStats PrefixCache::stats() const {
  PrefixCacheStats stats = stats_;
  stats.entries = static_cast<int64_t>(entries_.size());
  return stats;
}

}  // namespace tulou::engine
