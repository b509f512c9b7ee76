#include "serve/api_keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/number.h"
#include "base/secret.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr uint64_t kMaxFileBytes = 4u << 20;
constexpr std::string_view kKeyPrefix = "tulou-";
constexpr int64_t kMaxLimit = int64_t{1} << 40;
constexpr int64_t kMaxPriority = 1'000'000;

std::string octal(mode_t mode) {
  std::string text;
  for (int shift = 6; shift >= 0; shift -= 3) text += static_cast<char>('0' + (mode >> shift & 7));
  return text;
}

void check_access(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return;  // read_file says why
  if ((status.st_mode & 077) != 0)
    throw base::Error("keys.readable_by_others", path, octal(status.st_mode & 0777));
}

std::optional<int64_t> optional_integer(const base::JsonObject& object, std::string_view key) {
  if (!object.has(key)) return std::nullopt;
  return object.integer(key, 0, kMaxLimit);
}

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

ApiKey parse_key(const Json& value, const std::string& source) {
  const base::JsonObject object(value, source);
  ApiKey key;
  key.id = object.string("id");
  key.name = object.string("name");
  if (!is_name(key.id) || !is_name(key.name))
    throw base::Error("keys.corrupt", source, "an id or a name has other characters than allowed");
  key.created = object.integer("created", 0, INT64_MAX);
  const std::string role = object.string("role", "user");
  if (role != "user" && role != "admin")
    throw base::Error("keys.corrupt", source, "\"role\" is neither user nor admin");
  key.role = role == "admin" ? KeyRole::kAdmin : KeyRole::kUser;
  key.priority = object.integer("priority", -kMaxPriority, kMaxPriority, 0);
  if (object.has("limits")) {
    const base::JsonObject limits = object.object("limits");
    key.limits.max_streams = optional_integer(limits, "max_streams");
    key.limits.max_answers = optional_integer(limits, "max_answers");
    key.limits.max_answer_tokens = optional_integer(limits, "max_answer_tokens");
  }
  const auto digest = base::parse_hex(object.string("sha256"));
  if (!digest || digest->size() != key.digest.size())
    throw base::Error("keys.corrupt", source, "\"sha256\" is not 64 hexadecimal digits");
  std::copy(digest->begin(), digest->end(), key.digest.begin());
  return key;
}

Json key_json(const ApiKey& key) {
  Json value = {{"id", key.id},
                {"name", key.name},
                {"created", key.created},
                {"role", key.role == KeyRole::kAdmin ? "admin" : "user"},
                {"priority", key.priority},
                {"sha256", base::hex_text(key.digest)}};
  Json limits = Json::object();
  const auto add = [&](const char* name, const std::optional<int64_t>& limit) {
    if (limit) limits[name] = *limit;
  };
  add("max_streams", key.limits.max_streams);
  add("max_answers", key.limits.max_answers);
  add("max_answer_tokens", key.limits.max_answer_tokens);
  if (!limits.empty()) value["limits"] = std::move(limits);
  return value;
}

