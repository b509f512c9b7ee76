#include "serve/generation.h"

#include <algorithm>
#include <utility>

namespace tulou::serve {
namespace {

using Kind = completion::AnswerEvent::Kind;

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

AnswerEnd end_of(engine::FinishReason reason, const completion::AnswerStream& reader) {
  if (reader.num_calls() > 0) return AnswerEnd::kToolCalls;
  if (!reader.stopped() && reason == engine::FinishReason::kLength) return AnswerEnd::kLength;
  return AnswerEnd::kStop;
}

// Adds an event of the reader to one that is sent; false if it must come after it.
bool merge(const completion::AnswerEvent& from, std::vector<std::string>& call_ids,
           AnswerEvent& to) {
  switch (from.kind) {
    case Kind::kReasoning:
      if (!to.content.empty() || !to.tool_calls.empty()) return false;
      to.reasoning += from.text;
      return true;
    case Kind::kText:
    case Kind::kCallBroken:
      if (!to.tool_calls.empty()) return false;
      to.content += from.text;
      return true;
    case Kind::kCallBegin: {
      call_ids.push_back(response_id("call_"));
      to.tool_calls.push_back({from.index, call_ids.back(), from.text, ""});
      return true;
    }
    case Kind::kCallArguments:
      if (to.tool_calls.empty() || to.tool_calls.back().index != from.index)
        to.tool_calls.push_back({from.index, "", "", ""});
      to.tool_calls.back().arguments += from.text;
      return true;
    case Kind::kCallEnd:
      return true;
  }
  return true;
}

}  // namespace

TokenLogprobs token_logprobs(const text::Tokenizer& tokenizer, const engine::OutputToken& token) {
  const auto one = [&](int32_t id, float logprob) {
    return TokenLogprob{id, std::string(tokenizer.token_bytes(id)), static_cast<double>(logprob)};
  };
  TokenLogprobs result;
  result.token = one(token.token, token.logprob);
  for (const engine::TokenLogprob& top : token.top)
    result.top.push_back(one(top.token, top.logprob));
  return result;
}

std::string cache_miss_reason(const engine::StreamUsage& usage) {
  switch (usage.cache_miss) {
    case engine::CacheMiss::kNone:
      return "";
    case engine::CacheMiss::kDisabled:
      return "disabled";
    case engine::CacheMiss::kNoState:
      return "no_state_kept_where_the_prompts_part";
    case engine::CacheMiss::kTooShort:
      return "prompt_too_short";
  }
  return "";
}

Generation::Generation(GenerationPlan plan, std::unique_ptr<AnswerSink> sink, ModelMetrics& metrics,
                       Post post)
    : plan_(std::move(plan)),
      sink_(std::move(sink)),
      metrics_(metrics),
      post_(std::move(post)),
      begun_(Clock::now()),
      last_output_(begun_) {}

void Generation::start() {
  const std::lock_guard lock(mutex_);
  const std::weak_ptr<Generation> self = weak_from_this();
  try {
    for (PlannedChoice& planned : plan_.choices) {
      Choice choice;
      choice.plan = std::move(planned);
      const auto thinking = choice.plan.reading.may_think ? plan_.model->thinking : std::nullopt;
      choice.reader = std::make_unique<completion::AnswerStream>(plan_.model->text, plan_.schemas,
                                                                 choice.plan.reading);
      choice.thinking = std::make_unique<completion::ThinkingPart>(
          thinking ? thinking->begin : -1, thinking ? thinking->end : -1,
          choice.plan.reading.in_reasoning);
      engine::Request request = choice.plan.request;
      request.on_output = [self] {
        if (const auto alive = self.lock()) alive->wake();
      };
      choice.stream =
          plan_.model->engine->submit(std::move(request), std::move(choice.plan.guides));
      choices_.push_back(std::move(choice));
    }
  } catch (...) {
    finished_ = true;
    for (const Choice& choice : choices_) choice.stream->cancel();
    throw;
  }
}

void Generation::wake() {
  if (queued_.exchange(true)) return;
  post_([self = shared_from_this()] { self->pump(); });
}

void Generation::pump() {
  queued_ = false;
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  for (int64_t i = 0; i < static_cast<int64_t>(choices_.size()); ++i) {
    if (!choices_[static_cast<size_t>(i)].ended) pump_choice(i);
    if (finished_) return;
  }
  if (std::ranges::all_of(choices_, [](const Choice& choice) { return choice.ended; })) finish();
}

void Generation::take_prompt(int64_t index) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  choice.prompt_sent = true;
  if (choice.plan.request.prompt_logprobs < 0) return;
  PromptLogprobs logprobs = {std::nullopt};
  for (const engine::OutputToken& token : choice.stream->take_prompt_logprobs())
    logprobs.push_back(token_logprobs(plan_.model->text.tokenizer(), token));
  sink_->prompt(index, std::move(logprobs));
}

