#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "base/assert.h"
#include "base/error.h"

namespace tulou::base {
namespace {

// The mappings that the SIGBUS handler knows. A fixed table, since a handler may not lock or
// allocate; the bound is far above the shards of any model, and a mapping beyond it is merely not
// named.
struct Region {
  std::atomic<const std::byte*> begin{nullptr};
  std::atomic<size_t> size{0};
  std::array<char, 256> path{};
};
std::array<Region, 1024> regions;

void put(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_sigbus(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  for (Region& region : regions) {
    const std::byte* begin = region.begin.load();
    if (begin == nullptr || address < begin || address >= begin + region.size.load()) continue;
    put("error: ");
    put(region.path.data());
    put(": the file changed while it was being read\n");
    ::_exit(1);
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: the default action follows when the access is repeated
}

void remember(std::span<const std::byte> data, const std::string& path) {
  static std::once_flag installed;
  std::call_once(installed, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  });
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  for (Region& region : regions) {
    if (region.begin.load() != nullptr) continue;
    region.path.fill(0);
    std::memcpy(region.path.data(), path.data(), std::min(path.size(), region.path.size() - 1));
    region.size = data.size();
    region.begin = data.data();
    return;
  }
}

void forget(std::span<const std::byte> data) {
  for (Region& region : regions) {
    if (region.begin.load() == data.data()) region.begin = nullptr;
  }
}

int open_for_reading(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor >= 0) return descriptor;
  if (errno == ENOENT || errno == ENOTDIR) throw Error("file.not_found", path);
  throw Error("file.not_readable", path, std::strerror(errno));
}

struct stat status_of(int descriptor, const std::string& path) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0)
    throw Error("file.not_readable", path, std::strerror(errno));
  return status;
}

}  // namespace

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool is_folder(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string read_file(const std::string& path, uint64_t max_bytes) {
  const int descriptor = open_for_reading(path);
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  const struct stat status = status_of(descriptor, path);
  if (S_ISDIR(status.st_mode)) throw Error("file.not_readable", path, "it is a folder");
  if (static_cast<uint64_t>(status.st_size) > max_bytes)
    throw Error("file.too_large", path, status.st_size, max_bytes);
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error("file.not_readable", path, std::strerror(errno));
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(count));
    if (content.size() > max_bytes) throw Error("file.too_large", path, content.size(), max_bytes);
  }
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->descriptor_ = open_for_reading(path);
  const struct stat status = status_of(file->descriptor_, path);
  if (!S_ISREG(status.st_mode)) throw Error("file.not_readable", path, "not a regular file");
  file->identity_ = {static_cast<uint64_t>(status.st_size), status.st_ino, status.st_dev,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  if (status.st_size == 0) return file;
  void* address = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_SHARED,
                         file->descriptor_, 0);
  if (address == MAP_FAILED) throw Error("file.not_readable", path, std::strerror(errno));
  file->data_ = {static_cast<const std::byte*>(address), static_cast<size_t>(status.st_size)};
  remember(file->data_, path);
  return file;
}

MappedFile::~MappedFile() {
  if (!data_.empty()) {
    forget(data_);
    ::munmap(const_cast<std::byte*>(data_.data()), data_.size());
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MappedFile::check_unchanged() const {
  const struct stat status = status_of(descriptor_, path_);
  const Identity now = {static_cast<uint64_t>(status.st_size), status.st_ino, status.st_dev,
                        status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  if (now != identity_) throw Error("file.changed", path_);
}

void MappedFile::drop_pages(std::span<const std::byte> part) const {
  if (part.empty()) return;
  DCHECK(part.data() >= data_.data() && part.data() + part.size() <= data_.data() + data_.size());
  // From the page that `part` begins in: neighbours that drop their parts leave none between.
  static const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(part.data()) % page;
  ::madvise(const_cast<std::byte*>(part.data()) - before, part.size() + before, MADV_DONTNEED);
}

DurableFile::DurableFile(std::string path, FileAccess access) : path_(std::move(path)) {
  temporary_path_ = path_ + ".part-" + std::to_string(::getpid());
  const mode_t mode = access == FileAccess::kOwnerOnly ? 0600 : 0644;
  // One that an ended process of the same number has left may have another mode.
  ::unlink(temporary_path_.c_str());
  descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor_ < 0) fail();
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
}

void DurableFile::fail() const { throw Error("file.not_writable", path_, std::strerror(errno)); }

void DurableFile::write(std::span<const std::byte> data) {
  ASSERT(descriptor_ >= 0);
  while (!data.empty()) {
    const ssize_t count = ::write(descriptor_, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail();
    data = data.subspan(static_cast<size_t>(count));
  }
}

void DurableFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void DurableFile::commit() {
  ASSERT(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) fail();  // never retried as a success
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail();
  ::close(descriptor_);
  descriptor_ = -1;
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor < 0) fail();
  const int result = ::fsync(folder_descriptor);
  ::close(folder_descriptor);
  if (result != 0) fail();
}

}  // namespace tulou::base
