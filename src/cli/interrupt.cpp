// The handler of SIGINT. Its state has to be global: a signal handler gets no argument.
#include "cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/assert.h"

namespace tulou::cli {

namespace {

constexpr int kExitInterrupted = 130;

std::atomic<bool> pending_flag{false};
std::atomic<bool> scope_lives{false};
std::atomic<bool> second_press_ends{true};
std::atomic<engine::Engine*> engine_at_work{nullptr};
// An eventfd that is readable while the flag is set: to wait for Ctrl-C and for input at once. A
// flag alone could be set between the look at it and the wait, and any thread may run the handler.
std::atomic<int> wake_descriptor{-1};
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);
static_assert(std::atomic<engine::Engine*>::is_always_lock_free);

void on_interrupt(int) {
  const bool second = pending_flag.exchange(true);
  if (!scope_lives.load() || (second && second_press_ends.load())) _exit(kExitInterrupted);
  const int error = errno;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_descriptor.load(), &one, sizeof(one));
  errno = error;
  if (engine::Engine* engine = engine_at_work.load()) engine->interrupt();
}

// The descriptor first: of a press between the two the descriptor still tells.
void forget_interrupt() {
  uint64_t presses = 0;
  [[maybe_unused]] const auto count = ::read(wake_descriptor.load(), &presses, sizeof(presses));
  pending_flag.store(false);
}

}  // namespace

void install_interrupt_handler() {
  wake_descriptor.store(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: reading a line has to end
  sigaction(SIGINT, &action, nullptr);
}

InterruptScope::InterruptScope(engine::Engine* engine, bool second_ends) {
  ASSERT(!scope_lives.load());
  forget_interrupt();
  second_press_ends.store(second_ends);
  engine_at_work.store(engine);
  scope_lives.store(true);
}

InterruptScope::~InterruptScope() {
  engine_at_work.store(nullptr);
  scope_lives.store(false);
  forget_interrupt();
}

bool InterruptScope::pending() const { return pending_flag.load(); }
void InterruptScope::clear() { forget_interrupt(); }
const std::atomic<bool>& InterruptScope::flag() const { return pending_flag; }

bool InterruptScope::wait_for(int descriptor) const {
  while (!pending()) {
    std::array<pollfd, 2> polled = {{{descriptor, POLLIN, 0}, {wake_descriptor.load(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;  // EINTR: the flag tells
    if (polled[1].revents != 0) return false;
    if (polled[0].revents != 0) return true;  // also an error, which reading then tells
  }
  return false;
}

InterruptScope::Work::Work(InterruptScope& scope, engine::Engine& engine) : scope_(scope) {
  engine_at_work.store(&engine);
  if (scope.pending()) engine.interrupt();
}

InterruptScope::Work::~Work() {
  engine_at_work.store(nullptr);
  scope_.clear();
}

}  // namespace tulou::cli
