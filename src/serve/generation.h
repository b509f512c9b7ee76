// One request on its way through the engine: some answers to one or several prompts, whose tokens
// become events as they come.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "completion/answer_stream.h"
#include "completion/thinking_budget.h"
#include "engine/engine.h"
#include "serve/answer.h"
#include "serve/api_error.h"
#include "serve/loaded_model.h"
#include "serve/metrics.h"

namespace tulou::serve {

// Receives what a request yields. Called by one thread at a time, in this order: prompt of each
// choice whose log-probabilities are wanted, events, end of each choice, done; or fail at any
// moment, after which nothing comes.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void prompt(int64_t index, PromptLogprobs logprobs) = 0;
  virtual void event(const AnswerEvent& event) = 0;
  virtual void end(int64_t index, AnswerEnd end, const std::string& stop_reason) = 0;
  virtual void done(const Usage& usage) = 0;
  virtual void fail(const ApiError& error) = 0;
  // Nothing came for a while: keeps a connection open.
  virtual void ping() {}
};

// One answer that is wanted.
struct PlannedChoice {
  engine::Request request;
  std::vector<std::unique_ptr<engine::TokenGuide>> guides;
  completion::AnswerOptions reading;
};

struct GenerationPlan {
  std::shared_ptr<LoadedModel> model;
  text::ToolSchemas schemas;
  std::vector<PlannedChoice> choices;
  bool logprobs = false;   // events carry log-probabilities
  bool token_ids = false;  // events carry token ids
};

// The token with its bytes and log-probability.
TokenLogprobs token_logprobs(const text::Tokenizer& tokenizer, const engine::OutputToken& token);
// What engine::StreamUsage::cache_miss means, for people and programs; empty: nothing to say.
std::string cache_miss_reason(const engine::StreamUsage& usage);

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  // Runs a job soon, on a thread that may take its time.
  using Post = std::function<void(std::function<void()>)>;

  Generation(GenerationPlan plan, std::unique_ptr<AnswerSink> sink, ModelMetrics& metrics,
             Post post);

  // Submits all choices. Errors of Engine::submit: nothing is left running then, and the sink
  // hears nothing.
  void start();
  // Ends it; the sink hears nothing any more. Any thread.
  void cancel();
  // Ends it with an error for the sink, if it is not done.
  void fail(const ApiError& error);
  bool finished() const { return finished_.load(); }
  // Calls the sink's ping if nothing has come for so long.
  void ping_after(std::chrono::seconds silence);

 private:
  using Clock = std::chrono::steady_clock;
  struct Choice {
    PlannedChoice plan;
    std::shared_ptr<engine::TokenStream> stream;
    std::unique_ptr<completion::AnswerStream> reader;
    std::unique_ptr<completion::ThinkingPart> thinking;
    std::vector<std::string> call_ids;
    int64_t tokens = 0;
    Clock::time_point last_token;
    bool prompt_sent = false, ended = false;
  };
  void wake();
  void pump();
  void pump_choice(int64_t index);
  void take_prompt(int64_t index);
  bool take_tokens(int64_t index, std::vector<completion::AnswerEvent>& events, AnswerEvent& out);
  void send(int64_t index, std::vector<completion::AnswerEvent>& events, AnswerEvent carried);
  void end_choice(int64_t index);
  void finish();
  void observe_token(Choice& choice);

  GenerationPlan plan_;
  std::unique_ptr<AnswerSink> sink_;
  ModelMetrics& metrics_;
  Post post_;
  std::atomic<bool> queued_{false}, finished_{false};
  std::mutex mutex_;  // guards what follows and the sink
  std::vector<Choice> choices_;
  Clock::time_point begun_, last_output_;
};

}  // namespace tulou::serve
