// The conversation itself: reads lines, carries out commands, shows answers.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/answer_options.h"
#include "cli/chat_answerer.h"
#include "cli/conversation.h"
#include "cli/line_reader.h"
#include "cli/output.h"

namespace tulou::cli {

// What a chat works with; everything must outlive the loop.
struct ChatParts {
  ChatAnswerer& answerer;
  LineReader& reader;
  Output& out;
};

// While it lives, Ctrl-C does not end the program.
class ChatLoop {
 public:
  explicit ChatLoop(const ChatParts& parts) : parts_(parts) {}

  Conversation& conversation() { return conversation_; }
  AnswerSettings& settings() { return settings_; }

  // Until /quit, the end of input, or Ctrl-C twice. Mistakes of the user are told and the loop goes
  // on; Error only where nothing can go on.
  void run();

 private:
  enum class Input { kMessage, kCommand, kNothing, kQuit };
  Input read_message(std::string& message);
  bool read_block(std::string first, std::string& message);
  // False for /quit.
  bool command(const std::string& line);
  void answer(const std::string& message);
  void tell(std::string_view text);
  void report(const base::Error& error);

  void set(const std::string& arguments);

  ChatParts parts_;
  // As long as the loop, so that Ctrl-C between a line and its answer counts for the answer, and
  // after it for the next prompt.
  InterruptScope interrupt_{nullptr, /*second_ends=*/false};
  Conversation conversation_;
  AnswerSettings settings_;
};

}  // namespace tulou::cli
