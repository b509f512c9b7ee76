#include "base/arena.h"

#include <algorithm>
#include <new>

namespace tulou::base {
namespace {
constexpr size_t kMinChunk = size_t{1} << 20;
}

void Arena::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t{kAlignment});
}

void Arena::add_chunk(size_t bytes) {
  const size_t size = std::max(bytes, kMinChunk);
  auto* memory = static_cast<std::byte*>(::operator new(size, std::align_val_t{kAlignment}));
  chunks_.push_back({std::unique_ptr<std::byte, Free>(memory), size, 0});
  ++num_allocations_;
}

void* Arena::allocate_bytes(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  while (current_ < chunks_.size() && chunks_[current_].size - chunks_[current_].used < bytes) {
    if (current_ + 1 == chunks_.size()) break;
    chunks_[++current_].used = 0;
  }
  if (chunks_.empty() || chunks_[current_].size - chunks_[current_].used < bytes) {
    add_chunk(std::max(bytes, capacity()));  // doubling keeps the number of chunks small
    current_ = chunks_.size() - 1;
  }
  Chunk& chunk = chunks_[current_];
  void* memory = chunk.memory.get() + chunk.used;
  chunk.used += bytes;
  return memory;
}

void Arena::release(Mark mark) {
  if (chunks_.empty()) return;
  current_ = mark.chunk;
  chunks_[current_].used = mark.used;
}

void Arena::reset() {
  if (chunks_.size() > 1) {
    const size_t total = capacity();
    chunks_.clear();
    add_chunk(total);
  }
  current_ = 0;
  if (!chunks_.empty()) chunks_[0].used = 0;
}

size_t Arena::capacity() const {
  size_t total = 0;
  for (const Chunk& chunk : chunks_) total += chunk.size;
  return total;
}

}  // namespace tulou::base
