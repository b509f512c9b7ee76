// Printing of answers; see answer_printer.h.
#include "cli/answer_printer.h"

#include "base/number.h"

namespace tulou::cli {

namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

}  // namespace

void AnswerPrinter::begin_reasoning() {
  out_.write(out_.has_colour() ? kDim : "<think>\n");
  in_reasoning_ = true;
}

void AnswerPrinter::end_reasoning() {
  out_.write(out_.has_colour() ? kPlain : "\n</think>");
  out_.write("\n\n");
  in_reasoning_ = false;
  at_line_start_ = true;
}

void AnswerPrinter::print(const std::vector<completion::Piece>& pieces) {
  for (const completion::Piece& piece : pieces) {
    if (piece.reasoning && hide_reasoning_) continue;
    if (piece.reasoning && !in_reasoning_) begin_reasoning();
    if (!piece.reasoning && in_reasoning_) end_reasoning();
    out_.write(base::printable(piece.text, base::Layout::kKeep));
    at_line_start_ = piece.text.ends_with('\n');
  }
  if (!pieces.empty()) out_.flush();
}

void AnswerPrinter::finish() {
  if (in_reasoning_) {
    end_reasoning();
  } else if (!at_line_start_) {
    out_.write("\n");
  }
  out_.flush();
}

void follow(completion::Completion& completion, AnswerPrinter* printer, ProgressBar& progress) {
  const int64_t num_prompt_tokens = completion.result().prompt_tokens;
  progress.begin("reading the prompt", static_cast<uint64_t>(num_prompt_tokens),
                 base::ProgressUnit::kTokens);
  bool reading = true;
  while (completion.step()) {
    if (completion.result().generated_tokens == 0) {
      progress.advance(static_cast<uint64_t>(completion.num_prompt_tokens_done()));
      continue;
    }
    if (reading) progress.end();
    reading = false;
    if (printer != nullptr) printer->print(completion.take());
  }
  progress.end();
  if (printer != nullptr) printer->print(completion.take());
}

}  // namespace tulou::cli
