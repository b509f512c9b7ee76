// Standard output and standard error as the commands use them: data on the one, messages on the
// other, every write checked, colour only where it is wanted.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace tulou::cli {

// The reader of standard output has gone (EPIPE): the program ends without a word.
class OutputClosed : public std::exception {};

// Buffered writing to standard output. Error cli.stdout if it cannot be written, OutputClosed if
// nobody reads it.
class Output {
 public:
  Output();

  void write(std::string_view text);
  void flush();
  bool is_terminal() const { return is_terminal_; }
  // A terminal that understands colours, and NO_COLOR is not set.
  bool has_colour() const { return has_colour_; }

 private:
  std::string buffer_;
  bool is_terminal_ = false;
  bool has_colour_ = false;
};

// A message for people, on standard error; failures are ignored. Control characters are shown.
void message(std::string_view text);
// Text for standard error as it stands (progress bars).
void message_raw(std::string_view text);
// True if standard error is a terminal that understands cursor movement.
bool messages_are_on_terminal();
bool input_is_terminal();

// All of standard input; Error cli.input if it is longer than `max_bytes` or cannot be read.
std::string read_input(uint64_t max_bytes);
// The content of a file, or of standard input for "-" or "".
std::string read_file_or_input(const std::string& path, uint64_t max_bytes);

inline constexpr uint64_t kMaxTextBytes = 1u << 30;

}  // namespace tulou::cli
