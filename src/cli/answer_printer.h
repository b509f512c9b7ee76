// Shows an answer while it grows: thinking dimmed (marked where there is no colour), control
// characters visible instead of sent.
#pragma once

#include <string_view>
#include <vector>

#include "cli/output.h"
#include "cli/progress_bar.h"
#include "completion/completion.h"

namespace tulou::cli {

class AnswerPrinter {
 public:
  AnswerPrinter(Output& out, bool hide_reasoning) : out_(out), hide_reasoning_(hide_reasoning) {}

  void print(const std::vector<completion::Piece>& pieces);
  // Ends the line and the dimming.
  void finish();

 private:
  void begin_reasoning();
  void end_reasoning();

  Output& out_;
  bool hide_reasoning_;
  bool in_reasoning_ = false;
  bool at_line_start_ = true;
};

// Lets the engine work until the answer is there; shows it, and how far the reading of the prompt
// is. `printer` may be null.
void follow(completion::Completion& completion, AnswerPrinter* printer, ProgressBar& progress);

}  // namespace tulou::cli
