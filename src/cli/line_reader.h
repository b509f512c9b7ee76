// Lines that a user types: with editing and history on a terminal, plain elsewhere.
#pragma once

#include <memory>
#include <string>

#include "cli/interrupt.h"

namespace tulou::cli {

class LineReader {
 public:
  // Lines longer than this are an error.
  static constexpr size_t kMaxLineBytes = 1u << 20;

  // `history_path` may be empty: then history lives only as long as the reader.
  explicit LineReader(const std::string& history_path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  enum class Outcome { kLine, kEnd, kInterrupted, kCleared };
  // The next line without its end. Ctrl-C, also a pending one, gives kInterrupted on an empty line,
  // kCleared where something was typed, and is no longer pending. The prompt shows only on a
  // terminal. Error cli.input_too_long, cli.input.
  Outcome read(const std::string& prompt, std::string& line, InterruptScope& interrupt);
  // Makes the line come back with the arrow keys. Does nothing off a terminal.
  void remember(const std::string& line);

  bool is_terminal() const { return editor_ != nullptr; }

 private:
  struct Editor;
  Outcome read_plain(std::string& line, InterruptScope& interrupt);
  std::unique_ptr<Editor> editor_;
  std::string buffered_;  // plain input that was read beyond the last line
  bool at_end_ = false;
};

}  // namespace tulou::cli
