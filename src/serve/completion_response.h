// The responses of /v1/completions, whole and streamed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer.h"
#include "serve/api_error.h"

namespace tulou::serve {

// One choice. With echo the prompt's text stands in front of the answer's, and so do its
// log-probabilities if they are wanted.
struct CompletionChoice {
  Answer answer;
  std::string prompt_text;                          // with echo, else empty
  const PromptLogprobs* prompt_logprobs = nullptr;  // with echo and logprobs, else nullptr
  std::vector<int32_t> prompt_token_ids;            // if token ids are wanted
};

struct CompletionResponse {
  ResponseHead head;
  std::vector<CompletionChoice> choices;  // in the order of their index
  Usage usage;
  bool logprobs = false;
  bool token_ids = false;
  const PromptLogprobs* prompt_logprobs = nullptr;  // of the first prompt; nullptr: not wanted
};

// A text_completion object.
base::Json text_completion(const CompletionResponse& response);

// A stream as frames; see ChatStream.
class CompletionStream {
 public:
  struct Options {
    bool include_usage = false;
    bool logprobs = false;
    bool token_ids = false;
  };
  CompletionStream(ResponseHead head, Options options);

  // The prompt itself, where echo is wanted.
  std::string echo(int64_t index, const std::string& prompt_text, const PromptLogprobs* logprobs);
  std::string event(const AnswerEvent& event);
  std::string finish(int64_t index, AnswerEnd end, std::string_view stop_reason = "");
  std::string end(const Usage& usage);
  static std::string fail(const ApiError& error);

 private:
  std::string frame(base::Json choice) const;

  ResponseHead head_;
  Options options_;
  std::map<int64_t, int64_t> offsets_;  // characters of each choice that were sent
};

}  // namespace tulou::serve
