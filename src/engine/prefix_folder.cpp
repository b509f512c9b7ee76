#include "engine/prefix_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/number.h"
#include "base/secret.h"

namespace tulou::engine {
namespace {

using Kind = PrefixFileOutcome::Kind;

constexpr const char* kKeyFile = "key";
constexpr const char* kLockFile = "lock";
constexpr const char* kDigestsFile = "digests.json";  // of weights; cli writes it
constexpr std::string_view kTorn = ".part-";
constexpr int kReading = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
constexpr int kMaking = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

// A descriptor that closes itself.
struct File {
  explicit File(int opened) : descriptor(opened) {}
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor;
};

std::string file_name(const base::Digest& name) {
  return base::hex_text(name) + std::string(kPrefixFileSuffix);
}

PrefixFileOutcome refused() {
  return {errno == ENOENT ? Kind::kMissing : Kind::kRefused, std::strerror(errno)};
}

bool write_all(int descriptor, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t count = ::write(descriptor, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    data = data.subspan(static_cast<size_t>(count));
  }
  return true;
}

// Fills `data`; false at an error, or with errno 0 at the end of the file.
bool read_all(int descriptor, std::span<std::byte> data) {
  while (!data.empty()) {
    const ssize_t count = ::read(descriptor, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = 0;
    if (count <= 0) return false;
    data = data.subspan(static_cast<size_t>(count));
  }
  return true;
}

PrefixFileOutcome read_failed() {
  if (errno == 0) return {Kind::kWrong, "it is too short"};
  return {Kind::kRefused, std::strerror(errno)};
}

// The name that a file stands for, if it is one of ours.
std::optional<base::Digest> digest_of(std::string_view file) {
  if (!file.ends_with(kPrefixFileSuffix)) return std::nullopt;
  const auto bytes = base::parse_hex(file.substr(0, file.size() - kPrefixFileSuffix.size()));
  base::Digest name;
  if (!bytes || bytes->size() != name.size()) return std::nullopt;
  std::memcpy(name.data(), bytes->data(), name.size());
  return name;
}

// Opens a file for reading and reads its head. Nothing but the head's own MAC is checked.
PrefixFileOutcome open_state(const File& file, const base::Digest& key, PrefixFolder::Look& found,
                             PrefixHeadBytes& bytes) {
  if (file.descriptor < 0) return refused();
  struct stat status = {};
  if (::fstat(file.descriptor, &status) != 0) return refused();
  if (!S_ISREG(status.st_mode)) return {Kind::kWrong, "it is not a plain file"};
  found.bytes = static_cast<uint64_t>(status.st_size);
  found.used_ns = status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  if (!read_all(file.descriptor, bytes)) return read_failed();
  const ParsedPrefixHead parsed = parse_prefix_head(bytes, found.bytes, key);
  if (!parsed.problem.empty()) return {Kind::kWrong, std::string(parsed.problem)};
  found.head = parsed.head;
  return {};
}

}  // namespace

PrefixFolder::PrefixFolder(std::string path, bool make) : path_(std::move(path)) {
  if (make && ::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
    throw base::Error("file.not_writable", path_, std::strerror(errno));
  folder_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 && errno == ENOENT) throw base::Error("file.not_found", path_);
  if (folder_ < 0) throw base::Error("cache.folder_unsafe", path_, std::strerror(errno));
  struct stat status = {};
  const bool known = ::fstat(folder_, &status) == 0;
  const bool own = known && status.st_uid == ::geteuid();
  if (own && (status.st_mode & 022) == 0) return;
  ::close(folder_);
  throw base::Error("cache.folder_unsafe", path_,
                    own ? "others may write there" : "it belongs to another user");
}

PrefixFolder::~PrefixFolder() {
  if (lock_ >= 0) ::close(lock_);
  ::close(folder_);
}

// The lock file says as well that the folder is a cache's: what else is called "key" there is ours.
void PrefixFolder::lock(bool make) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  lock_ = ::openat(folder_, kLockFile, kFlags);
  if (lock_ < 0 && errno == ENOENT) {
    if (!make || !is_empty()) throw base::Error("cache.not_a_cache", path_);
    lock_ = ::openat(folder_, kLockFile, kFlags | O_CREAT, 0600);
  }
  if (lock_ < 0) throw base::Error("file.not_writable", path_, std::strerror(errno));
  struct stat status = {};
  if (::fstat(lock_, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != 0)
    throw base::Error("cache.not_a_cache", path_);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) throw base::Error("cache.folder_in_use", path_);
}

base::Digest PrefixFolder::make_key() const {
  const std::string temporary = std::string(kKeyFile) + std::string(kTorn) + "0";
  ::unlinkat(folder_, temporary.c_str(), 0);
  base::Digest key;
  base::random_bytes(key);
  const File file(::openat(folder_, temporary.c_str(), kMaking, 0600));
  if (file.descriptor < 0 || !write_all(file.descriptor, base::bytes_of(key)) ||
      ::fsync(file.descriptor) != 0 ||
      ::renameat(folder_, temporary.c_str(), folder_, kKeyFile) != 0)
    throw base::Error("file.not_writable", path_ + "/" + kKeyFile, std::strerror(errno));
  return key;
}

base::Digest PrefixFolder::key(bool make) const {
  const std::string shown = path_ + "/" + kKeyFile;
  const File file(::openat(folder_, kKeyFile, kReading));
  if (file.descriptor < 0 && errno == ENOENT) {
    if (make) return make_key();
    throw base::Error("file.not_found", shown);
  }
  struct stat status = {};
  base::Digest key;
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
      (status.st_mode & 077) != 0 || status.st_size != static_cast<off_t>(key.size()) ||
      !read_all(file.descriptor, std::as_writable_bytes(std::span(key))))
    throw base::Error("cache.bad_key", shown);
  return key;
}

