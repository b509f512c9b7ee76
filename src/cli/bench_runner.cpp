// Timing of forward passes; see bench_runner.h.
#include "cli/bench_runner.h"

#include <algorithm>
#include <span>

#include "base/assert.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "hardware/load.h"

namespace tulou::cli {

namespace {

// An embedding model has no head: its answer is the last hidden row.
model::Want last_want(const Session& session) {
  return session.model().weights().has_head ? model::Want::kLogits : model::Want::kHidden;
}

BenchSample sample_since(const hardware::LoadMoment& begin) {
  const hardware::LoadMoment end = hardware::load_now();
  return {end.clock - begin.clock, hardware::others_between(begin, end)};
}

}  // namespace

std::vector<int32_t> random_ids(int64_t count, int64_t vocab_size, uint64_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    const double where = base::random_uniform(seed, 0, static_cast<uint64_t>(i));
    ids.push_back(static_cast<int32_t>(where * static_cast<double>(vocab_size)));
  }
  return ids;
}

BenchRunner::BenchRunner(Session& session, const std::atomic<bool>& cancel,
                         base::Progress& progress)
    : session_(session), pass_(session, cancel, progress) {}

// As the engine reads a prompt: in pieces, with logits of the last row.
void BenchRunner::read(model::SequenceHandle handle, int64_t tokens, model::StateCache& cache) {
  const std::vector<int32_t> ids = random_ids(tokens, session_.config().vocab_size, 1);
  const int64_t per_pass = engine::EngineOptions{}.tokens_per_step;
  model::Batch batch;
  for (int64_t begin = 0; begin < tokens; begin += per_pass) {
    const int64_t count = std::min(per_pass, tokens - begin);
    ASSERT(cache.reserve(handle, count));
    batch.clear();
    batch.add(handle,
              std::span(ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), begin,
              model::Want::kNothing,
              begin + count == tokens ? last_want(session_) : model::Want::kNothing);
    pass_.run(batch, cache);
  }
}

void BenchRunner::first_token(int64_t prompt_tokens) {
  model::StateCache cache = pass_.make_cache(1, prompt_tokens);
  pass_.begin("first token", static_cast<uint64_t>(prompt_tokens));
  read(cache.create().value(), prompt_tokens, cache);
  pass_.end();
}

Measurement BenchRunner::prefill(int64_t tokens, int64_t repeat) {
  Measurement measurement = {.kind = BenchKind::kPrefill, .tokens = tokens};
  model::StateCache cache = pass_.make_cache(1, tokens);
  pass_.begin(measurement.name(), static_cast<uint64_t>(tokens * (repeat + 1)));
  for (int64_t i = 0; i <= repeat; ++i) {
    const model::SequenceHandle handle = cache.create().value();
    const hardware::LoadMoment begin = hardware::load_now();
    read(handle, tokens, cache);
    if (i > 0) measurement.samples.push_back(sample_since(begin));
    cache.release(handle);
  }
  pass_.end();
  return measurement;
}

BenchSample BenchRunner::steps(const std::vector<model::SequenceHandle>& handles, int64_t tokens,
                               model::StateCache& cache) {
  const auto count = static_cast<int64_t>(handles.size());
  const std::vector<int32_t> ids = random_ids(tokens * count, session_.config().vocab_size, 2);
  const int64_t depth = cache.length(handles.front());
  // Room for all steps at once, so that no memory is handed out while the time runs.
  for (const model::SequenceHandle handle : handles) ASSERT(cache.reserve(handle, tokens));
  model::Batch batch;
  const hardware::LoadMoment begin = hardware::load_now();
  for (int64_t step = 0; step < tokens; ++step) {
    batch.clear();
    for (int64_t i = 0; i < count; ++i) {
      batch.add(handles[static_cast<size_t>(i)],
                std::span(ids).subspan(static_cast<size_t>(step * count + i), 1), depth + step,
                last_want(session_), last_want(session_));
    }
    pass_.run(batch, cache);
  }
  return sample_since(begin);
}

Measurement BenchRunner::decode(int64_t tokens, int64_t depth, int64_t batch, int64_t repeat) {
  Measurement measurement = {
      .kind = BenchKind::kDecode, .tokens = tokens, .depth = depth, .batch = batch};
  model::StateCache cache = pass_.make_cache(batch, depth + tokens);
  pass_.begin(measurement.name(), static_cast<uint64_t>(depth + tokens * batch * (repeat + 1)));
  std::vector<std::byte> past;
  if (depth > 0) {
    const model::SequenceHandle handle = cache.create().value();
    read(handle, depth, cache);
    past = cache.save(handle);
    cache.release(handle);
  }
  for (int64_t i = 0; i <= repeat; ++i) {
    // Copies, not forks, which would share the memory that is to be read.
    std::vector<model::SequenceHandle> handles;
    for (int64_t s = 0; s < batch; ++s)
      handles.push_back(past.empty() ? cache.create().value() : cache.load(past, "the past"));
    const BenchSample sample = steps(handles, tokens, cache);
    if (i > 0) measurement.samples.push_back(sample);
    for (const model::SequenceHandle handle : handles) cache.release(handle);
  }
  pass_.end();
  return measurement;
}

}  // namespace tulou::cli
