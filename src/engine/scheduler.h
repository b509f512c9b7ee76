// Which tokens of which sequences the next step computes: first come, first served. Pure: no clock,
// no I/O, no model; the same calls give the same batches.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/sequence.h"
#include "model/batch.h"
#include "model/state_cache.h"

namespace tulou::engine {

struct ScheduledBatch {
  model::Batch batch;
  // For each BatchSequence: its stream, and whether its last row's logits choose a token.
  struct Entry {
    std::shared_ptr<TokenStream> stream;
    int64_t num_tokens = 0;  // rows of this step
    bool samples = false;
  };
  std::vector<Entry> entries;
  bool empty() const { return entries.empty(); }
};

class Scheduler {
 public:
  Scheduler(int64_t num_sequences, int64_t tokens_per_step)
      : num_sequences_(num_sequences), tokens_per_step_(tokens_per_step) {}

  void add(std::shared_ptr<TokenStream> stream) { waiting_.push_back(std::move(stream)); }
  // Decode rows of running sequences first, then prompt chunks within the budget of tokens; room in
  // the cache is reserved. Cancelled streams are finished and released here.
  ScheduledBatch schedule(model::StateCache& cache);
  // Commits what was computed and appends the chosen tokens (one for each entry that samples, in
  // order); finished sequences leave.
  void commit(const ScheduledBatch& scheduled, std::span<const int32_t> tokens, int64_t context,
              model::StateCache& cache);
  // Ends the sequences of a batch whose states are lost.
  void abandon(const ScheduledBatch& scheduled, model::StateCache& cache);

  size_t num_waiting() const { return waiting_.size(); }
  size_t num_running() const { return running_.size(); }

 private:
  void finish(TokenStream& stream, FinishReason reason, model::StateCache& cache);
  void drop_cancelled(model::StateCache& cache);
  void admit(model::StateCache& cache);
  bool plan(const std::shared_ptr<TokenStream>& stream, int64_t budget, ScheduledBatch& scheduled,
            model::StateCache& cache);
  int64_t num_sequences_, tokens_per_step_;
  std::deque<std::shared_ptr<TokenStream>> waiting_;
  std::vector<std::shared_ptr<TokenStream>> running_;
};

}  // namespace tulou::engine
