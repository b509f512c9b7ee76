// Counts what a test program allocates, and makes an allocation fail on purpose. Not with
// sanitizers, which bring their own allocator.
#pragma once

#include <cstddef>

namespace tulou::checkpoint::test {

struct AllocationMeter {
  // False where the program's operator new could not be replaced.
  static bool available();
  // Bytes allocated now, and the most since the last reset_peak().
  static size_t live();
  static size_t peak();
  static void reset_peak();
  // The n-th allocation from now (n >= 1) throws std::bad_alloc; 0 ends it. True from failed()
  // if that happened since.
  static void fail_at(size_t n);
  static bool failed();
};

}  // namespace tulou::checkpoint::test
