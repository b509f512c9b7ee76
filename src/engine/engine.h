// Token ids in, token ids out, for any number of sequences at once. The only place where requests
// meet. It does not know text: stop strings, templates and detokenising are above it, in
// completion.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/arena.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "engine/disk_tier.h"
#include "engine/prefix_cache.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/step_times.h"
#include "engine/token_chooser.h"
#include "engine/token_guide.h"
#include "engine/token_stream.h"
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
  size_t max_waiting = 1024;  // requests besides those that run
  // The whole cache, in which sequences and kept prefixes share the room; it must hold one sequence
  // of `context`. Without it there is room for all sequences at their longest.
  std::optional<model::CachePlan> cache;
  size_t max_prefixes = 0;  // kept states of earlier prompts; 0: no prefix cache
  int64_t snapshot_interval = 1024;
  // Where kept states are also written and looked for, if there is a prefix cache, and the identity
  // of what their bits depend on.
  std::shared_ptr<PrefixStore> store;
  base::Digest store_identity{};
};

// For reports; of one moment between steps.
struct EngineStats {
  int64_t waiting = 0, running = 0;
  int64_t blocks = 0, free_blocks = 0;
  int64_t slots = 0, free_slots = 0;
  int64_t prompt_tokens = 0;  // computed, without those from the prefix cache
  int64_t generated_tokens = 0;
  int64_t steps = 0, preemptions = 0;
  PrefixCacheStats prefixes;
  std::optional<DiskTierStats> disk;  // if there is a store
};

// Nothing happens but in step(), which one thread calls. Everything else may be called from any
// thread.
class Engine {
 public:
  // `model`, `kernels` and `threads` must outlive the engine. Allocates the whole cache: Error
  // engine.context_does_not_fit names what would fit.
  Engine(const model::Model& model, const kernels::Kernels& kernels, base::ThreadPool& threads,
         const EngineOptions& options);
  // Streams that have not finished end with kCancelled.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues a request. Error engine.prompt_too_long (both numbers), engine.bad_token (the id and the
  // vocabulary's size), engine.empty_prompt, engine.queue_full, engine.out_of_range,
  // sampling.out_of_range. The stream lives until both sides are done with it.
  std::shared_ptr<TokenStream> submit(Request request,
                                      std::vector<std::unique_ptr<TokenGuide>> guides = {});
  // Called when there is work for step(); set before the first submit. It must not block.
  void set_wake(std::function<void()> wake);

  // One step: schedule, forward, choose, publish. False if there was nothing to do. If it throws,
  // the sequences of the step have ended with kFailed and the others go on.
  bool step();

  // Makes the step under way stop as soon as it can: every sequence in it ends with kCancelled.
  // Async-signal-safe. The flag falls at the end of that step (or the next, if none is under way).
  void interrupt() { cancels_->flag.store(true); }

  EngineStats stats() const;
  const EngineOptions& options() const { return options_; }
  const model::StateCache& cache() const { return *cache_; }
  const model::Model& model() const { return model_; }
  // Asserts the order of the scheduler and the cache; for tests, between steps.
  void check_integrity() const { scheduler_.check_integrity(); }

 private:
  // Lets a step end early if all of its streams are cancelled. Streams may outlive the engine.
  struct Cancels {
    std::atomic<bool> flag{false};
    std::mutex mutex;
    std::vector<const TokenStream*> in_step;
    bool by_streams = false;  // who set the flag
    std::function<void()> wake;
    void wake_engine();
    void stream_cancelled();
    void begin_step(const ScheduledBatch& scheduled);
    void end_step(bool cancelled);
  };
  std::unique_ptr<DiskTier> make_disk_tier();
  void validate(const Request& request) const;
  void accept_new();
  bool forward_and_choose(const ScheduledBatch& scheduled, std::vector<Chosen>& chosen);
  std::vector<Chosen> choose(const base::ThreadPool::Lease& lease, const ScheduledBatch& scheduled,
                             const model::ForwardResult& result);
  Chosen yield_values(const Sequence& sequence, std::span<const float> logits,
                      std::span<const float> hidden) const;
  int64_t prompt_rows_now() const;
  void measure(const ScheduledBatch& scheduled, double seconds);
  void publish(const ScheduledBatch& scheduled);
  void update_stats(const ScheduledBatch& scheduled);

  const model::Model& model_;
  const kernels::Kernels& kernels_;
  base::ThreadPool& threads_;
  EngineOptions options_;
  std::unique_ptr<model::StateCache> cache_;
  std::unique_ptr<PrefixCache> prefixes_;
  std::shared_ptr<Cancels> cancels_ = std::make_shared<Cancels>();
  std::unique_ptr<DiskTier> disk_;  // may be null
  base::Arena arena_;
  Scheduler scheduler_;
  std::vector<TokenChooser> choosers_;  // one for each thread
  StepTimes step_times_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<Sequence>> inbox_;
  EngineStats stats_;
};

}  // namespace tulou::engine
