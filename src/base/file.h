// Whole files: reading with a bound, mapping, and writing so that a crash leaves the old or the new
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tulou::base {

bool exists(const std::string& path);
bool is_folder(const std::string& path);

// The whole content; Error file.not_found, file.not_readable or file.too_large. "-" is not special.
std::string read_file(const std::string& path, uint64_t max_bytes);

// A file mapped read-only and shared. If another process shortens the file while it is mapped, the
// kernel raises SIGBUS on access: a handler recognises our mappings, says which file changed on
// standard error and ends the process with exit code 1.
class MappedFile {
 public:
  // Maps a regular file; an empty one gives empty data. Error as read_file, and file.changed.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> data() const { return data_; }
  const std::string& path() const { return path_; }
  // Throws Error file.changed if size, time of modification or identity differ from when it was
  // opened. Call after the last use of data().
  void check_unchanged() const;
  // Tells the kernel that the pages of `part`, which lies in data(), may go; reading them again is
  // slow but right.
  void drop_pages(std::span<const std::byte> part) const;

 private:
  struct Identity {
    uint64_t size = 0, inode = 0, device = 0;
    int64_t modified_s = 0, modified_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  MappedFile() = default;
  std::string path_;
  int descriptor_ = -1;
  std::span<const std::byte> data_;
  Identity identity_;
};

// Who may read a file that is written: as usual (0644 less the umask), or its owner alone (0600).
enum class FileAccess { kUsual, kOwnerOnly };

// Writes to a temporary name beside `path`; nothing is visible under `path` until commit().
// Destroyed without commit(), it removes the temporary file.
class DurableFile {
 public:
  explicit DurableFile(std::string path, FileAccess access = FileAccess::kUsual);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte> data);
  void write(std::string_view text);
  // fsync, rename over `path`, fsync of the folder. Error file.not_writable.
  void commit();

 private:
  [[noreturn]] void fail() const;
  std::string path_, temporary_path_;
  int descriptor_ = -1;
};

}  // namespace tulou::base
