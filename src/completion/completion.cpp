// One answer from prompt to text; see completion.h.
#include "completion/completion.h"

#include "base/assert.h"

namespace tulou::completion {

namespace {

double seconds_between(std::chrono::steady_clock::time_point begin,
                       std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

engine::Request engine_request(const TextModel& model, const engine::Engine& engine,
                               CompletionRequest& request) {
  engine::Request result;
  result.prompt = std::move(request.prompt.ids);
  result.boundaries = std::move(request.prompt.boundaries);
  result.max_tokens = request.max_tokens;
  result.stop_tokens = model.stop_tokens(engine.model().config());
  result.sampling = request.sampling;
  return result;
}

}  // namespace

double CompletionResult::prompt_speed() const {
  return prompt_seconds > 0 ? static_cast<double>(prompt_tokens) / prompt_seconds : 0;
}

double CompletionResult::generation_speed() const {
  const bool measurable = generated_tokens > 1 && generation_seconds > 0;
  return measurable ? static_cast<double>(generated_tokens - 1) / generation_seconds : 0;
}

std::string_view finish_reason_name(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kNone:
      return "none";
    case engine::FinishReason::kStop:
      return "stop";
    case engine::FinishReason::kLength:
      return "length";
    case engine::FinishReason::kCancelled:
      return "cancelled";
    case engine::FinishReason::kGuide:
      return "guide";
    case engine::FinishReason::kFailed:
      return "failed";
  }
  return "none";
}

Completion::Completion(const TextModel& model, engine::Engine& engine, CompletionRequest request)
    : engine_(engine), reader_(model, std::move(request.stops), request.prompt.in_reasoning) {
  result_.prompt_tokens = static_cast<int64_t>(request.prompt.ids.size());
  request.sampling.validate();
  stream_ = engine_.submit(engine_request(model, engine, request));
  begun_ = Clock::now();
}

bool Completion::step() {
  if (finished()) return false;
  const bool worked = engine_.step();
  read_tokens();
  if (reader_.stopped()) {
    stream_->cancel();
    while (!stream_->finished() && engine_.step()) {
      while (stream_->next()) {
      }
    }
    finish(engine::FinishReason::kStop);
  } else if (stream_->finished()) {
    finish(stream_->finish_reason());
  } else {
    ASSERT(worked);
  }
  return !finished();
}

void Completion::read_tokens() {
  const size_t first_piece = pieces_.size();
  while (const std::optional<engine::OutputToken> token = stream_->next()) {
    last_token_ = Clock::now();
    if (result_.generated_tokens++ == 0) first_token_ = last_token_;
    if (!token->is_stop) reader_.push(token->token, pieces_);
    if (reader_.stopped()) break;
  }
  keep(first_piece);
}

void Completion::finish(engine::FinishReason reason) {
  const size_t first_piece = pieces_.size();
  reader_.finish(pieces_);
  keep(first_piece);
  result_.finish_reason = reason;
  const bool has_tokens = result_.generated_tokens > 0;
  result_.prompt_seconds = seconds_between(begun_, has_tokens ? first_token_ : Clock::now());
  result_.generation_seconds = has_tokens ? seconds_between(first_token_, last_token_) : 0;
}

void Completion::keep(size_t first_piece) {
  for (size_t i = first_piece; i < pieces_.size(); ++i)
    (pieces_[i].reasoning ? result_.reasoning : result_.text) += pieces_[i].text;
}

std::vector<Piece> Completion::take() { return std::exchange(pieces_, {}); }

}  // namespace tulou::completion
