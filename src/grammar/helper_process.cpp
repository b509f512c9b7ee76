#include "grammar/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "base/error.h"
#include "grammar/automaton.h"
#include "grammar/source.h"
#include "grammar/wire.h"

namespace tulou::grammar {
namespace {

// Sanitizers reserve terabytes of address space and make code many times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif
constexpr int kSlower = kSanitized ? 20 : 1;

uint64_t address_space() {
  uint64_t pages = 0;
  FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  char line[128];
  if (std::fgets(line, sizeof(line), file) != nullptr) {
    for (const char* c = line; *c >= '0' && *c <= '9'; ++c) {
      pages = pages * 10 + static_cast<uint64_t>(*c - '0');
    }
  }
  std::fclose(file);
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// The timer measures processor time and kills (SIGPROF); RLIMIT_CPU counts in seconds only.
void set_limits(int cpu_ms, uint64_t bytes) {
  std::signal(SIGPROF, SIG_DFL);
  const int budget = cpu_ms * kSlower;
  itimerval timer{};
  timer.it_value.tv_sec = budget / 1000;
  timer.it_value.tv_usec = (budget % 1000) * 1000;
  setitimer(ITIMER_PROF, &timer, nullptr);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const auto seconds = static_cast<rlim_t>(budget) / 1000 + 2;
  const rlimit cpu{seconds, seconds};
  setrlimit(RLIMIT_CPU, &cpu);
  if (kSanitized) return;
  const auto most = static_cast<rlim_t>(address_space() + bytes);
  const rlimit memory{most, most};
  setrlimit(RLIMIT_AS, &memory);
}

// In the child. What is wrong with the grammar the program finds out itself.
[[noreturn]] void compile_and_exit(const GrammarSource& source) {
  int status = 0;
  try {
    Rules rules;
    const Rules::Rule root = add_source(rules, source);
    build_automaton(rules, root);
  } catch (const base::Error&) {
    status = 0;
  } catch (const std::exception&) {
    status = 1;
  }
  _exit(status);
}

// Waits until the child closes its end; false if it takes too long.
bool wait_for_end(int pipe, int wall_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wall_ms * kSlower);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{pipe, POLLIN, 0};
    const int polled = poll(&ready, 1, static_cast<int>(left.count()));
    if (polled < 0 && errno == EINTR) continue;
    return polled > 0;  // nothing is ever written
  }
}

bool compiles(BodyReader reader) {
  const auto cpu_ms = reader.number<int>();
  const auto bytes = reader.number<uint64_t>();
  const auto wall_ms = reader.number<int>();
  const auto kind = static_cast<GrammarKind>(reader.number<uint32_t>());
  const GrammarSource source{kind, std::string(reader.text())};
  std::array<int, 2> ends{};
  if (!reader.good() || pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    close(ends[0]);
    set_limits(cpu_ms, bytes);
    compile_and_exit(source);
  }
  close(ends[1]);
  const bool in_time = child > 0 && wait_for_end(ends[0], wall_ms);
  if (child > 0 && !in_time) kill(child, SIGKILL);
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return in_time && status == 0;
}

// False when the program is gone.
bool answer_one(int socket) {
  Message message;
  if (!receive_message(socket, message)) return false;
  const bool good = message.kind == MessageKind::kCompile && compiles(BodyReader(message.body));
  return send_message(socket, good ? MessageKind::kDone : MessageKind::kTooComplex, "");
}

}  // namespace

void run_helper(int socket) {
  // Ctrl-C reaches the whole group of processes; the program decides when the helper ends.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  prctl(PR_SET_NAME, "tulou-grammar");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Nothing of the program's files and connections stays open here.
  constexpr int kSocket = 3;
  if (socket != kSocket && dup2(socket, kSocket) < 0) _exit(1);
  close_range(kSocket + 1, ~0u, 0);
  while (answer_one(kSocket)) {
  }
  _exit(0);
}

}  // namespace tulou::grammar
