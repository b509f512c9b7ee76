// The responses of /v1/completions, whole and streamed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer.h"
#include "serve/api_error.h"

namespace tulou::serve {

// A prompt that is sent back. The first token has no log-probability.
struct EchoedToken {
  std::string bytes;
  std::optional<TokenLogprobs> logprobs;
};
struct EchoedPrompt {
  std::string text;                                    // empty: no echo
  const std::vector<EchoedToken>* logprobs = nullptr;  // nullptr: not wanted
};

struct CompletionChoice {
  Answer answer;
  EchoedPrompt echo;  // stands in front of the answer, in its text and in its log-probabilities
  std::vector<int32_t> prompt_token_ids;            // if token ids are wanted
  const PromptLogprobs* prompt_logprobs = nullptr;  // nullptr: not wanted
};

struct CompletionResponse {
  ResponseHead head;
  std::vector<CompletionChoice> choices;  // in the order of their index
  Usage usage;
  bool logprobs = false;
  bool token_ids = false;
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
  std::string echo(int64_t index, const EchoedPrompt& prompt);
  std::string event(const AnswerEvent& event);
  std::string finish(int64_t index, AnswerEnd end, std::string_view stop_reason = "") const;
  std::string end(const Usage& usage) const;
  static std::string fail(const ApiError& error);

 private:
  base::Json chunk() const;
  std::string frame(base::Json choice) const;

  ResponseHead head_;
  Options options_;
  std::map<int64_t, int64_t> offsets_;  // characters of each choice that were sent
};

}  // namespace tulou::serve
