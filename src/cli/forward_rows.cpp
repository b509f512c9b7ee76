// Sequences through Model::forward; see forward_rows.h.
#include "cli/forward_rows.h"

#include <algorithm>

#include "base/assert.h"
#include "base/error.h"
#include "base/number.h"
#include "model/batch.h"

namespace tulou::cli {

namespace {

using Sequences = std::span<const std::vector<int32_t>>;

int64_t size_of(std::span<const int32_t> ids) { return static_cast<int64_t>(ids.size()); }

int64_t longest_of(Sequences sequences) {
  int64_t longest = 0;
  for (const std::vector<int32_t>& ids : sequences) longest = std::max(longest, size_of(ids));
  return longest;
}

uint64_t total_of(Sequences sequences) {
  uint64_t total = 0;
  for (const std::vector<int32_t>& ids : sequences) total += ids.size();
  return total;
}

}  // namespace

void check_sequences(const Session& session, Sequences sequences, const std::string& source) {
  const int64_t vocab_size = session.config().vocab_size;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<int32_t>& ids = sequences[i];
    if (ids.empty()) throw base::Error("cli.no_tokens", source, i);
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocab_size)
        throw base::Error("cli.token_out_of_range", source, id, vocab_size);
    }
    if (size_of(ids) > session.longest_sequence())
      throw base::Error("cli.sequence_too_long", source, ids.size(), session.longest_sequence());
  }
}

ForwardRows::ForwardRows(Session& session, const std::atomic<bool>& cancel,
                         base::Progress& progress)
    : session_(session), pass_(session, cancel, progress) {}

int64_t ForwardRows::rows_per_pass() const {
  const int64_t row_bytes = session_.config().vocab_size * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(kPassBytes / row_bytes, 1, kMaxRowsPerPass);
}

model::StateCache ForwardRows::make_cache(Sequences sequences, int64_t num_at_once) const {
  return pass_.make_cache(num_at_once, std::max<int64_t>(1, longest_of(sequences)));
}

void ForwardRows::read(std::span<const int32_t> ids, int64_t per_pass, model::StateCache& cache,
                       model::Want others, model::Want last,
                       const std::function<void(const model::ForwardResult&)>& done) {
  const std::optional<model::SequenceHandle> handle = cache.create();
  ASSERT(handle.has_value());
  model::Batch batch;
  for (int64_t begin = 0; begin < size_of(ids); begin += per_pass) {
    const int64_t count = std::min(per_pass, size_of(ids) - begin);
    const bool is_last = begin + count == size_of(ids);
    ASSERT(cache.reserve(*handle, count));
    batch.clear();
    batch.add(*handle, ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), begin,
              others, is_last ? last : others);
    done(pass_.run(batch, cache));
  }
  cache.release(*handle);
}

void ForwardRows::logits(Sequences sequences, int64_t split, const Sink& sink) {
  if (sequences.empty()) return;
  model::StateCache cache = make_cache(sequences, 1);
  pass_.begin("computing", total_of(sequences));
  for (const std::vector<int32_t>& ids : sequences) {
    read(ids, split > 0 ? split : rows_per_pass(), cache, model::Want::kLogits,
         model::Want::kLogits, [&](const model::ForwardResult& result) { sink(result.logits); });
  }
  pass_.end();
}

void ForwardRows::logits_batch(Sequences sequences, int64_t split, const Sink& sink) {
  if (sequences.empty()) return;
  const size_t width = static_cast<size_t>(session_.config().vocab_size);
  const uint64_t bytes = total_of(sequences) * width * sizeof(float);
  if (bytes > kMaxBatchBytes)
    throw base::Error("cli.batch_too_large", total_of(sequences), base::human_bytes(bytes),
                      base::human_bytes(kMaxBatchBytes));
  const int64_t per_pass = split > 0 ? split : longest_of(sequences);
  model::StateCache cache = make_cache(sequences, static_cast<int64_t>(sequences.size()));
  pass_.begin("computing", total_of(sequences));
  std::vector<model::SequenceHandle> handles;
  for (size_t i = 0; i < sequences.size(); ++i) handles.push_back(cache.create().value());
  // Passes take tokens of every sequence, the rows are wanted sequence by sequence.
  std::vector<std::vector<float>> rows(sequences.size());
  for (int64_t begin = 0; begin < longest_of(sequences); begin += per_pass) {
    model::Batch batch;
    std::vector<size_t> members;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int64_t count = std::min(per_pass, size_of(sequences[i]) - begin);
      if (count <= 0) continue;
      ASSERT(cache.reserve(handles[i], count));
      batch.add(
          handles[i],
          std::span(sequences[i]).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
          begin, model::Want::kLogits, model::Want::kLogits);
      members.push_back(i);
    }
    const model::ForwardResult result = pass_.run(batch, cache);
    for (size_t m = 0; m < members.size(); ++m) {
      const model::BatchSequence& part = batch.sequences[m];
      const auto values =
          result.logits.subspan(part.begin * width, (part.end - part.begin) * width);
      rows[members[m]].insert(rows[members[m]].end(), values.begin(), values.end());
    }
  }
  for (const std::vector<float>& values : rows) sink(values);
  pass_.end();
}

std::vector<float> ForwardRows::last_hidden(Sequences sequences) {
  std::vector<float> hidden;
  if (sequences.empty()) return hidden;
  model::StateCache cache = make_cache(sequences, 1);
  pass_.begin("computing", total_of(sequences));
  for (const std::vector<int32_t>& ids : sequences) {
    read(ids, kMaxRowsPerPass, cache, model::Want::kNothing, model::Want::kHidden,
         [&](const model::ForwardResult& result) {
           hidden.insert(hidden.end(), result.hidden.begin(), result.hidden.end());
         });
  }
  pass_.end();
  return hidden;
}

}  // namespace tulou::cli
