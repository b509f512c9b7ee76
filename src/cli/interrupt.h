// Ctrl-C: ends the program while it loads or reads, and only stops the work while it computes.
#pragma once

#include <atomic>

#include "engine/engine.h"

namespace tulou::cli {

// Installs the handler: from now on Ctrl-C ends the program with exit code 130, unless an
// InterruptScope lives.
void install_interrupt_handler();

// While it lives, Ctrl-C only sets a flag and interrupts the engine's step. The second Ctrl-C
// ends the program if `second_ends` is true. Only one may live at a time.
class InterruptScope {
 public:
  // `engine` may be null; it must outlive the scope.
  explicit InterruptScope(engine::Engine* engine = nullptr, bool second_ends = true);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  // Ctrl-C came since the scope began or since clear().
  bool pending() const;
  void clear();
  // The flag itself, as nn::Pass wants it.
  const std::atomic<bool>& flag() const;

  // Blocks until `descriptor` can be read or is at its end: true; false once Ctrl-C is pending,
  // however shortly before the call it came.
  bool wait_for(int descriptor) const;

  // While it lives, Ctrl-C interrupts the engine: at once if it is pending already. What is pending
  // at its end is cleared.
  class Work {
   public:
    Work(InterruptScope& scope, engine::Engine& engine);
    ~Work();
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

   private:
    InterruptScope& scope_;
  };
};

}  // namespace tulou::cli
