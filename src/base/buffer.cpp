#include "base/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::base {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

std::optional<uint64_t> number_in(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return parse_uint(word);
}

}  // namespace

Buffer::Buffer(size_t bytes, std::string_view what) : size_(bytes) {
  if (bytes == 0) return;
  void* memory = MAP_FAILED;
  // An impossible size must not reach the kernel's overcommit heuristics.
  if (CheckedSize(bytes).rounded_up(kHugePage).at_most(uint64_t{1} << 46))
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error("memory.exhausted", what, bytes);
  if (bytes >= kHugePage) ::madvise(memory, bytes, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(memory);
}

Buffer::~Buffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

uint64_t available_memory() {
  uint64_t available = UINT64_MAX;
  std::ifstream file("/proc/meminfo");
  for (std::string key, value, unit; file >> key >> value >> unit;) {
    if (key == "MemAvailable:") available = parse_uint(value).value_or(available / 1024) * 1024;
  }
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) available = std::min(available, *limit > *used ? *limit - *used : 0);
  return available;
}

}  // namespace tulou::base
