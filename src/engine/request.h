// What the engine is asked for: plain data, copyable.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/sampling.h"

namespace tulou::engine {

enum class FinishReason {
  kNone,       // not finished
  kStop,       // one of stop_tokens came, or the prompt was all that was wanted
  kLength,     // max_tokens, or the context is full
  kCancelled,  // by the user
  kGuide,      // a TokenGuide ended it
  kFailed,     // a TokenGuide threw, or left no token to choose from
};

// What a request yields.
enum class Yield : uint8_t {
  kTokens,  // an answer
  kHidden,  // the final hidden state of the prompt's last token, and no answer
  kScores,  // log-probabilities of `score_tokens` after the prompt, and no answer
};

inline constexpr int64_t kMaxLogprobs = 20;

struct Request {
  std::vector<int32_t> prompt;
  Yield yield = Yield::kTokens;
  std::vector<int32_t> score_tokens;

  int64_t max_tokens = -1;           // -1: until the context is full
  int64_t min_tokens = 0;            // stop tokens are not chosen before
  std::vector<int32_t> stop_tokens;  // end the answer; the stop token itself is delivered, flagged
  SamplingParams sampling;
  bool greedy = false;  // take the largest logit, no other stage; bias, bans and guides still count
  uint32_t choice = 0;  // which of several answers to the same prompt
  std::vector<std::pair<int32_t, float>> logit_bias;  // token, added to its logit
  std::vector<std::vector<int32_t>> bad_words;        // sequences of tokens that must not come
  // Log-probabilities of the model's own distribution, before any stage: of chosen tokens, and of
  // that many most likely ones beside; -1: none. At most kMaxLogprobs.
  int64_t logprobs = -1;
  int64_t prompt_logprobs = -1;  // the same for the prompt's tokens after the first

  // Who asks: tenants share the engine fairly; an empty name is a tenant like any other.
  std::string tenant;
  int64_t priority = 0;  // lower ones are admitted first
  // Prefixes are shared only within a scope. The request neither reads nor feeds the prefix cache
  // if use_prefix_cache is false.
  std::string cache_scope;
  bool use_prefix_cache = true;
  // Lengths of the prompt after which later prompts are likely to go on differently (ends of
  // messages): states are kept there.
  std::vector<int64_t> boundaries;

  // Called by the engine's thread when tokens came or the answer ended. It must not block, throw
  // or call the engine.
  std::function<void()> on_output;
};

}  // namespace tulou::engine
