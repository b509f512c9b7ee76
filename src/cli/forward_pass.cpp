#include "cli/forward_pass.h"

#include "base/error.h"

namespace tulou::cli {

model::StateCache ForwardPass::make_cache(int64_t num_sequences, int64_t context) const {
  const model::CachePlan plan = session_.plan(num_sequences, context);
  return model::StateCache(session_.config(), session_.cache_type(), plan);
}

void ForwardPass::begin(std::string_view what, uint64_t num_rows) {
  progress_.begin(what, num_rows, base::ProgressUnit::kTokens);
  num_done_ = 0;
}

model::ForwardResult ForwardPass::run(const model::Batch& batch, model::StateCache& cache) {
  arena_.reset();
  const base::ThreadPool::Lease lease(session_.threads());
  nn::Pass pass(session_.kernels(), lease, arena_, session_.precision(), &cancel_);
  pass.set_observer(observer_);
  const model::ForwardResult result = session_.model().forward(pass, batch, cache);
  if (result.cancelled) throw base::Error("run.cancelled");
  for (const model::BatchSequence& sequence : batch.sequences)
    cache.commit(sequence.handle, static_cast<int64_t>(sequence.end - sequence.begin));
  num_done_ += batch.rows.size();
  progress_.advance(num_done_);
  return result;
}

}  // namespace tulou::cli
