// Line input by libedit; see line_reader.h. The only file that sees libedit, and the only one that
// sets a locale: its LC_CTYPE, so that libedit knows UTF-8. Numbers never depend on it.
#include "cli/line_reader.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "cli/output.h"

namespace tulou::cli {

namespace {

constexpr int kHistoryLines = 1000;

}  // namespace

struct LineReader::Editor {
  EditLine* line = nullptr;
  History* history = nullptr;
  HistEvent event = {};
  std::string prompt, history_path;
  const InterruptScope* interrupt = nullptr;  // while a line is read
  bool has_typed = false;                     // since the prompt

  static Editor& of(EditLine* line) {
    void* data = nullptr;
    el_get(line, EL_CLIENTDATA, &data);
    return *static_cast<Editor*>(data);
  }
  static char* show_prompt(EditLine* line) { return of(line).prompt.data(); }
  static int read_character(EditLine* line, wchar_t* character);
  Editor() = default;
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;
  ~Editor() {
    if (!history_path.empty()) ::history(history, &event, H_SAVE, history_path.c_str());
    if (history != nullptr) history_end(history);
    if (line != nullptr) el_end(line);
  }
};

// One character from the terminal for libedit: 1, or 0 at the end, or -1 with EINTR after Ctrl-C.
// libedit's own reader takes up reading again after a signal.
int LineReader::Editor::read_character(EditLine* line, wchar_t* character) {
  std::string bytes;
  while (true) {
    if (!of(line).interrupt->wait_for(STDIN_FILENO)) {
      errno = EINTR;
      return -1;
    }
    char byte = 0;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return static_cast<int>(count);
    bytes += byte;
    const base::Utf8Step step = base::decode_utf8(bytes, 0);
    const bool may_continue = !step.valid && step.length == bytes.size() && bytes.size() < 4 &&
                              static_cast<unsigned char>(bytes[0]) >= 0xC2;
    if (may_continue) continue;
    *character = static_cast<wchar_t>(step.code_point);
    of(line).has_typed = true;
    return 1;
  }
}

LineReader::LineReader(const std::string& history_path) {
  if (!input_is_terminal() || isatty(STDOUT_FILENO) == 0) return;
  std::setlocale(LC_CTYPE, "");
  wchar_t wide = 0;
  std::mbstate_t state = {};
  if (std::mbrtowc(&wide, "\xc3\xa9", 2, &state) != 2) std::setlocale(LC_CTYPE, "C.UTF-8");
  editor_ = std::make_unique<Editor>();
  editor_->history_path = history_path;
  editor_->line = el_init("tulou", stdin, stdout, stderr);
  editor_->history = history_init();
  if (editor_->line == nullptr || editor_->history == nullptr) {
    editor_->history_path.clear();
    editor_ = nullptr;
    return;
  }
  history(editor_->history, &editor_->event, H_SETSIZE, kHistoryLines);
  history(editor_->history, &editor_->event, H_SETUNIQUE, 1);
  if (!history_path.empty())
    history(editor_->history, &editor_->event, H_LOAD, history_path.c_str());
  EditLine* line = editor_->line;
  el_set(line, EL_CLIENTDATA, editor_.get());
  el_set(line, EL_PROMPT, Editor::show_prompt);
  el_set(line, EL_EDITOR, "emacs");
  el_set(line, EL_HIST, history, editor_->history);
  el_set(line, EL_GETCFN, Editor::read_character);
  el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineReader::~LineReader() = default;

LineReader::Outcome LineReader::read(const std::string& prompt, std::string& line,
                                     InterruptScope& interrupt) {
  line.clear();
  if (editor_ == nullptr) return read_plain(line, interrupt);
  editor_->prompt = prompt;
  editor_->interrupt = &interrupt;
  editor_->has_typed = false;
  // libedit does it after the prompt only: Ctrl-D in between would be the end of a line of the
  // terminal's, and lost.
  el_set(editor_->line, EL_PREP_TERM, 1);
  int count = 0;
  errno = 0;
  const char* text = el_gets(editor_->line, &count);
  if (text == nullptr || count <= 0) {
    if (count < 0 && errno == EINTR) {
      el_reset(editor_->line);
      interrupt.clear();
      return editor_->has_typed ? Outcome::kCleared : Outcome::kInterrupted;
    }
    return Outcome::kEnd;
  }
  line.assign(text, static_cast<size_t>(count));
  if (line.ends_with('\n')) line.pop_back();
  return Outcome::kLine;
}

LineReader::Outcome LineReader::read_plain(std::string& line, InterruptScope& interrupt) {
  while (true) {
    const size_t end = buffered_.find('\n');
    if (end != std::string::npos) {
      line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return Outcome::kLine;
    }
    if (at_end_) {
      line = std::exchange(buffered_, {});
      return line.empty() ? Outcome::kEnd : Outcome::kLine;
    }
    if (buffered_.size() > kMaxLineBytes) throw base::Error("cli.input_too_long", kMaxLineBytes);
    if (!interrupt.wait_for(STDIN_FILENO)) {
      interrupt.clear();
      return Outcome::kInterrupted;
    }
    char chunk[4096];
    const ssize_t count = ::read(STDIN_FILENO, chunk, sizeof(chunk));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw base::Error("cli.input", std::strerror(errno));
    at_end_ = count == 0;
    buffered_.append(chunk, static_cast<size_t>(count));
  }
}

void LineReader::remember(const std::string& line) {
  if (editor_ != nullptr && !line.empty())
    history(editor_->history, &editor_->event, H_ENTER, line.c_str());
}

}  // namespace tulou::cli
