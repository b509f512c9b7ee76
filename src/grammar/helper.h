// The helper process: a copy of the program, forked while it has one thread, that holds the tables
// of the vocabularies and forks a child for each compilation. Limits bind the child alone: it is
// killed when it has used its processor time, its memory or its wall-clock time, and whatever
// happens to it is an error of that one request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>

#include "grammar/grammar.h"

namespace tulou::grammar {

struct CompileLimits {
  int cpu_ms = 250;
  size_t bytes = 64u << 20;  // address space above what the helper has with its tables
  int wall_ms = 5000;        // for a child that waits instead of computing
};

// Thread-safe: callers take turns.
class Helper {
 public:
  // Forks. Call it before the program starts threads; the helper ends with the program.
  Helper();
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // Gives the helper a vocabulary; the number names it in compile(). The helper compiles
  // `common_ebnf` once, without limits, so that children find its masks ready.
  uint32_t add_vocabulary(const VocabularyData& data, const std::string& common_ebnf);
  void remove_vocabulary(uint32_t number);

  // Compiles an EBNF text and returns XGrammar's serialised form. Errors: grammar.invalid (the
  // text is not a grammar), grammar.too_complex (a limit, or the child died), grammar.helper_lost.
  std::string compile(uint32_t vocabulary, const std::string& ebnf, const CompileLimits& limits);

 private:
  std::mutex mutex_;
  int socket_ = -1;
  pid_t process_ = -1;
  uint32_t next_vocabulary_ = 1;
};

}  // namespace tulou::grammar
