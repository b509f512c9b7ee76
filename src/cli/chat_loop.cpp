// The loop of a chat; see chat_loop.h.
#include "cli/chat_loop.h"

#include "base/error.h"
#include "base/nearest.h"
#include "base/number.h"
#include "base/utf8.h"
#include "cli/answer_printer.h"
#include "cli/interrupt.h"
#include "completion/completion.h"

namespace tulou::cli {

namespace {

constexpr std::string_view kBlockMark = "\"\"\"";

constexpr std::string_view kHelp =
    "/help                 this text\n"
    "/clear                forget the conversation, but not the system message\n"
    "/system TEXT          set the system message; without TEXT remove it\n"
    "/set PARAM VALUE      temperature, top-k, top-p, min-p, repetition-penalty, "
    "presence-penalty,\n"
    "                      frequency-penalty, seed, max-tokens, stop, think on|off,\n"
    "                      hide-think on|off; without arguments: what is set\n"
    "/save FILE            write the conversation as JSON\n"
    "/load FILE            go on with a saved conversation\n"
    "/quit                 end; Ctrl-D does it too\n"
    "\"\"\"                   begins and ends a message of many lines\n"
    "Ctrl-C stops an answer; at the prompt it clears the line, twice it ends the chat.\n";

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

// The first word and the rest.
std::pair<std::string, std::string> split_word(const std::string& text) {
  const size_t end = std::min(text.find_first_of(" \t"), text.size());
  return {text.substr(0, end), trimmed(std::string_view(text).substr(end))};
}

std::string speed_text(const completion::CompletionResult& result) {
  // Of an answer that was left early a server has told no numbers.
  if (result.prompt_tokens == 0) return "[stopped]";
  std::string text = "[" + base::to_text(result.generated_tokens) + " tokens";
  if (result.generation_speed() > 0)
    text += ", " + base::fixed(result.generation_speed(), 1) + " tokens/s";
  text += "; prompt " + base::to_text(result.prompt_tokens) + " tokens";
  if (result.prompt_speed() > 0) text += ", " + base::fixed(result.prompt_speed(), 1) + " tokens/s";
  if (result.finish_reason == engine::FinishReason::kCancelled) text += "; stopped";
  if (result.finish_reason == engine::FinishReason::kLength) text += "; cut at the token limit";
  return text + "]";
}

}  // namespace

void ChatLoop::tell(std::string_view text) {
  parts_.out.flush();
  message(text);
}

void ChatLoop::report(const base::Error& error) {
  tell("error: " + base::printable(error.what()));
  if (!error.hint().empty()) message("hint: " + base::printable(error.hint()));
}

void ChatLoop::run() {
  if (parts_.reader.is_terminal())
    tell(parts_.answerer.introduction() + "; /help tells about commands, Ctrl-D ends");
  bool interrupted_before = false;
  while (true) {
    std::string text;
    const Input input = read_message(text);
    if (input == Input::kQuit) return;
    if (input == Input::kNothing) {
      if (interrupted_before) return;
      interrupted_before = true;
      tell("Ctrl-C again or Ctrl-D ends the chat");
      continue;
    }
    interrupted_before = false;
    try {
      if (input == Input::kCommand) {
        if (!command(text)) return;
      } else if (!trimmed(text).empty()) {
        answer(text);
      }
    } catch (const base::Error& error) {
      if (error.id() == "cli.stdout") throw;
      report(error);
    }
  }
}

// kNothing: Ctrl-C on an empty line.
ChatLoop::Input ChatLoop::read_message(std::string& message) {
  while (true) {
    std::string line;
    const LineReader::Outcome outcome = parts_.reader.read("> ", line, interrupt_);
    if (outcome == LineReader::Outcome::kEnd) {
      if (parts_.reader.is_terminal()) parts_.out.write("\n");
      return Input::kQuit;
    }
    if (outcome == LineReader::Outcome::kInterrupted) {
      parts_.out.write("\n");
      return Input::kNothing;
    }
    if (outcome == LineReader::Outcome::kCleared) {
      parts_.out.write("\n");
      parts_.out.flush();
      continue;
    }
    if (const auto bad = base::find_invalid_utf8(line)) {
      report(base::Error("cli.not_utf8", "the line", *bad));
      continue;
    }
    if (trimmed(line).starts_with(kBlockMark)) {
      if (!read_block(trimmed(line).substr(kBlockMark.size()), message)) continue;
      return Input::kMessage;
    }
    parts_.reader.remember(line);
    message = line;
    // Within """ a slash begins no command.
    return line.starts_with('/') ? Input::kCommand : Input::kMessage;
  }
}

// The lines up to the closing mark, the rest of the first one included. False if it was given up.
bool ChatLoop::read_block(std::string first, std::string& message) {
  message.clear();
  std::string line = std::move(first);
  while (true) {
    if (line.ends_with(kBlockMark)) {
      message += line.substr(0, line.size() - kBlockMark.size());
      if (message.ends_with('\n')) message.pop_back();
      break;
    }
    if (!line.empty() || !message.empty()) message += line + "\n";
    if (message.size() > LineReader::kMaxLineBytes) {
      report(base::Error("cli.input_too_long", LineReader::kMaxLineBytes));
      return false;
    }
    const LineReader::Outcome outcome = parts_.reader.read(". ", line, interrupt_);
    if (outcome == LineReader::Outcome::kEnd) break;
    if (outcome != LineReader::Outcome::kLine) {
      parts_.out.write("\n");
      return false;
    }
  }
  if (const auto bad = base::find_invalid_utf8(message)) {
    report(base::Error("cli.not_utf8", "the message", *bad));
    return false;
  }
  return true;
}

bool ChatLoop::command(const std::string& line) {
  const auto [name, rest] = split_word(trimmed(line));
  if (name == "/quit" || name == "/exit" || name == "/bye") return false;
  if (name == "/help") {
    tell(kHelp.substr(0, kHelp.size() - 1));
  } else if (name == "/clear") {
    conversation_.clear();
    tell("the conversation is forgotten");
  } else if (name == "/system") {
    conversation_.set_system(rest);
    tell(rest.empty() ? "no system message" : "system message set");
  } else if (name == "/set") {
    set(rest);
  } else if (name == "/save" || name == "/load") {
    if (rest.empty()) throw base::Error("cli.chat_needs_file", name);
    if (name == "/save") conversation_.save(rest);
    if (name == "/load") conversation_ = Conversation::load(rest);
    tell((name == "/save" ? "saved " : "loaded ") + base::to_text(conversation_.num_messages()) +
         " messages");
  } else {
    static const std::vector<std::string> kNames = {"/help", "/clear", "/system", "/set",
                                                    "/save", "/load",  "/quit"};
    const std::string near = base::nearest(name, kNames);
    throw base::Error(
        "cli.unknown_chat_command", base::printable(name),
        near.empty() ? "/help tells about the commands" : "did you mean " + near + "?");
  }
  return true;
}

void ChatLoop::set(const std::string& arguments) {
  if (arguments.empty()) {
    const std::vector<std::string> lines = settings_.shown();
    if (lines.empty()) tell("nothing is set: the model's defaults hold");
    for (const std::string& line : lines) tell(line);
    return;
  }
  const auto [name, value] = split_word(arguments);
  AnswerSettings changed = settings_;
  set_parameter(changed, name, value);
  changed.sampling({});  // refuses values out of range
  settings_ = std::move(changed);
  tell(name + " is " + (value.empty() ? "not set" : value));
}

void ChatLoop::answer(const std::string& message) {
  conversation_.add_user(message);
  try {
    AnswerPrinter printer(parts_.out, settings_.hide_think);
    const completion::CompletionResult result =
        parts_.answerer.answer(conversation_.messages(), settings_, interrupt_, printer);
    printer.finish();
    if (result.text.empty() && result.reasoning.empty()) {
      conversation_.drop_last();
    } else {
      conversation_.add_assistant(result.text, result.reasoning);
    }
    tell(speed_text(result));
  } catch (const base::Error&) {
    conversation_.drop_last();
    throw;
  }
}

}  // namespace tulou::cli
