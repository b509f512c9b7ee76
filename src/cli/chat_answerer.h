// Who answers in a chat: a model that this program has loaded, or a server (remote_answer.h).
#pragma once

#include <string>

#include "base/json.h"
#include "cli/answer_options.h"
#include "cli/answer_printer.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "completion/completion.h"
#include "completion/text_model.h"
#include "engine/engine.h"
#include "text/template.h"

namespace tulou::cli {

class ChatAnswerer {
 public:
  virtual ~ChatAnswerer() = default;
  // What a terminal is told when the chat begins, such as "context 4096 tokens".
  virtual std::string introduction() const = 0;
  // Answers the last of `messages` and prints the answer as it grows. Ctrl-C ends the answer, not
  // the program, and is not pending afterwards.
  virtual completion::CompletionResult answer(const base::Json& messages,
                                              const AnswerSettings& settings,
                                              InterruptScope& interrupt,
                                              AnswerPrinter& printer) = 0;
};

// All must outlive it.
class LocalAnswerer final : public ChatAnswerer {
 public:
  LocalAnswerer(const completion::TextModel& model, const text::ChatTemplate& chat_template,
                engine::Engine& engine, ProgressBar& progress)
      : model_(model), template_(chat_template), engine_(engine), progress_(progress) {}

  std::string introduction() const override;
  completion::CompletionResult answer(const base::Json& messages, const AnswerSettings& settings,
                                      InterruptScope& interrupt, AnswerPrinter& printer) override;

 private:
  const completion::TextModel& model_;
  const text::ChatTemplate& template_;
  engine::Engine& engine_;
  ProgressBar& progress_;
};

}  // namespace tulou::cli
