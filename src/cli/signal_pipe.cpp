// The handlers' state has to be global: a signal handler gets no argument.
#include "cli/signal_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/assert.h"

namespace tulou::cli {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> write_end{-1};
int read_end = -1;
std::array<struct sigaction, kSignals.size()> before;

void on_signal(int number) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] const auto written = ::write(write_end.load(), &byte, 1);
  errno = error;
}

}  // namespace

SignalPipe::SignalPipe() {
  ASSERT(read_end < 0);
  std::array<int, 2> ends = {-1, -1};
  ASSERT(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  read_end = ends[0];
  write_end.store(ends[1]);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before[i]);
}

SignalPipe::~SignalPipe() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  ::close(write_end.exchange(-1));
  ::close(read_end);
  read_end = -1;
}

int SignalPipe::wait_ms(int milliseconds) {
  pollfd input = {read_end, POLLIN, 0};
  unsigned char byte = 0;
  if (::poll(&input, 1, milliseconds) > 0 && ::read(read_end, &byte, 1) == 1) return byte;
  return 0;
}

int SignalPipe::wait() {
  while (true) {
    if (const int number = wait_ms(-1)) return number;
  }
}

}  // namespace tulou::cli
