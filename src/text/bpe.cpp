#include "text/bpe.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/error.h"
#include "base/number.h"
#include "text/byte_level.h"

namespace tulou::text {
namespace {

using base::Error;

// Pieces up to this many bytes are merged by looking at all pairs each time, which is faster than a
// heap while it is short.
constexpr size_t kShortPiece = 48;

// What a thread remembers: pieces with few bytes and ids, each in the one place its hash gives.
struct CacheEntry {
  static constexpr size_t kWords = 3, kIds = 7;
  uint64_t key[kWords] = {};
  uint32_t owner = 0;  // 0: empty
  uint8_t length = 0, count = 0;
  int32_t ids[kIds] = {};
};
static_assert(sizeof(CacheEntry) == 64, "one cache line");
constexpr size_t kCacheEntries = 8192;

CacheEntry* thread_cache() {
  thread_local const std::unique_ptr<CacheEntry[]> entries =
      std::make_unique<CacheEntry[]>(kCacheEntries);
  return entries.get();
}

std::string shown(std::string_view text) { return "\"" + base::printable(text) + "\""; }

}  // namespace

Vocabulary::Vocabulary(const StringList& tokens, const std::string& source)
    : tokens_(&tokens), slots_(table_size(tokens.size())), mask_(slots_.size() - 1) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view text = tokens[id];
    if (text.empty()) continue;
    const uint64_t hash = hash_bytes(text);
    size_t at = hash & mask_, probes = 0;
    for (; slots_[at].id >= 0; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.hash == hash >> 32 && tokens[static_cast<size_t>(slot.id)] == text)
        throw Error("tokenizer.corrupt", source,
                    "tokens " + base::to_text(slot.id) + " and " + base::to_text(id) +
                        " have the same text " + shown(text));
      if (++probes > kMaxProbes)
        throw Error("tokenizer.corrupt", source, "the vocabulary is made to collide");
    }
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(id)};
  }
}

int32_t Vocabulary::find(std::string_view text) const {
  const uint64_t hash = hash_bytes(text);
  for (size_t at = hash & mask_; slots_[at].id >= 0; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash >> 32 && (*tokens_)[static_cast<size_t>(slot.id)] == text) return slot.id;
  }
  return -1;
}

Bpe::Bpe(const Vocabulary& vocabulary, const StringList& merges, const std::string& source)
    : merges_(merges.size()) {
  static std::atomic<uint32_t> last_owner{0};
  cache_owner_ = ++last_owner;
  for (uint32_t byte = 0; byte < 256; ++byte)
    byte_ids_[byte] = vocabulary.find(byte_level_character(static_cast<uint8_t>(byte)));
  add_merges(vocabulary, merges, source);
}

void Bpe::add_merges(const Vocabulary& vocabulary, const StringList& merges,
                     const std::string& source) {
  std::string joined;
  int32_t guess = 0;  // vocabularies mostly list tokens in the order of their merges
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view merge = merges[rank];
    const auto fail = [&](std::string_view why) {
      throw Error("tokenizer.corrupt", source,
                  "merge " + base::to_text(rank) + " " + shown(merge) + " " + std::string(why));
    };
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos) fail("is not two tokens");
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    const int32_t left_id = vocabulary.find(left), right_id = vocabulary.find(right);
    if (left_id < 0 || right_id < 0) fail("names a token that is not in the vocabulary");
    joined.assign(left).append(right);
    int32_t id = guess + 1;
    const auto& tokens = vocabulary.tokens();
    if (static_cast<size_t>(id) >= tokens.size() || tokens[static_cast<size_t>(id)] != joined)
      id = vocabulary.find(joined);
    if (id < 0) fail("makes a token that is not in the vocabulary");
    guess = id;
    using Table = PairTable<Merge>;
    switch (merges_.insert(static_cast<uint32_t>(left_id), static_cast<uint32_t>(right_id),
                           {static_cast<uint32_t>(rank), id})) {
      case Table::Insertion::kDone:
        break;
      case Table::Insertion::kDuplicate:
        fail("stands there twice");
        break;
      case Table::Insertion::kTooManyCollisions:
        fail("is one of many made to collide");
        break;
    }
  }
}

Bpe::Merge Bpe::merge_of(int32_t left, int32_t right) const {
  const Merge* merge = merges_.find(static_cast<uint32_t>(left), static_cast<uint32_t>(right));
  return merge == nullptr ? Merge{} : *merge;
}

