// Checks of our own mistakes. ASSERT is always on and belongs in cold code; DCHECK is for hot code
// and is compiled out of release builds. Never use either for input: throw Error for that.
#pragma once

namespace tulou::base {

// Prints the place and the condition, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace tulou::base

#define ASSERT(condition) \
  ((condition) ? (void)0 : ::tulou::base::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define DCHECK(condition) ((void)0)
#else
#define DCHECK(condition) ASSERT(condition)
#endif
