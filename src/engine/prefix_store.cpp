#include "engine/prefix_store.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/secret.h"
#include "model/state_cache.h"

namespace tulou::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = PrefixFileOutcome::Kind;

constexpr auto kRetry = std::chrono::seconds(30);  // after a failed writing
constexpr size_t kMostFiles = 65536;

std::string shown(const PrefixHead& head) { return base::hex_text(head.name).substr(0, 16); }

uint64_t file_bytes(const PrefixHead& head) {
  const auto bytes = prefix_file_bytes(head);
  ASSERT(bytes.has_value());
  return *bytes;
}

[[maybe_unused]] uint64_t sum(std::span<const std::span<std::byte>> parts) {
  uint64_t bytes = 0;
  for (const auto& part : parts) bytes += part.size();
  return bytes;
}

std::vector<StoredPrefix> looked_at(
    const PrefixFolder& folder, const base::Digest& key,
    const std::function<void(const base::Digest&, const PrefixFileOutcome&)>& wrong) {
  std::vector<StoredPrefix> found;
  for (const base::Digest& name : folder.names()) {
    const PrefixFolder::Look look = folder.look(name, key);
    if (look.outcome.done()) {
      found.push_back({look.head, look.bytes, look.used_ns});
    } else if (wrong) {
      wrong(name, look.outcome);
    }
  }
  std::ranges::sort(found, std::ranges::greater{}, &StoredPrefix::used_ns);
  return found;
}

}  // namespace

PrefixStore::PrefixStore(PrefixStoreOptions options)
    : options_(std::move(options)), folder_(options_.folder, true) {
  folder_.lock(true);
  key_ = folder_.key(true);
  folder_.remove_others(false);
  scan();
}

void PrefixStore::scan() {
  const auto wrong = [this](const base::Digest& name, const PrefixFileOutcome& outcome) {
    PrefixHead head;
    head.name = name;
    note(outcome, head, false);
  };
  std::vector<StoredPrefix> found = looked_at(folder_, key_, wrong);
  uint64_t bytes = 0;
  size_t kept = 0;
  for (; kept < found.size() && kept < kMostFiles; ++kept) {
    if (found[kept].bytes > options_.max_bytes - bytes) break;
    bytes += found[kept].bytes;
  }
  for (size_t i = kept; i < found.size(); ++i) folder_.remove(found[i].head.name);
  const std::lock_guard lock(mutex_);
  stats_.evictions += static_cast<int64_t>(found.size() - kept);
  for (size_t i = kept; i-- > 0;) add(found[i].head, true);  // the oldest first
}

void PrefixStore::add(const PrefixHead& head, bool ready) {
  by_block_[head.block].push_back(head.name);
  stats_.bytes += file_bytes(head);
  entries_[head.name] = {head, file_bytes(head), ++clock_, ready};
}

bool PrefixStore::drop(const base::Digest& name) {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return false;
  const auto block = by_block_.find(entry->second.head.block);
  std::erase(block->second, name);
  if (block->second.empty()) by_block_.erase(block);
  stats_.bytes -= entry->second.bytes;
  entries_.erase(entry);
  return true;
}

// The longest one of at most `most` tokens.
const PrefixStore::Entry* PrefixStore::longest(const PrefixNames& names, uint64_t most,
                                               bool ready) const {
  const Entry* best = nullptr;
  for (size_t level = names.num_blocks() + 1; level-- > 0 && best == nullptr;) {
    const auto block = by_block_.find(names.block(level));
    if (block == by_block_.end()) continue;
    for (const base::Digest& name : block->second) {
      const Entry& entry = entries_.at(name);
      const uint64_t length = entry.head.length;
      if (length > most || (ready && !entry.ready)) continue;
      if (best != nullptr && length <= best->head.length) continue;
      if (names.head(length, entry.head.payload) == entry.head) best = &entry;
    }
  }
  return best;
}

