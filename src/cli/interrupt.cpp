// The handler of SIGINT. Its state has to be global: a signal handler gets no argument.
#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "base/assert.h"

namespace tulou::cli {

namespace {

constexpr int kExitInterrupted = 130;

std::atomic<bool> pending_flag{false};
std::atomic<bool> scope_lives{false};
std::atomic<bool> second_press_ends{true};
std::atomic<engine::Engine*> engine_at_work{nullptr};
static_assert(std::atomic<bool>::is_always_lock_free);
static_assert(std::atomic<engine::Engine*>::is_always_lock_free);

void on_interrupt(int) {
  const bool second = pending_flag.exchange(true);
  if (!scope_lives.load() || (second && second_press_ends.load())) _exit(kExitInterrupted);
  if (engine::Engine* engine = engine_at_work.load()) engine->interrupt();
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: reading a line has to end
  sigaction(SIGINT, &action, nullptr);
}

InterruptScope::InterruptScope(engine::Engine* engine, bool second_ends) {
  ASSERT(!scope_lives.load());
  pending_flag.store(false);
  second_press_ends.store(second_ends);
  engine_at_work.store(engine);
  scope_lives.store(true);
}

InterruptScope::~InterruptScope() {
  engine_at_work.store(nullptr);
  scope_lives.store(false);
  pending_flag.store(false);
}

bool InterruptScope::pending() const { return pending_flag.load(); }
void InterruptScope::clear() { pending_flag.store(false); }
const std::atomic<bool>& InterruptScope::flag() const { return pending_flag; }

}  // namespace tulou::cli
