// The helper process: a copy of the program, forked while it has one thread, that holds the tables
// of the vocabularies and forks a child for each grammar. The child compiles it; if that stays
// within the limits, the program may do the same. Limits bind the child alone: it is killed when it
// has used its processor time, its memory or its wall-clock time, and whatever happens to it is an
// error of that one request (docs/decisions/0016-structured-output.md).
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
  size_t bytes = 64u << 20;  // address space above what the helper has with its tables
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

  // Gives the helper a vocabulary; the number names it in prove().
  uint32_t add_vocabulary(const VocabularyData& data);
  void remove_vocabulary(uint32_t number);

  // Returns if a child could compile the EBNF text within the limits. Errors: grammar.too_complex
  // (a limit was hit, or the child died), grammar.not_compiled (XGrammar refuses it),
  // grammar.helper_lost.
  void prove(uint32_t vocabulary, const std::string& ebnf, const CompileLimits& limits);

  pid_t process() const { return process_; }

 private:
  Message ask(MessageKind kind, const std::string& body);

  std::mutex mutex_;
  int socket_ = -1;
  pid_t process_ = -1;
  uint32_t next_vocabulary_ = 1;
};

}  // namespace tulou::grammar
