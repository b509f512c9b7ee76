// The helper process: a copy of the program, forked while it has one thread, that forks a child for
// each grammar. The child compiles it; if that stays within the limits, the program may do the
// same. Limits bind the child alone: it is killed when it has used its processor time, its memory
// or its wall-clock time, and whatever happens to it is an error of that one request
// (docs/decisions/0016-structured-output.md).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "grammar/grammar.h"
#include "grammar/wire.h"

namespace tulou::grammar {

struct CompileLimits {
  int cpu_ms = 250;
  size_t bytes = 64u << 20;  // address space above what the helper has
  int wall_ms = 10'000;      // for a child that waits instead of computing
};

// Thread-safe: callers take turns.
class Helper {
 public:
  // Forks. Call it before the program starts threads; the helper ends with this object or with
  // the program. Errors: grammar.helper_lost if the system refuses.
  Helper();
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // Returns if a child could compile the grammar within the limits, or found an error in it that
  // the program will find too. Errors: grammar.too_complex (a limit was hit, or the child died),
  // grammar.helper_lost.
  void prove(const GrammarSource& source, const CompileLimits& limits);

  pid_t process() const { return process_; }

 private:
  Message ask(MessageKind kind, const std::string& body);

  std::mutex mutex_;
  int socket_ = -1;
  pid_t process_ = -1;
};

}  // namespace tulou::grammar
