#include "engine/engine.h"

#include <algorithm>

#include "base/buffer.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::engine {
namespace {

// The cache, if it fits beside what is already in memory; else says which context would fit.
std::unique_ptr<model::StateCache> make_cache(const model::ModelConfig& config,
                                              const EngineOptions& options) {
  const auto plan = [&](int64_t context) {
    return model::plan_cache(config, options.cache_type, options.num_sequences, context);
  };
  const uint64_t needed = plan(options.context).bytes(), free = base::available_memory();
  if (needed > free) {
    const uint64_t fixed = plan(0).bytes();
    const uint64_t block = plan(model::kKvBlockTokens).bytes() - fixed;
    const uint64_t blocks = block == 0 || free <= fixed ? 0 : (free - fixed) / block;
    const int64_t fits = static_cast<int64_t>(blocks) * model::kKvBlockTokens;
    throw base::Error("engine.context_does_not_fit", options.context, base::human_bytes(needed),
                      base::human_bytes(free), fits);
  }
  return std::make_unique<model::StateCache>(config, options.cache_type, plan(options.context));
}

}  // namespace

Engine::Engine(const model::Model& model, const kernels::Kernels& kernels,
               base::ThreadPool& threads, const EngineOptions& options)
    : model_(model),
      kernels_(kernels),
      threads_(threads),
      options_(options),
      cache_(make_cache(model.config(), options)),
      scheduler_(options.num_sequences, options.tokens_per_step) {}

Engine::~Engine() = default;

std::shared_ptr<TokenStream> Engine::submit(Request request) {
  if (request.prompt.empty()) throw base::Error("engine.empty_prompt");
  if (static_cast<int64_t>(request.prompt.size()) > options_.context)
    throw base::Error("engine.prompt_too_long", request.prompt.size(), options_.context);
  for (const int32_t token : request.prompt) {
    if (token < 0 || token >= model_.config().vocab_size)
      throw base::Error("engine.bad_token", token, model_.config().vocab_size);
  }
  request.sampling.validate();
  if (inbox_.size() + scheduler_.num_waiting() >= kMaxWaiting)
    throw base::Error("engine.queue_full", kMaxWaiting);
  auto stream = std::make_shared<TokenStream>(std::move(request));
  if (stream->request().max_tokens == 0) {
    stream->finish_reason_ = FinishReason::kLength;
  } else {
    inbox_.push_back(stream);
  }
  return stream;
}

void Engine::accept_new() {
  for (auto& stream : inbox_) scheduler_.add(std::move(stream));
  inbox_.clear();
}

std::vector<int32_t> Engine::sample(const ScheduledBatch& scheduled, std::span<float> logits) {
  std::vector<int32_t> tokens;
  const auto vocab_size = static_cast<size_t>(model_.config().vocab_size);
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    if (!entry.samples) continue;
    const std::span<float> row = logits.subspan(tokens.size() * vocab_size, vocab_size);
    const Request& request = entry.stream->request();
    tokens.push_back(request.greedy ? Sampler::greedy(row)
                                    : sampler_.sample(row, request.sampling, request.prompt,
                                                      entry.stream->answer_, request.choice));
  }
  return tokens;
}

bool Engine::step() {
  accept_new();
  const ScheduledBatch scheduled = scheduler_.schedule(*cache_);
  if (scheduled.empty()) return false;
  arena_.reset();
  const base::ThreadPool::Lease lease(threads_);
  nn::Pass pass(kernels_, lease, arena_, options_.precision, &cancel_);
  const model::ForwardResult result = model_.forward(pass, scheduled.batch, *cache_);
  if (result.cancelled) {
    scheduler_.abandon(scheduled, *cache_);
    cancel_ = false;
    return true;
  }
  scheduler_.commit(scheduled, sample(scheduled, result.logits), options_.context, *cache_);
  return true;
}

}  // namespace tulou::engine
