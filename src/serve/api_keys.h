// Keys of the server's users: made, listed and revoked in a file, and looked up for each request.
// Only digests of keys are stored.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/sha256.h"

namespace tulou::serve {

enum class KeyRole { kUser, kAdmin };

// What a key may ask for; absent: what the server allows.
struct KeyLimits {
  std::optional<int64_t> max_streams;        // requests at once
  std::optional<int64_t> max_answers;        // of one request; see RequestBudget
  std::optional<int64_t> max_answer_tokens;  // of one request
  bool operator==(const KeyLimits&) const = default;
};

struct ApiKey {
  std::string id;    // "key-" and 64 random bits; public
  std::string name;  // for people
  int64_t created = 0;
  KeyRole role = KeyRole::kUser;
  int64_t priority = 0;  // smaller comes first; added to a request's own
  KeyLimits limits;
  base::Digest digest{};  // SHA-256 of the key
};

inline constexpr size_t kMaxKeys = 4096;

// The keys of a file at one moment. Immutable.
class KeySet {
 public:
  KeySet() = default;
  // Error keys.corrupt, keys.readable_by_others, file.*.
  static KeySet read(const std::string& path);
  static KeySet parse(std::string_view text, const std::string& path);
  std::string text() const;

  // Whose key it is; nullptr if nobody's. Compares with every digest, in constant time.
  const ApiKey* find(std::string_view presented) const;
  const std::vector<ApiKey>& keys() const { return keys_; }

 private:
  friend class KeyFile;
  std::vector<ApiKey> keys_;
};

// Changes of the file, for `tulou keys`. Several processes may change it at once: each takes a lock
// on PATH.lock, and the file is replaced whole. Its mode is 0600.
class KeyFile {
 public:
  explicit KeyFile(std::string path) : path_(std::move(path)) {}

  // Makes a key; the result is "tulou-" and 256 random bits in hexadecimal, which is nowhere else.
  // Fills id, created and digest of `key`. The file is made if it is not there. Error
  // keys.name_taken, keys.too_many, and those of KeySet::read.
  std::string add(ApiKey& key);
  // By id or name. Returns what was removed. Error keys.unknown.
  ApiKey revoke(std::string_view id_or_name);
  KeySet list() const;

 private:
  std::string path_;
};

// What a running server holds: may be asked and reloaded by several threads.
class ApiKeys {
 public:
  // Error as KeySet::read.
  explicit ApiKeys(std::string path);

  std::optional<ApiKey> find(std::string_view presented) const;
  // The key with that id, if it has not been revoked.
  std::optional<ApiKey> by_id(std::string_view id) const;
  // Reads the file again. If that fails the old keys stay, and the result says why.
  std::optional<std::string> reload();
  size_t size() const;

 private:
  std::shared_ptr<const KeySet> current() const;
  std::string path_;
  mutable std::mutex mutex_;
  std::shared_ptr<const KeySet> keys_;
};

// The key in the value of the header Authorization, "Bearer KEY"; empty if it is
// something else.
std::string_view bearer_key(std::string_view authorization);

}  // namespace tulou::serve
