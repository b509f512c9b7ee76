#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/buffer.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::engine {
namespace {

model::CachePlan plan_of(const model::ModelConfig& config, const EngineOptions& options,
                         int64_t context) {
  return model::plan_cache(config, options.cache_type, options.num_sequences, context);
}

// The cache, if it fits beside what is already in memory; else says which context would fit.
std::unique_ptr<model::StateCache> make_cache(const model::ModelConfig& config,
                                              const EngineOptions& options) {
  const model::CachePlan plan = options.cache.value_or(plan_of(config, options, options.context));
  const uint64_t needed = plan.bytes(), free = base::available_memory();
  if (needed > free) {
    const uint64_t fixed = plan_of(config, options, 0).bytes();
    const uint64_t block = plan_of(config, options, model::kKvBlockTokens).bytes() - fixed;
    const uint64_t blocks = block == 0 || free <= fixed ? 0 : (free - fixed) / block;
    const int64_t fits = static_cast<int64_t>(blocks) * model::kKvBlockTokens;
    throw base::Error("engine.context_does_not_fit", options.context, base::human_bytes(needed),
                      base::human_bytes(free), fits);
  }
  return std::make_unique<model::StateCache>(config, options.cache_type, plan);
}

SchedulerOptions scheduler_options(const EngineOptions& options) {
  return {options.num_sequences, options.context, options.snapshot_interval};
}

void check_token(int32_t token, int64_t vocab_size) {
  if (token < 0 || token >= vocab_size) throw base::Error("engine.bad_token", token, vocab_size);
}

void check_range(std::string_view name, int64_t value, int64_t min, int64_t max) {
  if (value < min || value > max) throw base::Error("engine.out_of_range", name, value, min, max);
}

// The log-probabilities of the prompt's tokens that `logits`, rows from the first token of this
// step on, predict. What was delivered before a preemption is not delivered again.
void deliver_prompt_logprobs(Sequence& sequence, std::span<const float> logits, size_t vocab_size,
                             const std::function<void(OutputToken)>& deliver) {
  if (sequence.request.prompt_logprobs < 0) return;
  for (size_t row = 0; (row + 1) * vocab_size <= logits.size(); ++row) {
    const int64_t position = sequence.num_cached + static_cast<int64_t>(row) + 1;
    if (position >= sequence.prompt_size()) return;
    if (position <= sequence.prompt_logprobs_done) continue;
    deliver(with_logprobs(sequence.tokens[static_cast<size_t>(position)],
                          logits.subspan(row * vocab_size, vocab_size),
                          sequence.request.prompt_logprobs));
    sequence.prompt_logprobs_done = position;
  }
}

}  // namespace

Engine::Engine(const model::Model& model, const kernels::Kernels& kernels,
               base::ThreadPool& threads, const EngineOptions& options)
    : model_(model),
      kernels_(kernels),
      threads_(threads),
      options_(options),
      cache_(make_cache(model.config(), options)),
      prefixes_(std::make_unique<PrefixCache>(*cache_, cache_->plan().slot_bytes > 0,
                                              options.max_prefixes)),
      disk_(make_disk_tier()),
      scheduler_(scheduler_options(options), *cache_, *prefixes_, disk_.get()),
      choosers_(threads.num_threads()) {
  update_stats({});
}

std::unique_ptr<DiskTier> Engine::make_disk_tier() {
  if (!options_.store || options_.max_prefixes == 0) return nullptr;
  return std::make_unique<DiskTier>(options_.store, options_.store_identity, *cache_, *prefixes_,
                                    [cancels = cancels_] { cancels->wake_engine(); });
}

Engine::~Engine() {
  accept_new();
  if (disk_) {
    for (const auto& sequence : disk_->give_up()) scheduler_.add(sequence);
  }
  for (const auto& stream : scheduler_.finish_all(FinishReason::kCancelled)) stream->notify();
}

void Engine::set_wake(std::function<void()> wake) {
  const std::lock_guard lock(cancels_->mutex);
  cancels_->wake = std::move(wake);
}

void Engine::validate(const Request& request) const {
  const int64_t vocab_size = model_.config().vocab_size;
  if (request.prompt.empty()) throw base::Error("engine.empty_prompt");
  if (static_cast<int64_t>(request.prompt.size()) > options_.context)
    throw base::Error("engine.prompt_too_long", request.prompt.size(), options_.context);
  for (const int32_t token : request.prompt) check_token(token, vocab_size);
  for (const int32_t token : request.stop_tokens) check_token(token, vocab_size);
  for (const int32_t token : request.score_tokens) check_token(token, vocab_size);
  for (const auto& [token, bias] : request.logit_bias) check_token(token, vocab_size);
  for (const auto& word : request.bad_words) {
    if (word.empty()) throw base::Error("engine.empty_prompt");
    for (const int32_t token : word) check_token(token, vocab_size);
  }
  check_range("logprobs", request.logprobs, -1, kMaxLogprobs);
  check_range("prompt_logprobs", request.prompt_logprobs, -1, kMaxLogprobs);
  request.sampling.validate();
}

