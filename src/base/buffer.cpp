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
  const bool huge = bytes >= kHugePage;
  // An impossible size must not reach the kernel's overcommit heuristics.
  const CheckedSize rounded = CheckedSize(bytes).rounded_up(kHugePage);
  void* memory = MAP_FAILED;
  const size_t mapped = huge ? bytes + kHugePage : bytes;  // room to begin with a huge page
  if (rounded.at_most(uint64_t{1} << 46))
    memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error("memory.exhausted", what, bytes);
  auto* begin = static_cast<std::byte*>(memory);
  mapping_ = {begin, [mapped](std::byte* p) { ::munmap(p, mapped); }};
  data_ = begin + (huge ? -reinterpret_cast<uintptr_t>(begin) % kHugePage : 0);
  if (huge) ::madvise(data_, bytes, MADV_HUGEPAGE);  // before the first touch
}

Buffer::Buffer(Buffer&& other) noexcept
    : mapping_(std::move(other.mapping_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer Slab::take(size_t bytes, std::string_view what) {
  constexpr size_t kAlignment = 64;
  if (bytes > memory_.size() - used_) return Buffer(bytes, what);
  Buffer part;
  part.mapping_ = memory_.mapping_;
  part.data_ = memory_.data_ + used_;
  part.size_ = bytes;
  used_ = std::min(memory_.size(), (used_ + bytes + kAlignment - 1) / kAlignment * kAlignment);
  return part;
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
