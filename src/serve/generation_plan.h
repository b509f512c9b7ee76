// From a checked request and its prompts to what the engine is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "completion/prompt.h"
#include "serve/generation.h"
#include "serve/generation_request.h"

namespace tulou::serve {

// Who asks. Prefixes are shared within a tenant only.
struct Caller {
  std::string tenant;
  int64_t priority = 0;
  RequestBudget budget;
  std::optional<int64_t> max_streams;  // requests at once
};

// How answers are read and ruled, apart from what GenerationRequest says.
struct AnswerRules {
  text::ToolSchemas schemas;
  text::ToolCallOptions tools;
  std::optional<grammar::GrammarSource> tool_rule;  // in place of the request's output rule
  std::optional<int64_t> thinking_budget;
  bool may_think = true;  // false for plain texts, which have no thinking part
  bool guard_loops = true;
};

// Choices: for each prompt num_answers(). Error serve.context_length, request.*, grammar.*,
// serve.model_lacks.
GenerationPlan plan_generation(std::shared_ptr<LoadedModel> model, const GenerationRequest& request,
                               const std::vector<completion::Prompt>& prompts, const Caller& caller,
                               const AnswerRules& rules);

}  // namespace tulou::serve
