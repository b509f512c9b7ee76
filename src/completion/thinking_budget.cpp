// Counts thinking tokens and closes the thinking; see thinking_budget.h.
#include "completion/thinking_budget.h"

#include <algorithm>
#include <string>

#include "base/assert.h"

namespace tulou::completion {

std::optional<ThinkingTokens> thinking_tokens(const TextModel& model) {
  if (!model.think_begin()) return std::nullopt;
  const auto encode = [&](const std::string& text) {
    return model.tokenizer().encode(text, text::Tokenizer::Special::kText);
  };
  ThinkingTokens tokens;
  tokens.begin = *model.think_begin();
  tokens.end = *model.think_end();
  const auto closing = [&](const std::string& words) {
    std::vector<int32_t> ids = encode(words);
    ids.push_back(tokens.end);
    const std::vector<int32_t> seam = encode("\n\n");
    ids.insert(ids.end(), seam.begin(), seam.end());
    return ids;
  };
  tokens.closing = closing(std::string("\n\n") + kClosingWords + "\n");
  tokens.empty_closing = closing("\n");
  return tokens;
}

void ThinkingPart::accept(int32_t token) {
  if (state_ == State::kStart) {
    state_ = token == begin_ ? State::kThinking : State::kAnswer;
  } else if (state_ == State::kThinking) {
    // One <think> right at the beginning repeats what the prompt has.
    if (token == end_) {
      state_ = State::kAnswer;
    } else if (token == begin_ && num_tokens_ == 0 && !begun_twice_) {
      begun_twice_ = true;
    } else {
      ++num_tokens_;
    }
  }
}

void ForcedTokens::accept(int32_t token, int32_t end) {
  if (at_ >= tokens_.size()) return;
  if (token == tokens_[at_]) {
    ++at_;
  } else if (token == end) {
    const auto found =
        std::find(tokens_.begin() + static_cast<std::ptrdiff_t>(at_), tokens_.end(), end);
    at_ =
        found == tokens_.end() ? tokens_.size() : static_cast<size_t>(found - tokens_.begin()) + 1;
  }
}

ThinkingBudget::ThinkingBudget(ThinkingTokens tokens, int64_t budget, bool in_reasoning,
                               std::shared_ptr<ThinkingReport> report)
    : tokens_(std::move(tokens)),
      budget_(budget),
      part_(tokens_.begin, tokens_.end, in_reasoning),
      report_(std::move(report)) {
  ASSERT(budget >= 0);
}

engine::TokenGuide::Next ThinkingBudget::next(std::span<uint32_t> /*mask*/) {
  if (!closed_ && part_.thinking() && part_.num_tokens() >= budget_) {
    closed_ = true;
    if (report_) report_->closed = true;
    forced_.begin(part_.num_tokens() == 0 ? tokens_.empty_closing : tokens_.closing);
  }
  return {.forced = forced_.due()};
}

void ThinkingBudget::accept(int32_t token) {
  part_.accept(token);
  forced_.accept(token, tokens_.end);
  if (report_) report_->num_thinking_tokens = part_.num_tokens();
}

}  // namespace tulou::completion
