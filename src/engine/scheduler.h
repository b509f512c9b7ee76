// Which tokens of which sequences the next step computes, who waits, and who gives way. Pure: no
// clock, no I/O, no model; the same calls give the same batches.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/disk_tier.h"
#include "engine/prefix_cache.h"
#include "engine/sequence.h"
#include "model/batch.h"
#include "model/state_cache.h"

namespace tulou::engine {

struct ScheduledBatch {
  model::Batch batch;
  // For each BatchSequence.
  struct Entry {
    std::shared_ptr<Sequence> sequence;
    int64_t num_tokens = 0;  // rows of this step
    bool samples = false;    // the last row's logits choose a token
  };
  std::vector<Entry> entries;
  bool empty() const { return entries.empty(); }
};

// What became of an entry that samples.
struct Chosen {
  OutputToken token;
  FinishReason finish = FinishReason::kNone;  // if not kNone, the answer ends ...
  bool has_token = true;                      // ... with this token, or without one
  std::exception_ptr failure;                 // for kFailed
};

struct SchedulerOptions {
  int64_t num_sequences = 1;  // how many run at once
  int64_t context = 4096;     // tokens a sequence may have
  // Prompts keep a state every so many tokens, besides their boundaries; 0: only at those.
  int64_t snapshot_interval = 1024;
};

// Fair: of the tenants that wait, the one that was served the fewest tokens comes first; within a
// tenant, first come, first served. Lower priorities come before that. Who was passed over
// kMaxPassedOver times comes before all.
class Scheduler {
 public:
  // All must outlive it. `disk`, if there is one, is told of states that are worth writing.
  Scheduler(const SchedulerOptions& options, model::StateCache& cache, PrefixCache& prefixes,
            DiskTier* disk = nullptr)
      : options_(options), cache_(cache), prefixes_(prefixes), disk_(disk) {}

  static constexpr int64_t kMaxPassedOver = 64;
  // Prompts that ask for log-probabilities are read in pieces, since each row has all logits.
  static constexpr int64_t kMaxLogitRows = 16;

  void add(std::shared_ptr<Sequence> sequence);
  // Rows of running sequences that generate first, then prompts within `prompt_tokens` rows; room
  // in the cache is reserved, if need be by evicting prefixes and by preempting who came last.
  // Cancelled sequences are finished and released here.
  ScheduledBatch schedule(int64_t prompt_tokens);
  // Commits what was computed and appends what was chosen (one for each entry that samples, in
  // order); finished sequences leave.
  void commit(const ScheduledBatch& scheduled, std::span<Chosen> chosen);
  // Ends the sequences of a batch whose states are lost.
  void abandon(const ScheduledBatch& scheduled, FinishReason reason,
               const std::exception_ptr& failure = {});
  // Ends all sequences; their streams.
  std::vector<std::shared_ptr<TokenStream>> finish_all(FinishReason reason);
  // The streams that have finished since the last call.
  std::vector<std::shared_ptr<TokenStream>> take_finished();

  size_t num_waiting() const { return waiting_.size(); }
  size_t num_running() const { return running_.size(); }
  // Running sequences that have their first token.
  int64_t num_generating() const;
  int64_t num_preemptions() const { return num_preemptions_; }
  // Asserts that each sequence is in one place, and that the cache is in order.
  void check_integrity() const;

 private:
  using Shared = std::shared_ptr<Sequence>;
  void finish(Sequence& sequence, FinishReason reason, std::exception_ptr failure = {});
  void drop_finished();
  void drop_cancelled();
  bool admit(size_t index);
  void admit_waiting();
  int64_t running_of(const std::string& tenant) const;
  size_t next_to_admit(bool only_without_place) const;
  bool begin(const Shared& sequence);
  bool is_about_to_be_kept(const Sequence& waiting) const;
  void plan_boundaries(Sequence& sequence, int64_t known) const;
  bool plan(const Shared& sequence, int64_t budget, ScheduledBatch& scheduled);
  bool make_room(const Sequence& sequence, int64_t num_tokens, const ScheduledBatch& scheduled);
  void preempt(size_t index);
  bool preempt_for(const Sequence& sequence, const ScheduledBatch& scheduled);
  void share_places();
  enum class Lasting { kNo, kYes };
  void keep_state(const Sequence& sequence, Lasting lasting);
  static bool is_lasting(const Sequence& sequence);
  void append(Sequence& sequence, Chosen& chosen);
  void serve(const Sequence& sequence, int64_t num_tokens);

  SchedulerOptions options_;
  model::StateCache& cache_;
  PrefixCache& prefixes_;
  DiskTier* disk_;
  std::vector<Shared> waiting_;            // in order of arrival
  std::vector<Shared> running_;            // in order of admission
  std::map<std::string, int64_t> served_;  // tokens; of tenants with a live sequence
  std::vector<std::shared_ptr<TokenStream>> finished_;
  int64_t num_preemptions_ = 0;
  uint64_t next_number_ = 0;
};

}  // namespace tulou::engine
