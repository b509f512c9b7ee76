// Large, aligned memory for weights and caches, in huge pages where the system gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tulou::base {

// Owns zeroed memory, aligned to 64 bytes (to a page if large). Movable.
class Buffer {
 public:
  Buffer() = default;
  // Error memory.exhausted naming `what` if the memory is not to be had.
  Buffer(size_t bytes, std::string_view what);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Bytes of memory that a process may still take: the system's available memory or what is left of
// the cgroup's limit, whichever is less; UINT64_MAX if neither is known.
uint64_t available_memory();

}  // namespace tulou::base
