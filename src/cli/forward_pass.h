// One forward pass after another on a session's model, without the engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "base/progress.h"
#include "cli/session.h"
#include "nn/pass.h"

namespace tulou::cli {

// Counts the rows that went through as progress.
class ForwardPass {
 public:
  // Everything must outlive it. `cancel` is the flag that stops a pass.
  ForwardPass(Session& session, const std::atomic<bool>& cancel, base::Progress& progress)
      : session_(session), cancel_(cancel), progress_(progress) {}

  // Every pass from now on shows its products. `observer` must outlive this.
  void set_observer(nn::LinearObserver* observer) { observer_ = observer; }

  // A cache for `num_sequences` of `context` tokens. Error engine.context_does_not_fit.
  model::StateCache make_cache(int64_t num_sequences, int64_t context) const;

  // Progress of `num_rows` rows, from 0; and its end.
  void begin(std::string_view what, uint64_t num_rows);
  void end() { progress_.end(); }

  // Runs a batch, whose rows are reserved, and commits them. The result lives until the next call.
  // Error run.cancelled.
  model::ForwardResult run(const model::Batch& batch, model::StateCache& cache);

 private:
  Session& session_;
  const std::atomic<bool>& cancel_;
  base::Progress& progress_;
  base::Arena arena_;
  uint64_t num_done_ = 0;
  nn::LinearObserver* observer_ = nullptr;
};

}  // namespace tulou::cli
