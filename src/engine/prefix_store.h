// A folder of kept prefixes that outlives the program: files that only this folder's key can make,
// found by keyed digests, within a budget of bytes. What is damaged, foreign or torn is removed and
// never used; a disk that fails costs the cache and nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "engine/prefix_file.h"
#include "engine/prefix_folder.h"

namespace tulou::engine {

struct PrefixStoreOptions {
  std::string folder;                      // made, with mode 0700, if it is not there
  uint64_t max_bytes = uint64_t{8} << 30;  // of all files; the least recently used go first
  // Hears, on any thread, of files that were removed and of a disk that fails (once each time it
  // begins to).
  std::function<void(const base::Error&)> on_problem;
};

struct PrefixStoreStats {
  int64_t entries = 0;
  uint64_t bytes = 0;     // of those
  int64_t damaged = 0;    // files that were removed because they were not right
  int64_t failures = 0;   // readings and writings that the system refused
  int64_t evictions = 0;  // for the budget
};

// One of the files, for lists.
struct StoredPrefix {
  PrefixHead head;
  uint64_t bytes = 0;
  int64_t used_ns = 0;  // since 1970
};

// All may be called by any thread.
class PrefixStore {
 public:
  // Takes the folder for this process, and reads the head of each file. Error cache.folder_unsafe,
  // cache.folder_in_use, cache.not_a_cache, cache.bad_key, file.not_writable.
  explicit PrefixStore(PrefixStoreOptions options);
  PrefixStore(const PrefixStore&) = delete;
  PrefixStore& operator=(const PrefixStore&) = delete;

  // For PrefixNames of this folder.
  const base::Digest& key() const { return key_; }

  // Shorter ones are not kept, nor those that are less than that longer than one that is.
  static constexpr uint64_t kFewestTokens = 32;

  // The longest kept prefix that is shorter than the tokens.
  std::optional<PrefixHead> find(const PrefixNames& names) const;
  // Says that write() will come for the state of all tokens of `names`; room is made for it. No
  // value, and no write() may come, if it is not worth it, too large for the budget, or if the disk
  // failed a short while ago. Nothing is written here.
  std::optional<PrefixHead> announce(const PrefixNames& names, uint64_t payload);
  // Writes what was announced; false if that failed, which `on_problem` heard of.
  bool write(const PrefixHead& head, std::span<const int32_t> tokens,
             std::span<const std::span<std::byte>> parts);
  // Takes an announcement back.
  void withdraw(const PrefixHead& head);
  // Reads a state that find() gave into `parts`, whose sizes add up to head.payload. False if the
  // file is not there or not right: then `parts` hold anything.
  bool read(const PrefixHead& head, std::span<const int32_t> tokens,
            std::span<const std::span<std::byte>> parts);

  PrefixStoreStats stats() const;

  // The files of a folder, the most recently used first; those that are not right are left out.
  // Error as the constructor, but the folder may be in use.
  static std::vector<StoredPrefix> list(const std::string& folder);
  // Removes all files of this kind, the key and what else belongs to the cache; what was removed.
  // Error cache.folder_in_use, cache.not_a_cache, cache.folder_unsafe.
  struct Cleared {
    int64_t entries = 0;
    uint64_t bytes = 0;
  };
  static Cleared clear(const std::string& folder);

 private:
  struct Entry {
    PrefixHead head;
    uint64_t bytes = 0;
    uint64_t used = 0;  // rises with each use
    bool ready = false;
  };
  using Names = std::vector<base::Digest>;
  // These are called with mutex_ held.
  void add(const PrefixHead& head, bool ready);
  bool drop(const base::Digest& name);
  std::optional<Names> make_room(uint64_t bytes);
  const Entry* longest(const PrefixNames& names, uint64_t most, bool ready) const;

  void scan();
  void note(const PrefixFileOutcome& outcome, const PrefixHead& head, bool writing);
  void tell(const base::Error& problem) const;

  PrefixStoreOptions options_;
  PrefixFolder folder_;
  base::Digest key_{};
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<base::Digest, Entry, base::DigestHash> entries_;
  std::unordered_map<base::Digest, Names, base::DigestHash> by_block_;
  uint64_t clock_ = 0, temporary_ = 0;
  bool failing_ = false;
  std::chrono::steady_clock::time_point retry_;  // nothing is written before
  PrefixStoreStats stats_;
};

}  // namespace tulou::engine
