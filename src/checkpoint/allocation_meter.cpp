#include "checkpoint/allocation_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TULOU_REPLACE_NEW 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TULOU_REPLACE_NEW 0
#endif
#endif
#ifndef TULOU_REPLACE_NEW
#define TULOU_REPLACE_NEW 1
#endif

namespace tulou::checkpoint::test {
namespace {

std::atomic<size_t> live_bytes{0}, peak_bytes{0}, countdown{0};
std::atomic<bool> has_failed{false};

#if TULOU_REPLACE_NEW
void* allocate(size_t size) {
  if (countdown.load() != 0 && countdown.fetch_sub(1) == 1) {
    has_failed = true;
    return nullptr;
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) return nullptr;
  const size_t now = live_bytes += ::malloc_usable_size(memory);
  size_t peak = peak_bytes.load();
  while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
  }
  return memory;
}

void release(void* memory) {
  if (memory == nullptr) return;
  live_bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}
#endif

}  // namespace

bool AllocationMeter::available() { return TULOU_REPLACE_NEW != 0; }
size_t AllocationMeter::live() { return live_bytes; }
size_t AllocationMeter::peak() { return peak_bytes; }
void AllocationMeter::reset_peak() { peak_bytes = live_bytes.load(); }
void AllocationMeter::fail_at(size_t n) {
  countdown = n;
  if (n != 0) has_failed = false;
}
bool AllocationMeter::failed() { return has_failed; }

}  // namespace tulou::checkpoint::test

#if TULOU_REPLACE_NEW
using tulou::checkpoint::test::allocate;
using tulou::checkpoint::test::release;

void* operator new(size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
#endif
