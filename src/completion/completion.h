// Prompt in, text out: tokens go to the engine, and what comes back becomes pieces of text. The
// only text-level interface to the engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "completion/answer_reader.h"
#include "completion/prompt.h"
#include "completion/text_model.h"
#include "engine/engine.h"

namespace tulou::completion {

struct CompletionRequest {
  Prompt prompt;
  engine::SamplingParams sampling;
  int64_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stops;
};

// What is known about an answer; final once Completion::finished().
struct CompletionResult {
  std::string text;       // the answer
  std::string reasoning;  // the thinking
  engine::FinishReason finish_reason = engine::FinishReason::kNone;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;   // with the stop token
  double prompt_seconds = 0;      // until the first token
  double generation_seconds = 0;  // from the first token to the last
  // Tokens a second; 0 if there is nothing to divide.
  double prompt_speed() const;
  double generation_speed() const;
};

// "stop", "length", "cancelled"; "none" while the answer grows.
std::string_view finish_reason_name(engine::FinishReason reason);

// One answer. Not thread-safe.
class Completion {
 public:
  // Both must outlive it. Error engine.prompt_too_long and others of Engine::submit,
  // sampling.out_of_range, completion.stop_string.
  Completion(const TextModel& model, engine::Engine& engine, CompletionRequest request);

  // Lets the engine work one step. False once the answer is finished.
  bool step();
  bool finished() const { return result_.finish_reason != engine::FinishReason::kNone; }
  // The pieces that came since the last call.
  std::vector<Piece> take();
  // Prompt tokens that were read so far.
  int64_t num_prompt_tokens_done() const { return stream_->num_prompt_tokens_done(); }
  const CompletionResult& result() const { return result_; }

 private:
  using Clock = std::chrono::steady_clock;
  void read_tokens();
  void finish(engine::FinishReason reason);
  void keep(size_t first_piece);

  engine::Engine& engine_;
  AnswerReader reader_;
  std::shared_ptr<engine::TokenStream> stream_;
  CompletionResult result_;
  std::vector<Piece> pieces_;
  Clock::time_point begun_, first_token_, last_token_;
};

}  // namespace tulou::completion