std::shared_ptr<TokenStream> Engine::submit(Request request,
                                            std::vector<std::unique_ptr<TokenGuide>> guides) {
  validate(request);
  if (options_.max_prefixes == 0) request.use_prefix_cache = false;
  auto stream =
      std::make_shared<TokenStream>(static_cast<int64_t>(request.prompt.size()), request.on_output);
  if (request.max_tokens == 0 && request.yield == Yield::kTokens) {
    if (request.prompt_logprobs < 0) {
      stream->finish(FinishReason::kLength);
      stream->notify();
      return stream;
    }
    request.yield = Yield::kScores;
  }
  stream->on_cancel_ = [cancels = cancels_] { cancels->stream_cancelled(); };
  auto sequence = std::make_shared<Sequence>();
  sequence->tokens = request.prompt;
  sequence->usage.prompt_tokens = sequence->size();
  sequence->request = std::move(request);
  sequence->guides = std::move(guides);
  sequence->stream = stream;
  {
    const std::lock_guard lock(mutex_);
    if (inbox_.size() + static_cast<size_t>(stats_.waiting) >= options_.max_waiting)
      throw base::Error("engine.queue_full", options_.max_waiting);
    inbox_.push_back(std::move(sequence));
  }
  cancels_->wake_engine();
  return stream;
}

void Engine::accept_new() {
  std::vector<std::shared_ptr<Sequence>> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(inbox_);
    stats_.waiting += static_cast<int64_t>(arrived.size());
  }
  if (disk_) {
    for (const auto& sequence : disk_->collect()) scheduler_.add(sequence);
  }
  for (auto& sequence : arrived) {
    if (!disk_ || !disk_->hold(sequence, step_times_.prompt_row_seconds()))
      scheduler_.add(std::move(sequence));
  }
}

bool Engine::step() {
  accept_new();
  const ScheduledBatch scheduled = scheduler_.schedule(prompt_rows_now());
  if (scheduled.empty()) {
    publish(scheduled);
    return false;
  }
  std::vector<Chosen> chosen;
  try {
    if (forward_and_choose(scheduled, chosen)) {
      scheduler_.commit(scheduled, chosen);
    } else {
      scheduler_.abandon(scheduled, FinishReason::kCancelled);
    }
  } catch (...) {
    scheduler_.abandon(scheduled, FinishReason::kFailed, std::current_exception());
    publish(scheduled);
    throw;
  }
  publish(scheduled);
  return true;
}

// False if the step was cancelled.
bool Engine::forward_and_choose(const ScheduledBatch& scheduled, std::vector<Chosen>& chosen) {
  using Clock = std::chrono::steady_clock;
  arena_.reset();
  cancels_->begin_step(scheduled);
  const Clock::time_point begin = Clock::now();
  const base::ThreadPool::Lease lease(threads_);
  nn::Pass pass(kernels_, lease, arena_, options_.precision, &cancels_->flag);
  const model::ForwardResult result = model_.forward(pass, scheduled.batch, *cache_);
  cancels_->end_step(result.cancelled);
  if (result.cancelled) return false;
  chosen = choose(lease, scheduled, result);
  measure(scheduled, std::chrono::duration<double>(Clock::now() - begin).count());
  return true;
}

Chosen Engine::yield_values(const Sequence& sequence, std::span<const float> logits,
                            std::span<const float> hidden) const {
  Chosen chosen;
  chosen.has_token = false;
  chosen.finish = FinishReason::kStop;
  std::vector<float> values(hidden.begin(), hidden.end());
  if (sequence.request.yield == Yield::kScores) {
    const double norm = log_sum_exp(logits);
    values.clear();
    for (const int32_t token : sequence.request.score_tokens)
      values.push_back(
          static_cast<float>(static_cast<double>(logits[static_cast<size_t>(token)]) - norm));
  }
  sequence.stream->set_values(std::move(values));
  return chosen;
}

