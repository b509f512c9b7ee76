// Keeps an answer within a grammar. Thinking is free but for its end: it cannot stop the answer,
// and the grammar begins behind the seam that the model's template has between thinking and answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "completion/thinking_budget.h"
#include "engine/token_guide.h"
#include "grammar/grammar.h"

namespace tulou::completion {

class GrammarGuide final : public engine::TokenGuide {
 public:
  // `thinking`: absent if the answer has no thinking part. `in_reasoning`: the prompt ends within
  // the thinking part. `not_in_thinking`: what may not come there, above all what ends the answer.
  GrammarGuide(std::shared_ptr<const grammar::CompiledGrammar> grammar,
               std::optional<ThinkingTokens> thinking, bool in_reasoning,
               std::vector<int32_t> not_in_thinking);

  Next next(std::span<uint32_t> mask) override;
  void accept(int32_t token) override;

 private:
  grammar::GrammarMatcher matcher_;
  std::optional<ThinkingTokens> thinking_;
  std::vector<int32_t> not_in_thinking_;
  ThinkingPart part_;
  ForcedTokens seam_;     // what the answer begins with after a thinking part
  bool at_start_ = true;  // nothing came yet: the model may begin to think
};

}  // namespace tulou::completion
