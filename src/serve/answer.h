// What the responses are written from: an answer or a piece of it as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tulou::serve {

// What stands at the head of a response and of each chunk of a stream.
struct ResponseHead {
  std::string id;       // response_id("chatcmpl-")
  int64_t created = 0;  // seconds since 1970
  std::string model;    // the name that the client used
  std::string system_fingerprint;
};

// The prefix and 128 random bits.
std::string response_id(std::string_view prefix);

// A token with its log-probability.
struct TokenLogprob {
  int32_t id = 0;
  std::string bytes;  // the token's own bytes; may be a part of a character
  double logprob = 0;
};

struct TokenLogprobs {
  TokenLogprob token;
  std::vector<TokenLogprob> top;  // most probable first
};

// A call, or the next piece of one. id and name stand in the first piece only.
struct ToolCall {
  int64_t index = 0;
  std::string id, name;
  std::string arguments;  // JSON text; of a piece: what is appended
};

struct Usage {
  int64_t prompt_tokens = 0, completion_tokens = 0;
  int64_t reasoning_tokens = 0;   // of the completion
  int64_t cached_tokens = 0;      // of the prompt
  std::string cache_miss_reason;  // why not more of the prompt was cached; empty: nothing to say
};

// What came since the last event of one choice.
struct AnswerEvent {
  int64_t index = 0;
  std::string reasoning = {}, content = {};
  std::vector<ToolCall> tool_calls = {};
  std::vector<TokenLogprobs> logprobs = {};
  std::vector<int32_t> token_ids = {};
};

enum class AnswerEnd { kStop, kLength, kToolCalls, kContentFilter };
// "stop", "length", "tool_calls", "content_filter".
std::string_view answer_end_name(AnswerEnd end);

// A prompt token's alternatives; the first prompt token has none.
using PromptLogprobs = std::vector<std::optional<TokenLogprobs>>;

// -inf, which JSON cannot hold, as -9999, as OpenAI has it.
double shown_logprob(double logprob);
// A token's text; of one that is a part of a character its bytes, "bytes:\\xe2\\x82".
std::string token_text(std::string_view bytes);

// "usage" of chat and completions.
base::Json usage_json(const Usage& usage);
// "prompt_logprobs": a list of null and {"ID": {logprob, rank, decoded_token}}; rank counts from 1
// among the alternatives and is null for a token that is none of them.
base::Json prompt_logprobs_json(const PromptLogprobs& prompt);

// A whole choice.
struct Answer {
  AnswerEvent all;
  AnswerEnd end = AnswerEnd::kStop;
  std::string stop_reason;  // the stop string that ended it, or the reason of a guard; empty: null
};

}  // namespace tulou::serve