std::vector<Chosen> Engine::choose(const base::ThreadPool::Lease& lease,
                                   const ScheduledBatch& scheduled,
                                   const model::ForwardResult& result) {
  const auto vocab_size = static_cast<size_t>(model_.config().vocab_size);
  const auto hidden_size = static_cast<size_t>(model_.config().hidden_size);
  struct Rows {
    size_t logits = 0, hidden = 0, chosen = 0;  // where an entry's rows begin
  };
  std::vector<Rows> rows;
  Rows next;
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    rows.push_back(next);
    for (size_t i = scheduled.batch.sequences[rows.size() - 1].begin;
         i < scheduled.batch.sequences[rows.size() - 1].end; ++i) {
      const model::Want want = scheduled.batch.rows[i].want;
      next.hidden += want != model::Want::kNothing ? 1 : 0;
      next.logits += want == model::Want::kLogits ? 1 : 0;
    }
    next.chosen += entry.samples ? 1 : 0;
  }
  rows.push_back(next);
  std::vector<Chosen> chosen(next.chosen);
  lease.parallel_for(scheduled.entries.size(), [&](size_t i, size_t worker) {
    const ScheduledBatch::Entry& entry = scheduled.entries[i];
    Sequence& sequence = *entry.sequence;
    const auto logits = result.logits.subspan(rows[i].logits * vocab_size,
                                              (rows[i + 1].logits - rows[i].logits) * vocab_size);
    deliver_prompt_logprobs(sequence, logits, vocab_size, [&](OutputToken token) {
      sequence.stream->push_prompt_logprob(std::move(token));
    });
    if (!entry.samples) return;
    Chosen& out = chosen[rows[i].chosen];
    if (sequence.request.yield == Yield::kTokens) {
      out = choosers_[worker].choose(sequence, logits.last(vocab_size));
    } else {
      const auto hidden =
          result.hidden.subspan((rows[i + 1].hidden - 1) * hidden_size, hidden_size);
      const bool scores = sequence.request.yield == Yield::kScores;
      out = yield_values(sequence, scores ? logits.last(vocab_size) : logits, hidden);
    }
  });
  return chosen;
}

int64_t Engine::prompt_rows_now() const {
  const int64_t generating = scheduler_.num_generating();
  const auto all = static_cast<int64_t>(scheduler_.num_running() + scheduler_.num_waiting());
  // Only who has a place, or may get one, is helped by rows of prompts.
  const int64_t waiting = std::min(all, options_.num_sequences) - generating;
  return step_times_.prompt_rows(generating, waiting, options_.tokens_per_step);
}

void Engine::measure(const ScheduledBatch& scheduled, double seconds) {
  int64_t generating = 0, prompt_rows = 0;
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    if (entry.sequence->generating()) {
      ++generating;
    } else {
      prompt_rows += entry.num_tokens;
    }
  }
  step_times_.measure(generating, prompt_rows, seconds);
}

void Engine::publish(const ScheduledBatch& scheduled) {
  update_stats(scheduled);
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    if (!entry.sequence->finished) entry.sequence->stream->notify();
  }
  for (const auto& stream : scheduler_.take_finished()) stream->notify();
}

void Engine::update_stats(const ScheduledBatch& scheduled) {
  const std::lock_guard lock(mutex_);
  stats_.waiting = static_cast<int64_t>(scheduler_.num_waiting() + (disk_ ? disk_->num_held() : 0));
  stats_.running = static_cast<int64_t>(scheduler_.num_running());
  stats_.blocks = cache_->plan().num_blocks;
  stats_.free_blocks = cache_->num_free_blocks();
  stats_.slots = cache_->plan().num_slots;
  stats_.free_slots = cache_->num_free_slots();
  stats_.preemptions = scheduler_.num_preemptions();
  stats_.prefixes = prefixes_->stats();
  stats_.steps += scheduled.empty() ? 0 : 1;
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    const int64_t answer = entry.samples ? 1 : 0;
    stats_.generated_tokens += answer;
    stats_.prompt_tokens += entry.sequence->answer_size() > answer ? 0 : entry.num_tokens;
  }
}

EngineStats Engine::stats() const {
  EngineStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  if (disk_) stats.disk = disk_->stats();
  return stats;
}

void Engine::Cancels::wake_engine() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex);
    call = wake;
  }
  if (call) call();
}

void Engine::Cancels::stream_cancelled() {
  {
    const std::lock_guard lock(mutex);
    const auto cancelled = [](const TokenStream* stream) { return stream->cancelled(); };
    if (!in_step.empty() && std::ranges::all_of(in_step, cancelled)) {
      by_streams = true;
      flag.store(true);
    }
  }
  wake_engine();
}

void Engine::Cancels::begin_step(const ScheduledBatch& scheduled) {
  const std::lock_guard lock(mutex);
  for (const ScheduledBatch::Entry& entry : scheduled.entries)
    in_step.push_back(entry.sequence->stream.get());
}

void Engine::Cancels::end_step(bool cancelled) {
  const std::lock_guard lock(mutex);
  in_step.clear();
  if (cancelled || by_streams) flag.store(false);
  by_streams = false;
}

}  // namespace tulou::engine