void Generation::observe_token(Choice& choice) {
  const Clock::time_point now = Clock::now();
  if (choice.tokens++ == 0) {
    metrics_.time_to_first_token.observe(seconds(now - begun_));
  } else {
    metrics_.inter_token_latency.observe(seconds(now - choice.last_token));
  }
  choice.last_token = last_output_ = now;
  metrics_.generation_tokens.add();
}

// The tokens that wait; true if the answer has ended.
bool Generation::take_tokens(int64_t index, std::vector<completion::AnswerEvent>& events,
                             AnswerEvent& out) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  const engine::FinishReason reason = choice.stream->finish_reason();  // before the tokens
  while (const auto token = choice.stream->next()) {
    observe_token(choice);
    choice.thinking->accept(token->token);
    if (plan_.token_ids) out.token_ids.push_back(token->token);
    if (token->is_stop) continue;
    if (plan_.logprobs)
      out.logprobs.push_back(token_logprobs(plan_.model->text.tokenizer(), *token));
    choice.reader->push(token->token, events);
    if (!choice.reader->stopped()) continue;
    choice.stream->cancel();
    return true;
  }
  return reason != engine::FinishReason::kNone;
}

void Generation::pump_choice(int64_t index) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  std::vector<completion::AnswerEvent> events;
  AnswerEvent carried;
  const bool ended = take_tokens(index, events, carried);
  if (!choice.prompt_sent && (ended || choice.tokens > 0)) take_prompt(index);
  if (ended) choice.reader->finish(events);
  send(index, events, std::move(carried));
  if (ended) end_choice(index);
}

// `carried` has what belongs to tokens; it goes with the first event.
void Generation::send(int64_t index, std::vector<completion::AnswerEvent>& events,
                      AnswerEvent carried) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  carried.index = index;
  bool empty = carried.logprobs.empty() && carried.token_ids.empty();
  for (const completion::AnswerEvent& event : events) {
    if (!merge(event, choice.call_ids, carried)) {
      sink_->event(carried);
      carried = AnswerEvent();
      carried.index = index;
      merge(event, choice.call_ids, carried);
    }
    empty = empty && event.text.empty();
  }
  if (!empty) sink_->event(carried);
}

void Generation::end_choice(int64_t index) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  choice.ended = true;
  const engine::FinishReason reason = choice.stream->finish_reason();
  const bool stopped = choice.reader->stopped();
  if (reason == engine::FinishReason::kFailed) {
    finished_ = true;
    metrics_.finished_error.add();
    sink_->fail(api_error(choice.stream->failure()));
    for (const Choice& other : choices_) other.stream->cancel();
    return;
  }
  if (reason == engine::FinishReason::kCancelled && !stopped) return;  // whoever cancelled knows
  const AnswerEnd end = end_of(reason, *choice.reader);
  (end == AnswerEnd::kLength ? metrics_.finished_length : metrics_.finished_stop).add();
  const bool loop = reason == engine::FinishReason::kGuide;
  if (loop) metrics_.loops_stopped.add();
  sink_->end(index, end, loop ? "repetition" : "");
}

void Generation::finish() {
  finished_ = true;
  Usage usage;
  for (const Choice& choice : choices_) {
    const engine::StreamUsage& cost = choice.stream->usage();
    if (choice.plan.request.choice == 0) {
      usage.prompt_tokens += cost.prompt_tokens;
      usage.cached_tokens += cost.cached_tokens;
      const std::string reason = cache_miss_reason(cost);
      if (!reason.empty()) usage.cache_miss_reason = reason;
    }
    usage.completion_tokens += choice.tokens;
    usage.reasoning_tokens += choice.thinking->num_tokens();
    metrics_.request_generation_tokens.observe(static_cast<double>(choice.tokens));
  }
  metrics_.prompt_tokens.add(static_cast<double>(usage.prompt_tokens));
  metrics_.reasoning_tokens.add(static_cast<double>(usage.reasoning_tokens));
  metrics_.request_prompt_tokens.observe(static_cast<double>(usage.prompt_tokens));
  metrics_.request_latency.observe(seconds(Clock::now() - begun_));
  sink_->done(usage);
}

void Generation::cancel() {
  if (finished_.exchange(true)) return;
  // Not under the lock: a pump may be waiting for the client that is gone.
  metrics_.finished_abort.add();
  const std::lock_guard lock(mutex_);
  for (const Choice& choice : choices_) choice.stream->cancel();
}

void Generation::fail(const ApiError& error) {
  const std::lock_guard lock(mutex_);
  if (finished_.exchange(true)) return;
  sink_->fail(error);
  for (const Choice& choice : choices_) choice.stream->cancel();
}

void Generation::ping_after(std::chrono::seconds silence) {
  const std::lock_guard lock(mutex_);
  if (finished_ || Clock::now() - last_output_ < silence) return;
  last_output_ = Clock::now();
  sink_->ping();
}

}  // namespace tulou::serve
