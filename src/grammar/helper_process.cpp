#include "grammar/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xgrammar/xgrammar.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "grammar/grammar.h"
#include "grammar/helper.h"
#include "grammar/wire.h"
#include "grammar/xgrammar_tables.h"

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
constexpr size_t kMaxMessage = 4096;

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

bool write_all(int file, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(file, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// How a child ends when it has no result.
constexpr int kFailed = 1;
constexpr int kRefused = 2;  // XGrammar threw; what it said is in the pipe

// In the child. Whatever goes wrong, the parent sees an exit status other than 0.
[[noreturn]] void compile_and_exit(xgrammar::GrammarCompiler& compiler, const std::string& ebnf,
                                   int pipe) {
  int status = kFailed;
  try {
    compiler.CompileGrammar(ebnf);
    status = 0;
  } catch (const std::bad_alloc&) {
    status = kFailed;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    if (write_all(pipe, what.data(), what.size())) status = kRefused;
  }
  _exit(status);
}

// Reads until the child closes its end, and keeps the beginning; false if it takes too long.
bool read_all(int pipe, int wall_ms, std::string& out) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wall_ms * kSlower);
  std::array<char, kMaxMessage> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{pipe, POLLIN, 0};
    const int polled = poll(&ready, 1, static_cast<int>(left.count()));
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return false;
    const ssize_t size = read(pipe, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    if (size == 0) return true;
    out.append(buffer.data(), std::min(static_cast<size_t>(size), kMaxMessage - out.size()));
  }
}

class HelperProcess {
 public:
  explicit HelperProcess(int socket) : socket_(socket) {}

  // False when the program is gone.
  bool answer_one() {
    Message message;
    if (!receive_message(socket_, message)) return false;
    BodyReader reader(message.body);
    Message answer{MessageKind::kInvalid, {}};
    switch (message.kind) {
      case MessageKind::kVocabulary:
        answer = add(reader);
        break;
      case MessageKind::kRemove:
        compilers_.erase(reader.number<uint32_t>());
        answer.kind = MessageKind::kDone;
        break;
      case MessageKind::kCompile:
        answer = compile(reader);
        break;
      default:
        break;
    }
    return send_message(socket_, answer.kind, answer.body);
  }

 private:
  Message add(BodyReader& reader) {
    VocabularyData data;
    const auto number = reader.number<uint32_t>();
    data.vocab_size = reader.number<int32_t>();
    for (auto n = reader.number<uint64_t>(); n > 0 && reader.good(); --n) {
      data.stop_tokens.push_back(reader.number<int32_t>());
    }
    for (auto n = reader.number<uint64_t>(); n > 0 && reader.good(); --n) {
      data.tokens.emplace_back(reader.text());
    }
    if (!reader.good()) return {MessageKind::kInvalid, {}};
    try {
      compilers_[number] =
          std::make_unique<xgrammar::GrammarCompiler>(make_tokenizer(data), 1, kNoCache);
    } catch (const std::exception&) {
      return {MessageKind::kInvalid, {}};
    }
    return {MessageKind::kDone, {}};
  }

  Message compile(BodyReader& reader) {
    const auto found = compilers_.find(reader.number<uint32_t>());
    const auto cpu_ms = reader.number<int>();
    const auto bytes = reader.number<uint64_t>();
    const auto wall_ms = reader.number<int>();
    const std::string ebnf(reader.text());
    std::array<int, 2> ends{};
    if (!reader.good() || found == compilers_.end() || pipe2(ends.data(), O_CLOEXEC) != 0) {
      return {MessageKind::kInvalid, {}};
    }
    const pid_t child = ::fork();
    if (child == 0) {
      close(ends[0]);
      set_limits(cpu_ms, bytes);
      compile_and_exit(*found->second, ebnf, ends[1]);
    }
    close(ends[1]);
    Message answer{MessageKind::kDone, {}};
    if (child < 0 || !read_all(ends[0], wall_ms, answer.body)) {
      answer.kind = MessageKind::kTooComplex;
      if (child > 0) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (answer.kind == MessageKind::kDone && status != 0) {
      const bool refused = WIFEXITED(status) && WEXITSTATUS(status) == kRefused;
      answer.kind = refused ? MessageKind::kInvalid : MessageKind::kTooComplex;
    }
    if (answer.kind == MessageKind::kTooComplex) answer.body.clear();
    return answer;
  }

  int socket_;
  std::map<uint32_t, std::unique_ptr<xgrammar::GrammarCompiler>> compilers_;
};

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
  HelperProcess process(kSocket);
  while (process.answer_one()) {
  }
  _exit(0);
}

}  // namespace tulou::grammar
