// Where the tokens of one request come out: the engine appends, the owner takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/request.h"

namespace tulou::engine {

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;
};

struct OutputToken {
  int32_t token = 0;
  bool is_stop = false;  // one of Request::stop_tokens
  float logprob = 0;     // if logprobs were asked for
  std::vector<TokenLogprob> top;
};

// Why fewer tokens came from the prefix cache than the prompt has in common with earlier ones.
enum class CacheMiss : uint8_t {
  kNone,      // nothing more could be had
  kDisabled,  // the request or the engine uses no prefix cache, or wants log-probabilities
  kNoState,   // tokens are known, but no state was kept where they part
  kTooShort,  // states of so few tokens are not kept
};

// What a request cost so far.
struct StreamUsage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, taken from the prefix cache
  int64_t known_tokens = 0;   // of the prompt, in common with earlier prompts of the scope
  CacheMiss cache_miss = CacheMiss::kNone;
  int64_t preemptions = 0;
};

// Thread-safe.
class TokenStream {
 public:
  TokenStream(int64_t prompt_tokens, std::function<void()> on_output)
      : on_output_(std::move(on_output)) {
    usage_.prompt_tokens = prompt_tokens;
  }

  // The next token, if one is waiting.
  std::optional<OutputToken> next();
  // kNone while tokens may still come; final once set. Tokens may still be waiting in next().
  FinishReason finish_reason() const;
  bool finished() const;
  StreamUsage usage() const;
  // What went wrong, for kFailed; else null.
  std::exception_ptr failure() const;
  // Prompt tokens whose state is known, for progress.
  int64_t num_prompt_tokens_done() const { return prompt_done_.load(); }

  // Of the prompt's tokens 1, 2, ...; complete once the first token came or the stream finished.
  std::vector<OutputToken> take_prompt_logprobs();
  // Yield::kHidden: [hidden_size]. Yield::kScores: one for each of score_tokens.
  std::vector<float> take_values();

  // Ends the answer: at once while it waits, else after the step under way.
  void cancel();
  bool cancelled() const { return cancelled_.load(); }

 private:
  friend class Engine;
  friend class Scheduler;
  void push(OutputToken token);
  void push_prompt_logprob(OutputToken token);
  void set_values(std::vector<float> values);
  void set_usage(const StreamUsage& usage);
  void set_prompt_done(int64_t tokens) { prompt_done_.store(tokens); }
  void finish(FinishReason reason, std::exception_ptr failure = {});
  // Tells the owner; without a lock held.
  void notify() const {
    if (on_output_) on_output_();
  }

  std::function<void()> on_output_;
  std::function<void()> on_cancel_;  // set by the engine before the stream is handed out
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> prompt_done_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::deque<OutputToken> pending_;
  std::vector<OutputToken> prompt_logprobs_;
  std::vector<float> values_;
  StreamUsage usage_;
  FinishReason finish_reason_ = FinishReason::kNone;
  std::exception_ptr failure_;
};

}  // namespace tulou::engine
