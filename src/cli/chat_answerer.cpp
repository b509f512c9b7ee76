#include "cli/chat_answerer.h"

#include <utility>

#include "base/json_value.h"
#include "base/number.h"
#include "completion/prompt.h"

namespace tulou::cli {

std::string LocalAnswerer::introduction() const {
  return "context " + base::to_text(engine_.options().context) + " tokens";
}

completion::CompletionResult LocalAnswerer::answer(const base::Json& messages,
                                                   const AnswerSettings& settings,
                                                   InterruptScope& interrupt,
                                                   AnswerPrinter& printer) {
  base::Json context = {{"messages", messages}};
  if (settings.think) context["enable_thinking"] = *settings.think;
  completion::CompletionRequest request;
  request.prompt = completion::chat_prompt(model_, template_, context);
  request.sampling =
      settings.sampling(model_.sampling(engine_.model().config(), request.prompt.thinking));
  request.max_tokens = settings.max_tokens.value_or(-1);
  request.stops = settings.stops;
  const InterruptScope::Work work(interrupt, engine_);
  completion::Completion completion(model_, engine_, std::move(request));
  follow(completion, &printer, progress_);
  return completion.result();
}

}  // namespace tulou::cli
