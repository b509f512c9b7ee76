#include "grammar/helper.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "grammar/helper_process.h"

namespace tulou::grammar {

Helper::Helper() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw base::Error("grammar.helper_lost");
  }
  process_ = ::fork();
  if (process_ == 0) run_helper(ends[1]);
  close(ends[1]);
  socket_ = ends[0];
  if (process_ < 0) {
    close(socket_);
    throw base::Error("grammar.helper_lost");
  }
}

Helper::~Helper() {
  close(socket_);  // the helper reads the end, and ends
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Message Helper::ask(MessageKind kind, const std::string& body) {
  const std::lock_guard lock(mutex_);
  Message answer;
  if (!send_message(socket_, kind, body) || !receive_message(socket_, answer)) {
    throw base::Error("grammar.helper_lost");
  }
  return answer;
}

void Helper::prove(const GrammarSource& source, const CompileLimits& limits) {
  BodyWriter writer;
  writer.number(limits.cpu_ms);
  writer.number(static_cast<uint64_t>(limits.bytes));
  writer.number(limits.wall_ms);
  writer.number(static_cast<uint32_t>(source.kind));
  writer.text(source.text);
  const Message answer = ask(MessageKind::kCompile, writer.body());
  if (answer.kind != MessageKind::kDone)
    throw base::Error("grammar.too_complex", limits.cpu_ms, limits.bytes >> 20);
}

}  // namespace tulou::grammar
