// Finds an answer that repeats itself for ever, and ends it.
//
// A loop is the same `period` tokens again and again, exactly. Texts that people ask for repeat
// too: rules of tables, rows of zeros, lists of equal records, a line written a hundred times. So
// the bounds are wide in the answer (six times and 3,072 tokens: a 28 x 28 matrix of zeros and
// "write it 300 times" pass) and narrow in the thinking, where nothing has to be written out (four
// times and 512 tokens). Loops in which something counts up are not found.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "completion/thinking_budget.h"
#include "engine/token_guide.h"

namespace tulou::completion {

/// What counts as a loop: both bounds must be reached.
struct LoopBounds {
  int64_t min_repeats = 0;  // of the period
  int64_t min_tokens = 0;   // altogether
};

struct LoopGuardOptions {
  LoopBounds thinking = {4, 512};
  LoopBounds answer = {6, 3072};
  /// The longest period that is looked for, in tokens. Each token costs this many comparisons,
  /// about 0.2 microseconds.
  int64_t max_period = 1024;
  /// False where a grammar rules the answer, which must not be cut.
  bool watch_answer = true;
};

/// A loop that was found.
struct Loop {
  bool in_thinking = false;
  int64_t begin = 0;    // the token of the answer (from 0 on) where the repetition begins
  int64_t period = 0;   // tokens
  int64_t repeats = 0;  // whole periods when it was found
};

/// The loops that a guard found, for whoever asked for the answer. Thread-safe.
class LoopReport {
 public:
  void add(const Loop& loop) {
    const std::lock_guard lock(mutex_);
    loops_.push_back(loop);
  }
  std::vector<Loop> loops() const {
    const std::lock_guard lock(mutex_);
    return loops_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Loop> loops_;
};

/// Finds the repetition in a stream of tokens. Memory: three words for each possible period.
class LoopFinder {
 public:
  LoopFinder(int64_t max_period, LoopBounds bounds);
  /// The shortest period that has reached the bounds with this token; 0 if there is none.
  int64_t push(int32_t token);
  /// Tokens in the repetition of that period that ends here.
  int64_t length(int64_t period) const { return runs_[static_cast<size_t>(period)] + period; }
  /// Forgets all tokens.
  void reset();
  void set_bounds(LoopBounds bounds);

 private:
  std::vector<int32_t> history_;  // the last max_period tokens, twice, so that they are in one row
  std::vector<int32_t> runs_;     // of each period: tokens in a row that equal the one before it
  std::vector<int32_t> limits_;   // the run from which a period counts
  int64_t max_period_;
  int64_t position_ = 0;
};

/// In the thinking a loop closes the thinking (as ThinkingBudget does), in the answer it ends it.
class LoopGuard : public engine::TokenGuide {
 public:
  /// `tokens`: absent if the model does not think. `in_reasoning`: the prompt ends within the
  /// thinking part. `report` may be null.
  LoopGuard(std::optional<ThinkingTokens> tokens, bool in_reasoning, LoopGuardOptions options = {},
            std::shared_ptr<LoopReport> report = nullptr);

  Next next(std::span<uint32_t> mask) override;
  void accept(int32_t token) override;

  /// The loops that were found: at most one in the thinking and one in the answer.
  const std::vector<Loop>& loops() const { return loops_; }

 private:
  ThinkingTokens tokens_;
  LoopGuardOptions options_;
  ThinkingPart part_;
  ForcedTokens forced_;
  LoopFinder finder_;
  std::vector<Loop> loops_;
  int64_t position_ = 0;  // tokens of the answer
  bool ended_ = false;
  std::shared_ptr<LoopReport> report_;
};

}  // namespace tulou::completion
