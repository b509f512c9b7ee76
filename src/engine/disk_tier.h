// The prefix cache's second tier, of one engine: states that are worth it are written to a
// PrefixStore, and what a new prompt has in common with one there is loaded before the prompt is
// scheduled. A thread of its own reads and writes; the engine goes on meanwhile.
//
// States are not copied: the thread reads and writes the blocks of the state cache themselves,
// which stay taken until the engine's next collect(). So all of it stays within the cache's memory.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/prefix_store.h"
#include "engine/sequence.h"
#include "model/state_cache.h"

namespace tulou::engine {

struct DiskTierStats {
  int64_t hits = 0, tokens_found = 0;  // states that were loaded, and the tokens they saved
  int64_t writes = 0;                  // states that were written
  int64_t dropped = 0;                 // states that were not, since too many waited or it failed
  PrefixStoreStats store;              // of the folder, whoever uses it
};

// All but stats() is for the engine's thread.
class DiskTier {
 public:
  // Where the states are kept, and under which identity: all that their bits depend on. `cache` and
  // `prefixes` must outlive it. `wake` is called, by the tier's thread, when there is something to
  // collect.
  DiskTier(std::shared_ptr<PrefixStore> store, const base::Digest& identity,
           model::StateCache& cache, PrefixCache& prefixes, std::function<void()> wake);
  // Finishes what was begun, so that what was kept is there after a restart.
  ~DiskTier();
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  // Begins to load what the sequence's tokens have in common with a state on disk, if that is
  // longer than what is in memory, there is room, and loading takes less time than computing at
  // `token_seconds` a token (0: not known yet). True if so: the sequence is then held until
  // collect() gives it back.
  bool hold(const std::shared_ptr<Sequence>& sequence, double token_seconds);
  // Puts what was loaded into the prefix cache and frees what was written. The sequences that
  // waited for it, found or not.
  std::vector<std::shared_ptr<Sequence>> collect();
  // Those that still wait, which are no longer held.
  std::vector<std::shared_ptr<Sequence>> give_up();
  size_t num_held() const;

  // Has the state of exactly `tokens` written if it is worth it.
  void keep(std::string_view scope, std::span<const int32_t> tokens, model::SequenceHandle handle);

  // By any thread.
  DiskTierStats stats() const;

 private:
  struct Job {
    bool load = false;
    PrefixHead head;
    std::string scope;
    std::vector<int32_t> tokens;
    model::SequenceHandle handle = -1;  // a kept prefix, or the sequence that is filled
    std::vector<std::span<std::byte>> parts;
    std::vector<std::shared_ptr<Sequence>> waiting;  // the engine's alone
    bool done = false;                               // it worked
  };
  using Shared = std::shared_ptr<Job>;
  std::optional<model::SequenceHandle> make_room(int64_t length);
  bool fits(uint64_t bytes, uint64_t share, bool load) const;
  void post(const Shared& job);
  void run();

  std::shared_ptr<PrefixStore> store_;
  base::Digest identity_;
  model::StateCache& cache_;
  PrefixCache& prefixes_;
  std::function<void()> wake_;
  std::vector<Shared> open_;  // the engine's: posted and not collected
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Shared> queue_, finished_;
  bool stop_ = false;
  double load_bytes_per_second_;
  DiskTierStats stats_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tulou::engine
