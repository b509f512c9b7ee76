#include "completion/grammar_guide.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "grammar/token_mask.h"

namespace tulou::completion {

GrammarGuide::GrammarGuide(std::shared_ptr<const grammar::CompiledGrammar> grammar,
                           std::optional<ThinkingTokens> thinking, bool in_reasoning,
                           std::vector<int32_t> not_in_thinking)
    : matcher_(std::move(grammar)),
      thinking_(std::move(thinking)),
      not_in_thinking_(std::move(not_in_thinking)),
      part_(thinking_ ? thinking_->begin : -1, thinking_ ? thinking_->end : -1,
            thinking_ && in_reasoning) {}

engine::TokenGuide::Next GrammarGuide::next(std::span<uint32_t> mask) {
  Next result;
  if (part_.thinking()) {
    for (const int32_t token : not_in_thinking_) {
      if (token < 0 || static_cast<size_t>(token) / 32 >= mask.size()) continue;
      grammar::forbid(mask, token);
      result.masked = true;
    }
    return result;
  }
  result.forced = seam_.due();
  if (result.forced >= 0) return result;
  const bool may_think = at_start_ && thinking_ && grammar::is_allowed(mask, thinking_->begin);
  result.masked = matcher_.fill(mask);
  if (may_think) {
    const auto begin = static_cast<size_t>(thinking_->begin);
    mask[begin / 32] |= uint32_t{1} << (begin % 32);
  }
  return result;
}

void GrammarGuide::accept(int32_t token) {
  const bool was_thinking = part_.thinking();
  const bool begins = at_start_ && thinking_ && token == thinking_->begin;
  at_start_ = false;
  part_.accept(token);
  if (was_thinking && !part_.thinking()) {
    const std::vector<int32_t>& closing = thinking_->empty_closing;
    const auto end = std::find(closing.begin(), closing.end(), thinking_->end);
    seam_.begin({end == closing.end() ? end : end + 1, closing.end()});
  }
  if (was_thinking || begins) return;
  if (seam_.due() == token) {
    seam_.accept(token, thinking_->end);
    return;
  }
  if (!matcher_.accept(token)) throw base::Error("grammar.token_refused", token);
}

}  // namespace tulou::completion
