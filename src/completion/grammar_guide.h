// Keeps an answer within a grammar. Thinking is free: the grammar begins where the answer does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "completion/thinking_budget.h"
#include "engine/token_guide.h"
#include "grammar/grammar.h"

namespace tulou::completion {

class GrammarGuide final : public engine::TokenGuide {
 public:
  // `thinking`: absent if the model does not think, or is not to. `in_reasoning`: the prompt ends
  // within the thinking part.
  GrammarGuide(std::shared_ptr<const grammar::CompiledGrammar> grammar,
               std::optional<ThinkingTokens> thinking, bool in_reasoning);

  Next next(std::span<uint32_t> mask) override;
  void accept(int32_t token) override;

 private:
  grammar::GrammarMatcher matcher_;
  std::optional<ThinkingTokens> thinking_;
  ThinkingPart part_;
  bool at_start_ = true;  // nothing came yet: the model may begin to think
};

}  // namespace tulou::completion