template <typename Visit>
void PrefixFolder::visit(Visit visit) const {
  // Opened anew: the place in a folder belongs to the open file.
  const int copy = ::openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(copy), ::closedir);
  if (!list) {
    ::close(copy);
    return;
  }
  while (const dirent* entry = ::readdir(list.get())) visit(std::string(entry->d_name));
}

bool PrefixFolder::is_empty() const {
  bool empty = true;
  visit([&](const std::string& file) { empty = empty && (file == "." || file == ".."); });
  return empty;
}

std::vector<base::Digest> PrefixFolder::names() const {
  std::vector<base::Digest> found;
  visit([&](const std::string& file) {
    if (const auto name = digest_of(file)) found.push_back(*name);
  });
  return found;
}

void PrefixFolder::remove_others(bool all) const {
  std::vector<std::string> files;
  visit([&](const std::string& file) {
    const size_t torn = file.find(kTorn);
    const std::string whole = file.substr(0, torn);
    const bool ours = torn != std::string::npos && (digest_of(whole) || whole == kKeyFile);
    const bool other = file == kKeyFile || file == kDigestsFile;
    if (ours || (all && other)) files.push_back(file);
  });
  for (const std::string& file : files) ::unlinkat(folder_, file.c_str(), 0);
}

void PrefixFolder::remove(const base::Digest& name) const {
  ::unlinkat(folder_, file_name(name).c_str(), 0);
}

void PrefixFolder::mark_used(const base::Digest& name) const {
  const std::array<timespec, 2> now = {{{0, UTIME_OMIT}, {0, UTIME_NOW}}};
  ::utimensat(folder_, file_name(name).c_str(), now.data(), AT_SYMLINK_NOFOLLOW);
}

PrefixFolder::Look PrefixFolder::look(const base::Digest& name, const base::Digest& key) const {
  Look found;
  PrefixHeadBytes bytes;
  const File file(::openat(folder_, file_name(name).c_str(), kReading));
  found.outcome = open_state(file, key, found, bytes);
  if (found.outcome.done() && found.head.name != name)
    found.outcome = {Kind::kWrong, "its name is another one's"};
  return found;
}

PrefixFileOutcome PrefixFolder::write(const PrefixHead& head, std::span<const int32_t> tokens,
                                      std::span<const std::span<std::byte>> parts,
                                      const base::Digest& key, uint64_t number) const {
  const std::string name = file_name(head.name);
  const std::string temporary = name + std::string(kTorn) + base::to_text(number);
  const File file(::openat(folder_, temporary.c_str(), kMaking, 0600));
  if (file.descriptor < 0) return {Kind::kRefused, std::strerror(errno)};
  base::HmacSha256 hmac(base::bytes_of(key));
  const auto put = [&](std::span<const std::byte> data) {
    hmac.update(data);
    return write_all(file.descriptor, data);
  };
  bool good = put(encode_prefix_head(head, key)) && put(std::as_bytes(tokens));
  for (const std::span<const std::byte> part : parts) good = good && put(part);
  good = good && write_all(file.descriptor, base::bytes_of(hmac.finish())) &&
         ::renameat(folder_, temporary.c_str(), folder_, name.c_str()) == 0;
  if (good) return {};
  const PrefixFileOutcome outcome = {Kind::kRefused, std::strerror(errno)};
  ::unlinkat(folder_, temporary.c_str(), 0);
  return outcome;
}

PrefixFileOutcome PrefixFolder::read(const PrefixHead& head, std::span<const int32_t> tokens,
                                     std::span<const std::span<std::byte>> parts,
                                     const base::Digest& key) const {
  Look found;
  PrefixHeadBytes bytes;
  const File file(::openat(folder_, file_name(head.name).c_str(), kReading));
  if (PrefixFileOutcome outcome = open_state(file, key, found, bytes); !outcome.done())
    return outcome;
  if (found.head != head) return {Kind::kWrong, "it is of another prompt, user or model"};
  base::HmacSha256 hmac(base::bytes_of(key));
  hmac.update(bytes);
  std::vector<int32_t> stored(tokens.size());
  if (!read_all(file.descriptor, std::as_writable_bytes(std::span(stored)))) return read_failed();
  hmac.update(std::as_bytes(std::span(stored)));
  if (!std::equal(stored.begin(), stored.end(), tokens.begin()))
    return {Kind::kWrong, "its tokens are other ones"};
  for (const std::span<std::byte> part : parts) {
    if (!read_all(file.descriptor, part)) return read_failed();
    hmac.update(part);
  }
  base::Digest mac;
  if (!read_all(file.descriptor, std::as_writable_bytes(std::span(mac)))) return read_failed();
  if (!base::equal_in_constant_time(mac, hmac.finish()))
    return {Kind::kWrong, "its content was changed"};
  return {};
}

}  // namespace tulou::engine
