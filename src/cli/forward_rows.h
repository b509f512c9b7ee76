// Whole sequences of ids straight through the model, without the engine: every row's logits, or the
// last row's hidden values.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cli/forward_pass.h"

namespace tulou::cli {

// Ids in the vocabulary, no empty sequence, none longer than the session's longest; `source` names
// them in errors. Error cli.token_out_of_range, cli.no_tokens, cli.sequence_too_long.
void check_sequences(const Session& session, std::span<const std::vector<int32_t>> sequences,
                     const std::string& source);

// Rows that one forward pass takes when nobody asks for a number: enough to be fast, few enough
// that their logits stay within kPassBytes.
inline constexpr int64_t kMaxRowsPerPass = 512;
inline constexpr int64_t kPassBytes = int64_t{128} << 20;
// The most bytes of logits that all rows of a batch may have.
inline constexpr uint64_t kMaxBatchBytes = uint64_t{4} << 30;

// Runs passes over one cache. Ctrl-C ends it: Error run.cancelled.
class ForwardRows {
 public:
  // Everything must outlive it. `cancel` is the flag that stops a pass.
  ForwardRows(Session& session, const std::atomic<bool>& cancel, base::Progress& progress);

  // Receives whole rows of [vocab_size] logits, in the order of the ids.
  using Sink = std::function<void(std::span<const float> rows)>;

  // One sequence after another, `split` tokens a pass (0: as many as is good).
  void logits(std::span<const std::vector<int32_t>> sequences, int64_t split, const Sink& sink);
  // All sequences at once in ragged batches, `split` tokens of each a pass (0: all of them).
  // Error cli.batch_too_large.
  void logits_batch(std::span<const std::vector<int32_t>> sequences, int64_t split,
                    const Sink& sink);
  // Every pass from now on shows its products. `observer` must outlive this.
  void set_observer(nn::LinearObserver* observer) { pass_.set_observer(observer); }

  // The last token's values after the final norm, for each sequence. [sequences, hidden_size]
  std::vector<float> last_hidden(std::span<const std::vector<int32_t>> sequences);

 private:
  int64_t rows_per_pass() const;
  void read(std::span<const int32_t> ids, int64_t per_pass, model::StateCache& cache,
            model::Want others, model::Want last,
            const std::function<void(const model::ForwardResult&)>& done);
  model::StateCache make_cache(std::span<const std::vector<int32_t>> sequences,
                               int64_t num_at_once) const;

  Session& session_;
  ForwardPass pass_;
};

}  // namespace tulou::cli
