// The files of a folder of kept prefixes: one state a file, named by a digest, readable by its
// owner alone. Only system calls and the form of the files; what is kept and found is in
// prefix_store.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "engine/prefix_file.h"

namespace tulou::engine {

// A file's name inside the folder is 64 hexadecimal digits and this.
inline constexpr std::string_view kPrefixFileSuffix = ".state";

// How a reading or writing of a file ended.
struct PrefixFileOutcome {
  enum class Kind {
    kDone,
    kMissing,  // there is no such file
    kRefused,  // by the system; `reason` has its words
    kWrong,    // the file is not what it should be; `reason` says how
  };
  Kind kind = Kind::kDone;
  std::string reason;
  bool done() const { return kind == Kind::kDone; }
};

// The open folder; what happens to its path afterwards does not matter. All but the constructor may
// be called by any thread.
class PrefixFolder {
 public:
  // Makes the folder (mode 0700) if it is not there and `make` says so. Error file.not_found,
  // file.not_writable, cache.folder_unsafe.
  PrefixFolder(std::string path, bool make);
  ~PrefixFolder();
  PrefixFolder(const PrefixFolder&) = delete;
  PrefixFolder& operator=(const PrefixFolder&) = delete;

  const std::string& path() const { return path_; }
  // For as long as this object lives. A folder that is no cache yet becomes one if `make` says so
  // and it is empty. Error cache.folder_in_use, cache.not_a_cache, file.not_writable.
  void lock(bool make);
  // The folder's key, made if it is not there and `make` says so. Error cache.bad_key,
  // file.not_found, file.not_writable.
  base::Digest key(bool make) const;

  // The names of all files of states.
  std::vector<base::Digest> names() const;
  // What writings that were cut off have left, and, if `all`, the key and the digests of weights.
  void remove_others(bool all) const;
  void remove(const base::Digest& name) const;
  void mark_used(const base::Digest& name) const;

  struct Look {
    PrefixFileOutcome outcome;
    PrefixHead head;
    uint64_t bytes = 0;
    int64_t used_ns = 0;  // since 1970
  };
  // Reads only the head.
  Look look(const base::Digest& name, const base::Digest& key) const;
  // Under a temporary name first, made unique by `number`, which is removed if anything fails.
  PrefixFileOutcome write(const PrefixHead& head, std::span<const int32_t> tokens,
                          std::span<const std::span<std::byte>> parts, const base::Digest& key,
                          uint64_t number) const;
  // The file must have this head and these tokens. `parts` hold anything if it is not done.
  PrefixFileOutcome read(const PrefixHead& head, std::span<const int32_t> tokens,
                         std::span<const std::span<std::byte>> parts,
                         const base::Digest& key) const;

 private:
  template <typename Visit>
  void visit(Visit visit) const;
  bool is_empty() const;
  base::Digest make_key() const;

  std::string path_;
  int folder_ = -1, lock_ = -1;
};

}  // namespace tulou::engine
