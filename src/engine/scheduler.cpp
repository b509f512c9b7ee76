#include "engine/scheduler.h"

#include <algorithm>

#include "base/assert.h"

namespace tulou::engine {

void Scheduler::finish(TokenStream& stream, FinishReason reason, model::StateCache& cache) {
  stream.finish_reason_ = reason;
  if (stream.handle_) cache.release(*stream.handle_);
  stream.handle_.reset();
}

void Scheduler::drop_cancelled(model::StateCache& cache) {
  const auto dropped = [&](const std::shared_ptr<TokenStream>& stream) {
    if (stream->cancelled_.load() && stream->finish_reason_ == FinishReason::kNone)
      finish(*stream, FinishReason::kCancelled, cache);
    return stream->finish_reason_ != FinishReason::kNone;
  };
  std::erase_if(running_, dropped);
  std::erase_if(waiting_, dropped);
}

void Scheduler::admit(model::StateCache& cache) {
  while (!waiting_.empty() && static_cast<int64_t>(running_.size()) < num_sequences_) {
    const auto handle = cache.create();
    if (!handle) return;
    waiting_.front()->handle_ = handle;
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Adds up to `budget` tokens of a stream; false if nothing was added.
bool Scheduler::plan(const std::shared_ptr<TokenStream>& stream, int64_t budget,
                     ScheduledBatch& scheduled, model::StateCache& cache) {
  const int64_t missing = stream->num_missing();
  const int64_t count = std::min(missing, budget);
  if (count <= 0 || !cache.reserve(*stream->handle_, count)) return false;
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(stream->token(stream->num_cached_ + i));
  const bool samples = count == missing;
  scheduled.batch.add(*stream->handle_, tokens, stream->num_cached_, model::Want::kNothing,
                      samples ? model::Want::kLogits : model::Want::kNothing);
  scheduled.entries.push_back({stream, count, samples});
  return true;
}

ScheduledBatch Scheduler::schedule(model::StateCache& cache) {
  drop_cancelled(cache);
  admit(cache);
  ScheduledBatch scheduled;
  int64_t budget = tokens_per_step_;
  // Sequences that generate come first: their users are watching.
  for (const bool generating : {true, false}) {
    for (const auto& stream : running_) {
      if ((stream->num_missing() == 1 && !stream->answer_.empty()) != generating) continue;
      if (plan(stream, budget, scheduled, cache)) budget -= scheduled.entries.back().num_tokens;
    }
  }
  return scheduled;
}

void Scheduler::commit(const ScheduledBatch& scheduled, std::span<const int32_t> tokens,
                       int64_t context, model::StateCache& cache) {
  size_t next = 0;
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    TokenStream& stream = *entry.stream;
    cache.commit(*stream.handle_, entry.num_tokens);
    stream.num_cached_ += entry.num_tokens;
    if (!entry.samples) continue;
    ASSERT(next < tokens.size());
    const int32_t token = tokens[next++];
    stream.answer_.push_back(token);
    stream.pending_.push_back(token);
    const auto size = static_cast<int64_t>(stream.answer_.size());
    if (stream.is_stop(token)) {
      finish(stream, FinishReason::kStop, cache);
    } else if (size == stream.request_.max_tokens || stream.prompt_size() + size >= context) {
      finish(stream, FinishReason::kLength, cache);
    }
  }
  std::erase_if(running_, [](const auto& s) { return s->finish_reason_ != FinishReason::kNone; });
}

void Scheduler::abandon(const ScheduledBatch& scheduled, model::StateCache& cache) {
  for (const ScheduledBatch::Entry& entry : scheduled.entries)
    finish(*entry.stream, FinishReason::kCancelled, cache);
  std::erase_if(running_, [](const auto& s) { return s->finish_reason_ != FinishReason::kNone; });
}

}  // namespace tulou::engine
