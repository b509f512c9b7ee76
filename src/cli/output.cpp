// Checked writing and reading of the standard streams.
#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"

namespace tulou::cli {

namespace {

constexpr size_t kBufferBytes = 64 * 1024;

// A terminal that is not "dumb".
bool is_capable_terminal(int descriptor) {
  if (isatty(descriptor) == 0) return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb" && *term != '\0';
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Output::Output() : is_terminal_(isatty(STDOUT_FILENO) != 0) {
  const char* no_colour = std::getenv("NO_COLOR");
  has_colour_ = is_capable_terminal(STDOUT_FILENO) && (no_colour == nullptr || *no_colour == '\0');
}

void Output::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) flush();
}

void Output::flush() {
  const std::string text = std::exchange(buffer_, {});
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) throw OutputClosed();
  throw base::Error("cli.stdout", std::strerror(errno));
}

void message_raw(std::string_view text) { write_all(STDERR_FILENO, text); }

void message(std::string_view text) {
  message_raw(base::printable(text, base::Layout::kKeep) + "\n");
}

bool messages_are_on_terminal() { return is_capable_terminal(STDERR_FILENO); }

bool input_is_terminal() { return isatty(STDIN_FILENO) != 0; }

std::string read_input(uint64_t max_bytes) {
  std::string text;
  std::string chunk(kBufferBytes, '\0');
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw base::Error("cli.input", std::strerror(errno));
    if (count == 0) return text;
    if (text.size() + static_cast<size_t>(count) > max_bytes)
      throw base::Error("cli.input_too_long", max_bytes);
    text.append(chunk, 0, static_cast<size_t>(count));
  }
}

std::string read_file_or_input(const std::string& path, uint64_t max_bytes) {
  if (path.empty() || path == "-") return read_input(max_bytes);
  return base::read_file(path, max_bytes);
}

}  // namespace tulou::cli
