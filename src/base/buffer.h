// Large, aligned memory for weights and caches, in huge pages where the system gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace tulou::base {

// Owns zeroed memory, aligned to 64 bytes (to a page, or to a huge one from that size on). Movable.
class Buffer {
 public:
  Buffer() = default;
  // Error memory.exhausted naming `what` if the memory is not to be had.
  Buffer(size_t bytes, std::string_view what);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  friend class Slab;
  std::shared_ptr<std::byte> mapping_;  // to the mapping's begin; shared by the parts of a slab
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// One mapping that is handed out in parts, so that many buffers which are smaller than a huge page
// or end within one lie in huge pages all the same. Only what is written takes memory.
class Slab {
 public:
  // Error memory.exhausted naming `what`.
  Slab(size_t bytes, std::string_view what) : memory_(bytes, what) {}

  // The next `bytes`, which live on without the slab; memory of its own if the slab has too few
  // left. Error memory.exhausted naming `what`.
  Buffer take(size_t bytes, std::string_view what);

 private:
  Buffer memory_;
  size_t used_ = 0;
};

// Bytes of memory that a process may still take: the system's available memory or what is left of
// the cgroup's limit, whichever is less; UINT64_MAX if neither is known.
uint64_t available_memory();

}  // namespace tulou::base
