// Token ids in, token ids out, for any number of sequences at once. The only place where requests
// meet. It does not know text: stop strings, templates and detokenising are above it, in
// completion.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/arena.h"
#include "base/thread_pool.h"
#include "engine/sampling.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "model/model.h"
#include "model/state_cache.h"

namespace tulou::kernels {
struct Kernels;
}

namespace tulou::engine {

struct EngineOptions {
  int64_t context = 4096;     // tokens a sequence may have, prompt and answer
  int64_t num_sequences = 1;  // how many run at once; more wait
  int64_t tokens_per_step = 512;
  nn::CacheType cache_type = nn::CacheType::kF16;
  nn::Precision precision = nn::Precision::kDefault;
};

// Synchronous: nothing happens but in step(). One thread calls submit and step; cancel and
// interrupt may come from any thread or a signal handler.
class Engine {
 public:
  // `model`, `kernels` and `threads` must outlive the engine. Allocates the whole cache: Error
  // engine.context_does_not_fit names what would fit.
  Engine(const model::Model& model, const kernels::Kernels& kernels, base::ThreadPool& threads,
         const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues a request. Error engine.prompt_too_long (both numbers), engine.bad_token (the id and the
  // vocabulary's size), engine.empty_prompt, engine.queue_full, sampling.out_of_range. The stream
  // lives until both sides are done with it.
  std::shared_ptr<TokenStream> submit(Request request);

  // One step: schedule, forward, sample, publish. False if there was nothing to do.
  bool step();

  // Makes the step under way stop as soon as it can: every sequence in it ends with kCancelled.
  // Async-signal-safe. The flag falls at the end of that step (or the next, if none is under way).
  void interrupt() { cancel_.store(true); }

  // How many requests may wait besides those that run.
  static constexpr size_t kMaxWaiting = 1024;

  const EngineOptions& options() const { return options_; }
  const model::StateCache& cache() const { return *cache_; }
  const model::Model& model() const { return model_; }

 private:
  void accept_new();
  std::vector<int32_t> sample(const ScheduledBatch& scheduled, std::span<float> logits);

  const model::Model& model_;
  const kernels::Kernels& kernels_;
  base::ThreadPool& threads_;
  EngineOptions options_;
  std::unique_ptr<model::StateCache> cache_;
  base::Arena arena_;
  Scheduler scheduler_;
  Sampler sampler_;
  std::vector<std::shared_ptr<TokenStream>> inbox_;
  std::atomic<bool> cancel_{false};
};

}  // namespace tulou::engine
