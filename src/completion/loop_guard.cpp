// Exact repetition in a stream of tokens; see loop_guard.h.
#include "completion/loop_guard.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace tulou::completion {

namespace {

// No token: the place before the first.
constexpr int32_t kNoToken = -1;

ThinkingTokens no_thinking() {
  ThinkingTokens tokens;
  tokens.begin = tokens.end = kNoToken;
  return tokens;
}

}  // namespace

LoopFinder::LoopFinder(int64_t max_period, LoopBounds bounds)
    : history_(static_cast<size_t>(2 * max_period), kNoToken),
      runs_(static_cast<size_t>(max_period) + 1),
      limits_(static_cast<size_t>(max_period) + 1),
      max_period_(max_period) {
  ASSERT(max_period > 0);
  set_bounds(bounds);
}

// A repetition of `repeats` periods is a run of one period less.
void LoopFinder::set_bounds(LoopBounds bounds) {
  limits_[0] = std::numeric_limits<int32_t>::max();
  for (int64_t period = 1; period <= max_period_; ++period) {
    const int64_t tokens = std::max(bounds.min_tokens, bounds.min_repeats * period);
    limits_[static_cast<size_t>(period)] =
        static_cast<int32_t>(std::clamp<int64_t>(tokens - period, 1, limits_[0] - 1));
  }
}

int64_t LoopFinder::push(int32_t token) {
  // history[place + max_period - period] is the token `period` before this one.
  const size_t place = static_cast<size_t>(position_ % max_period_);
  const int32_t* before = history_.data() + place + static_cast<size_t>(max_period_);
  const auto last = static_cast<std::ptrdiff_t>(max_period_);
  int32_t* runs = runs_.data();
  const int32_t* limits = limits_.data();
  int32_t reached = 0;
  for (std::ptrdiff_t period = 1; period <= last; ++period) {
    runs[period] = before[-period] == token ? std::min(runs[period], (1 << 30)) + 1 : 0;
    reached |= runs[period] >= limits[period] ? 1 : 0;
  }
  history_[place] = token;
  history_[place + static_cast<size_t>(max_period_)] = token;
  ++position_;
  if (reached == 0) return 0;
  for (int64_t period = 1; period <= max_period_; ++period)
    if (runs[period] >= limits[period]) return period;
  return 0;
}

void LoopFinder::reset() {
  std::fill(history_.begin(), history_.end(), kNoToken);
  std::fill(runs_.begin(), runs_.end(), 0);
}

LoopGuard::LoopGuard(std::optional<ThinkingTokens> tokens, bool in_reasoning,
                     LoopGuardOptions options, std::shared_ptr<LoopReport> report)
    : tokens_(tokens ? std::move(*tokens) : no_thinking()),
      options_(options),
      part_(tokens_.begin, tokens_.end, in_reasoning),
      finder_(options.max_period, in_reasoning ? options.thinking : options.answer),
      report_(std::move(report)) {}

engine::TokenGuide::Next LoopGuard::next(std::span<uint32_t> /*mask*/) {
  return {.forced = forced_.due(), .end = ended_};
}

void LoopGuard::accept(int32_t token) {
  const bool was_thinking = part_.thinking();
  part_.accept(token);
  const bool is_forced = forced_.due() >= 0;
  forced_.accept(token, tokens_.end);
  ++position_;
  if (part_.thinking() != was_thinking) {
    finder_.reset();
    finder_.set_bounds(part_.thinking() ? options_.thinking : options_.answer);
    return;
  }
  if (is_forced || ended_ || (!was_thinking && !options_.watch_answer)) return;
  const int64_t period = finder_.push(token);
  if (period == 0) return;
  const int64_t length = finder_.length(period);
  loops_.push_back({.in_thinking = was_thinking,
                    .begin = position_ - length,
                    .period = period,
                    .repeats = length / period});
  if (report_) report_->add(loops_.back());
  if (was_thinking) {
    forced_.begin(tokens_.closing);
  } else {
    ended_ = true;
  }
}

}  // namespace tulou::completion
