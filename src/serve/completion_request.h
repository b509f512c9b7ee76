// POST /v1/completions: the body as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serve/generation_request.h"
#include "serve/text_or_ids.h"

namespace tulou::serve {

struct CompletionRequest : GenerationRequest {
  std::vector<TextOrIds> prompts;  // at least one
  bool echo = false;
  std::string suffix;  // what follows the answer; empty: nothing
};

// `logprobs` is a number here: top_logprobs of the request. max_tokens is 16 if absent, as OpenAI
// has it; 0 is allowed with echo or prompt_logprobs. Error json.*, request.*.
CompletionRequest parse_completion_request(std::string_view body);

const FieldTable<CompletionRequest>& completion_fields();

}  // namespace tulou::serve