std::optional<PrefixHead> PrefixStore::find(const PrefixNames& names) const {
  if (names.tokens().empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const Entry* entry = longest(names, names.tokens().size() - 1, true);
  if (entry == nullptr) return std::nullopt;
  return entry->head;
}

// What must go so that `bytes` fit, the least recently used first; no value if that does not help.
std::optional<PrefixStore::Names> PrefixStore::make_room(uint64_t bytes) {
  Names gone;
  while (stats_.bytes + bytes > options_.max_bytes || entries_.size() >= kMostFiles) {
    const Entry* oldest = nullptr;
    for (const auto& [name, entry] : entries_) {
      if (entry.ready && (oldest == nullptr || entry.used < oldest->used)) oldest = &entry;
    }
    if (oldest == nullptr) return std::nullopt;
    gone.push_back(oldest->head.name);
    drop(gone.back());
    ++stats_.evictions;
  }
  return gone;
}

std::optional<PrefixHead> PrefixStore::announce(const PrefixNames& names, uint64_t payload) {
  const uint64_t length = names.tokens().size();
  if (length < kFewestTokens || length > kMaxPrefixTokens) return std::nullopt;
  const PrefixHead head = names.head(length, payload);
  const auto bytes = prefix_file_bytes(head);
  if (!bytes || *bytes > options_.max_bytes) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (const Entry* near = longest(names, length, false)) {
    entries_.at(near->head.name).used = ++clock_;
    if (length - near->head.length < kFewestTokens) return std::nullopt;
  }
  if (failing_ && Clock::now() < retry_) return std::nullopt;
  add(head, false);
  return head;
}

void PrefixStore::withdraw(const PrefixHead& head) {
  const std::lock_guard lock(mutex_);
  drop(head.name);
}

bool PrefixStore::write(const PrefixHead& head, std::span<const int32_t> tokens,
                        std::span<const std::span<std::byte>> parts) {
  ASSERT(tokens.size() == head.length && sum(parts) == head.payload);
  std::optional<Names> gone;
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    gone = make_room(0);  // its own bytes are counted since it was announced
    number = ++temporary_;
    if (!gone) drop(head.name);
  }
  if (!gone) return false;
  for (const base::Digest& name : *gone) folder_.remove(name);
  const PrefixFileOutcome outcome = folder_.write(head, tokens, parts, key_, number);
  if (!outcome.done()) withdraw(head);
  note(outcome, head, true);
  if (!outcome.done()) return false;
  const std::lock_guard lock(mutex_);
  entries_.at(head.name).ready = true;
  return true;
}

bool PrefixStore::read(const PrefixHead& head, std::span<const int32_t> tokens,
                       std::span<const std::span<std::byte>> parts) {
  ASSERT(tokens.size() == head.length && sum(parts) == head.payload);
  const PrefixFileOutcome outcome = folder_.read(head, tokens, parts, key_);
  note(outcome, head, false);
  if (!outcome.done()) return false;
  folder_.mark_used(head.name);
  const std::lock_guard lock(mutex_);
  if (const auto entry = entries_.find(head.name); entry != entries_.end())
    entry->second.used = ++clock_;
  return true;
}

// What follows from how a reading or writing ended.
void PrefixStore::note(const PrefixFileOutcome& outcome, const PrefixHead& head, bool writing) {
  if (outcome.kind == Kind::kWrong) {
    folder_.remove(head.name);
    {
      const std::lock_guard lock(mutex_);
      drop(head.name);
      ++stats_.damaged;
    }
    tell(base::Error("cache.damaged_file", shown(head), outcome.reason));
    return;
  }
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    // One that was evicted a moment ago is no failure.
    if (!writing && outcome.kind == Kind::kMissing && !drop(head.name)) return;
    if (outcome.done()) {
      failing_ = failing_ && !writing;
      return;
    }
    ++stats_.failures;
    if (writing) retry_ = Clock::now() + kRetry;
    first = !std::exchange(failing_, true);
  }
  if (!first) return;
  tell(writing ? base::Error("cache.not_written", folder_.path(), outcome.reason)
               : base::Error("cache.not_read", folder_.path(), outcome.reason));
}

void PrefixStore::tell(const base::Error& problem) const {
  if (options_.on_problem) options_.on_problem(problem);
}

PrefixStoreStats PrefixStore::stats() const {
  const std::lock_guard lock(mutex_);
  PrefixStoreStats stats = stats_;
  stats.entries = static_cast<int64_t>(entries_.size());
  return stats;
}

std::vector<StoredPrefix> PrefixStore::list(const std::string& folder) {
  const PrefixFolder opened(folder, false);
  if (opened.names().empty()) return {};  // one that was cleared has no key either
  return looked_at(opened, opened.key(false), {});
}

PrefixStore::Cleared PrefixStore::clear(const std::string& folder) {
  PrefixFolder opened(folder, false);
  opened.lock(false);
  Cleared cleared;
  for (const base::Digest& name : opened.names()) {
    const PrefixFolder::Look look = opened.look(name, {});
    ++cleared.entries;
    cleared.bytes += look.bytes;
    opened.remove(name);
  }
  opened.remove_others(true);
  return cleared;
}

}  // namespace tulou::engine