void Bpe::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  constexpr size_t kMaxKey = 8 * CacheEntry::kWords;
  if (piece.size() > kMaxKey) {
    if (piece.size() <= kShortPiece) return encode_short(piece, ids);
    return encode_long(piece, ids);
  }
  uint64_t key[CacheEntry::kWords] = {};
  std::copy(piece.begin(), piece.end(), reinterpret_cast<char*>(key));
  const uint64_t hash =
      mix(key[0] ^ (key[1] * 0x9E3779B97F4A7C15u) ^ (key[2] * 0xC2B2AE3D27D4EB4Fu) ^ piece.size());
  CacheEntry& entry = thread_cache()[hash % kCacheEntries];
  if (entry.owner == cache_owner_ && entry.length == piece.size() &&
      std::equal(key, key + CacheEntry::kWords, entry.key)) {
    ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
    return;
  }
  const size_t before = ids.size();
  encode_short(piece, ids);
  const size_t count = ids.size() - before;
  if (count > CacheEntry::kIds) return;
  entry.owner = cache_owner_;
  entry.length = static_cast<uint8_t>(piece.size());
  entry.count = static_cast<uint8_t>(count);
  std::copy(key, key + CacheEntry::kWords, entry.key);
  std::copy(ids.begin() + static_cast<ptrdiff_t>(before), ids.end(), entry.ids);
}

void Bpe::encode_short(std::string_view piece, std::vector<int32_t>& ids) const {
  int32_t symbols[kShortPiece];
  size_t count = 0;
  for (const char c : piece) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
    if (id >= 0) symbols[count++] = id;
  }
  Merge merges[kShortPiece];  // of symbols i and i + 1
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = merge_of(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (merges[i].rank < merges[best].rank) best = i;
    if (merges[best].rank == kNoRank) break;
    symbols[best] = merges[best].id;
    --count;
    std::copy(symbols + best + 2, symbols + count + 1, symbols + best + 1);
    if (best + 1 < count) {
      std::copy(merges + best + 2, merges + count, merges + best + 1);
      merges[best] = merge_of(symbols[best], symbols[best + 1]);
    }
    if (best > 0) merges[best - 1] = merge_of(symbols[best - 1], symbols[best]);
  }
  ids.insert(ids.end(), symbols, symbols + count);
}

void Bpe::encode_long(std::string_view piece, std::vector<int32_t>& ids) const {
  constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    int32_t symbol;
    uint32_t previous, next;
    Merge merge;  // with the next node
  };
  std::vector<Node> nodes;
  nodes.reserve(piece.size());
  for (const char c : piece) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
    const auto index = static_cast<uint32_t>(nodes.size());
    if (id >= 0) nodes.push_back({id, index - 1, index + 1, {}});  // the first one's: kNone
  }
  if (nodes.empty()) return;
  nodes.back().next = kNone;

  // Candidates by rank, then by place: a heap with the smallest on top. One that no longer holds is
  // recognised by its rank, because a rank belongs to one pair only.
  struct Candidate {
    uint32_t rank, place;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  std::vector<Candidate> heap;
  const auto update = [&](uint32_t place) {
    Node& node = nodes[place];
    node.merge = node.next == kNone ? Merge{} : merge_of(node.symbol, nodes[node.next].symbol);
    return node.merge.rank != kNoRank;
  };
  const auto push = [&](uint32_t place) {
    heap.push_back({nodes[place].merge.rank, place});
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (uint32_t i = 0; i < nodes.size(); ++i)
    if (update(i)) heap.push_back({nodes[i].merge.rank, i});
  std::make_heap(heap.begin(), heap.end(), std::greater<>());

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const Candidate candidate = heap.back();
    heap.pop_back();
    Node& node = nodes[candidate.place];
    if (node.merge.rank != candidate.rank) continue;
    Node& gone = nodes[node.next];
    node.symbol = node.merge.id;
    node.next = gone.next;
    gone.merge = Merge{};
    if (gone.next != kNone) nodes[gone.next].previous = candidate.place;
    if (update(candidate.place)) push(candidate.place);
    if (node.previous != kNone && update(node.previous)) push(node.previous);
  }
  for (uint32_t i = 0; i != kNone; i = nodes[i].next) ids.push_back(nodes[i].symbol);
}

}  // namespace tulou::text
