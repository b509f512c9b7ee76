// A request on its way through the engine, and the stream its tokens come out of.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "engine/sampling.h"
#include "model/batch.h"

namespace tulou::engine {

enum class FinishReason {
  kNone,       // not finished
  kStop,       // one of stop_tokens came
  kLength,     // max_tokens, or the context is full
  kCancelled,  // by the user
};

struct Request {
  std::vector<int32_t> prompt;
  int64_t max_tokens = -1;           // -1: until the context is full
  std::vector<int32_t> stop_tokens;  // end the answer; the stop token itself is delivered, flagged
  SamplingParams sampling;
  bool greedy = false;  // take the largest logit, no other stage
  uint32_t choice = 0;  // which of several answers to the same prompt
};

// One sequence: the engine appends, the owner takes. Same thread for now.
class TokenStream {
 public:
  explicit TokenStream(Request request) : request_(std::move(request)) {}

  // The next token, if one is waiting. A stop token is delivered too; see is_stop().
  std::optional<int32_t> next() {
    if (pending_.empty()) return std::nullopt;
    const int32_t token = pending_.front();
    pending_.pop_front();
    return token;
  }
  // kNone while tokens may still come; final once set. Tokens may still be waiting in next().
  FinishReason finish_reason() const { return finish_reason_; }
  bool finished() const { return finish_reason_ != FinishReason::kNone && pending_.empty(); }
  bool is_stop(int32_t token) const {
    const auto& stops = request_.stop_tokens;
    return std::find(stops.begin(), stops.end(), token) != stops.end();
  }
  // Prompt tokens that have been read so far, for progress.
  int64_t num_prompt_tokens_done() const { return std::min(num_cached_, prompt_size()); }
  int64_t prompt_size() const { return static_cast<int64_t>(request_.prompt.size()); }
  const Request& request() const { return request_; }

  // Ends the answer at the next step. May be called from any thread.
  void cancel() { cancelled_.store(true); }

 private:
  friend class Scheduler;
  friend class Engine;
  // Tokens whose state is not in the cache yet.
  int64_t num_missing() const {
    return prompt_size() + static_cast<int64_t>(answer_.size()) - num_cached_;
  }
  int32_t token(int64_t i) const {
    return i < prompt_size() ? request_.prompt[static_cast<size_t>(i)]
                             : answer_[static_cast<size_t>(i - prompt_size())];
  }
  Request request_;
  std::vector<int32_t> answer_;
  std::deque<int32_t> pending_;
  int64_t num_cached_ = 0;  // tokens whose state is in the cache
  std::optional<model::SequenceHandle> handle_;
  FinishReason finish_reason_ = FinishReason::kNone;
  std::atomic<bool> cancelled_{false};
};

}  // namespace tulou::engine
