// Times a loaded model for `tulou bench`: prompts of random ids, and decoding of random ids after a
// past of any length, for one sequence or many at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "cli/bench_report.h"
#include "cli/forward_pass.h"
#include "model/batch.h"
#include "model/state_cache.h"

namespace tulou::cli {

// Ids in [0, vocab_size), the same for the same arguments.
std::vector<int32_t> random_ids(int64_t count, int64_t vocab_size, uint64_t seed);

// Ctrl-C ends it: Error run.cancelled. Every method allocates a cache for what it measures and
// gives it back: Error engine.context_does_not_fit.
class BenchRunner {
 public:
  // Everything must outlive it. `cancel` is the flag that stops a pass.
  BenchRunner(Session& session, const std::atomic<bool>& cancel, base::Progress& progress);

  // Reads a prompt and computes its last row's logits once, with nothing warmed up.
  void first_token(int64_t prompt_tokens);
  // `repeat` samples of reading `tokens` ids into an empty sequence, after one that does not count.
  // Only the last row's logits are computed, as for an answer.
  Measurement prefill(int64_t tokens, int64_t repeat);
  // `repeat` samples of `tokens` steps, each of one token for each of `batch` sequences with
  // `depth` tokens before, after one that does not count. Each sequence has a state of its own in
  // memory. All logits are computed; nothing is sampled from them.
  Measurement decode(int64_t tokens, int64_t depth, int64_t batch, int64_t repeat);

 private:
  void read(model::SequenceHandle handle, int64_t tokens, model::StateCache& cache);
  BenchSample steps(const std::vector<model::SequenceHandle>& handles, int64_t tokens,
                    model::StateCache& cache);

  Session& session_;
  ForwardPass pass_;
};

}  // namespace tulou::cli
