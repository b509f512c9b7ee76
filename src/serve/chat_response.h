// The responses of /v1/chat/completions, whole and streamed.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer.h"
#include "serve/api_error.h"

namespace tulou::serve {

struct ChatResponse {
  ResponseHead head;
  std::vector<Answer> answers;  // in the order of their index
  Usage usage;
  bool logprobs = false;   // wanted
  bool token_ids = false;  // wanted
  std::vector<int32_t> prompt_token_ids;
  const PromptLogprobs* prompt_logprobs = nullptr;  // nullptr: not wanted
};

// A chat.completion object.
base::Json chat_completion(const ChatResponse& response);

// A stream as frames of text/event-stream. Each call returns the text to send, which may be empty;
// the role comes in front of a choice's first piece by itself. Not thread-safe.
class ChatStream {
 public:
  struct Options {
    bool include_usage = false;
    bool logprobs = false;
    bool token_ids = false;
  };
  ChatStream(ResponseHead head, Options options);

  // The first frames, before anything is known of the answers: so that the client sees the roles.
  std::string begin(int64_t num_choices);
  std::string event(const AnswerEvent& event);
  std::string finish(int64_t index, AnswerEnd end, std::string_view stop_reason = "");
  // After all choices: the usage if it is wanted, and [DONE].
  std::string end(const Usage& usage) const;
  // In place of the rest: the error, and [DONE].
  static std::string fail(const ApiError& error);

 private:
  base::Json chunk() const;
  std::string frame(base::Json choice) const;
  std::string role(int64_t index);

  ResponseHead head_;
  Options options_;
  std::set<int64_t> begun_;
};

}  // namespace tulou::serve