// Held while a process changes the file. A file of its own, since the other one is replaced.
class FileLock {
 public:
  explicit FileLock(const std::string& path) {
    const std::string lock = path + ".lock";
    descriptor_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) throw base::Error("file.not_writable", lock, std::strerror(errno));
    while (::flock(descriptor_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(descriptor_);
      throw base::Error("file.not_writable", lock, std::strerror(error));
    }
  }
  ~FileLock() { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

void write(const std::string& path, const KeySet& keys) {
  base::DurableFile file(path, base::FileAccess::kOwnerOnly);
  file.write(keys.text());
  file.commit();
}

}  // namespace

KeySet KeySet::parse(std::string_view text, const std::string& path) {
  const Json value = base::parse_json(text, path);
  const base::JsonObject object(value, path);
  object.integer("version", 1, 1);
  const Json& list = object.get("keys");
  if (!list.is_array()) throw base::Error("keys.corrupt", path, "\"keys\" is not a list");
  if (list.size() > kMaxKeys) throw base::Error("keys.too_many", path, kMaxKeys);
  KeySet set;
  for (const Json& item : list) {
    ApiKey key = parse_key(item, path);
    const bool twice = std::any_of(set.keys_.begin(), set.keys_.end(), [&](const ApiKey& other) {
      return other.id == key.id || other.name == key.name || other.digest == key.digest;
    });
    if (twice) throw base::Error("keys.corrupt", path, "a key stands there twice");
    set.keys_.push_back(std::move(key));
  }
  return set;
}

KeySet KeySet::read(const std::string& path) {
  check_access(path);
  return parse(base::read_file(path, kMaxFileBytes), path);
}

std::string KeySet::text() const {
  Json list = Json::array();
  for (const ApiKey& key : keys_) list.push_back(key_json(key));
  return base::to_pretty_json_text({{"version", 1}, {"keys", std::move(list)}}) + "\n";
}

const ApiKey* KeySet::find(std::string_view presented) const {
  const base::Digest digest = base::sha256(presented);
  // Every key is compared, whichever it is, and the place is taken without a branch.
  size_t place = 0;
  for (size_t i = 0; i < keys_.size(); ++i) {
    const bool equal = base::equal_in_constant_time(digest, keys_[i].digest);
    place |= (i + 1) & (size_t{0} - static_cast<size_t>(equal));
  }
  return place == 0 ? nullptr : &keys_[place - 1];
}

std::string KeyFile::add(ApiKey& key) {
  if (!is_name(key.name)) throw base::Error("keys.bad_name", key.name);
  const FileLock lock(path_);
  KeySet set;
  if (base::exists(path_)) set = KeySet::read(path_);
  for (const ApiKey& other : set.keys_) {
    if (other.name == key.name) throw base::Error("keys.name_taken", path_, key.name);
  }
  if (set.keys_.size() >= kMaxKeys) throw base::Error("keys.too_many", path_, kMaxKeys);
  std::array<uint8_t, 8> id;
  std::array<uint8_t, 32> secret;
  base::random_bytes(id);
  base::random_bytes(secret);
  const std::string text = std::string(kKeyPrefix) + base::hex_text(secret);
  key.id = "key-" + base::hex_text(id);
  key.created = std::chrono::duration_cast<std::chrono::seconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
  key.digest = base::sha256(text);
  set.keys_.push_back(key);
  write(path_, set);
  return text;
}

ApiKey KeyFile::revoke(std::string_view id_or_name) {
  const FileLock lock(path_);
  KeySet set = KeySet::read(path_);
  const auto found = std::find_if(set.keys_.begin(), set.keys_.end(), [&](const ApiKey& key) {
    return key.id == id_or_name || key.name == id_or_name;
  });
  if (found == set.keys_.end()) throw base::Error("keys.unknown", path_, id_or_name);
  ApiKey removed = *found;
  set.keys_.erase(found);
  write(path_, set);
  return removed;
}

KeySet KeyFile::list() const { return KeySet::read(path_); }

ApiKeys::ApiKeys(std::string path)
    : path_(std::move(path)), keys_(std::make_shared<const KeySet>(KeySet::read(path_))) {}

std::shared_ptr<const KeySet> ApiKeys::current() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

std::optional<ApiKey> ApiKeys::find(std::string_view presented) const {
  const std::shared_ptr<const KeySet> keys = current();
  const ApiKey* found = keys->find(presented);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::optional<ApiKey> ApiKeys::by_id(std::string_view id) const {
  const std::shared_ptr<const KeySet> keys = current();
  for (const ApiKey& key : keys->keys()) {
    if (key.id == id) return key;
  }
  return std::nullopt;
}

std::optional<std::string> ApiKeys::reload() {
  try {
    auto fresh = std::make_shared<const KeySet>(KeySet::read(path_));
    const std::lock_guard lock(mutex_);
    keys_ = std::move(fresh);
    return std::nullopt;
  } catch (const base::Error& error) {
    return error.what();
  }
}

size_t ApiKeys::size() const { return current()->keys().size(); }

std::string_view bearer_key(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return "";
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = authorization[i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != kScheme[i]) return "";
  }
  authorization.remove_prefix(kScheme.size());
  const size_t begin = authorization.find_first_not_of(' ');
  if (begin == std::string_view::npos) return "";
  return authorization.substr(begin, authorization.find_last_not_of(' ') - begin + 1);
}

}  // namespace tulou::serve
