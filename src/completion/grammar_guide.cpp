#include "completion/grammar_guide.h"

#include "base/error.h"

namespace tulou::completion {

GrammarGuide::GrammarGuide(std::shared_ptr<const grammar::CompiledGrammar> grammar,
                           std::optional<ThinkingTokens> thinking, bool in_reasoning)
    : matcher_(std::move(grammar)),
      thinking_(std::move(thinking)),
      part_(thinking_ ? thinking_->begin : -1, thinking_ ? thinking_->end : -1, in_reasoning) {}

engine::TokenGuide::Next GrammarGuide::next(std::span<uint32_t> mask) {
  Next result;
  if (part_.thinking()) return result;
  bool may_think = false;
  if (at_start_ && thinking_) {
    const auto begin = static_cast<size_t>(thinking_->begin);
    may_think = (mask[begin / 32] >> (begin % 32) & 1) != 0;
  }
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
  if (was_thinking || begins) return;
  if (!matcher_.accept(token)) throw base::Error("grammar.token_refused", token);
}

}  // namespace tulou::completion
