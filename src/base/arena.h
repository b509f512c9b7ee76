// Memory for the activations of one step: handed out by moving a pointer, given back all at once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tulou::base {

// Not thread-safe: one owner. Alignment is 64 bytes. Memory is not initialised.
class Arena {
 public:
  static constexpr size_t kAlignment = 64;

  // `count` elements that live until reset() or the release of an earlier mark.
  template <typename T>
  std::span<T> allocate(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return {static_cast<T*>(allocate_bytes(count * sizeof(T))), count};
  }

  // Gives everything back. If the last round needed several chunks they become one, so that the
  // same round again allocates nothing.
  void reset();

  // The place to go back to: Arena::Scope gives back what was allocated during its life.
  struct Mark {
    size_t chunk = 0, used = 0;
  };
  Mark mark() const { return {current_, chunks_.empty() ? 0 : chunks_[current_].used}; }
  void release(Mark mark);

  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Scope() { arena_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    Mark mark_;
  };

  // Bytes held from the system, and how often the system was asked.
  size_t capacity() const;
  size_t num_allocations() const { return num_allocations_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  struct Chunk {
    std::unique_ptr<std::byte, Free> memory;
    size_t size = 0, used = 0;
  };
  void* allocate_bytes(size_t bytes);
  void add_chunk(size_t bytes);

  std::vector<Chunk> chunks_;
  size_t current_ = 0;
  size_t num_allocations_ = 0;
};

}  // namespace tulou::base
