// Rules about what comes next in an answer, from above the engine: grammars, thinking budgets, loop
// guards.
#pragma once

#include <cstdint>
#include <span>

namespace tulou::engine {

// Belongs to one answer. Called by one thread at a time, in the order next, accept, next,
// accept...; what it throws ends this answer alone, with FinishReason::kFailed.
class TokenGuide {
 public:
  struct Next {
    int32_t forced = -1;  // the token that must come; -1: the sampler chooses
    bool masked = false;  // bits were cleared
    bool end = false;     // the answer ends here, without another token
  };
  virtual ~TokenGuide() = default;
  // Before a token is chosen. Id i is allowed while bit i % 32 of word i / 32 of `mask` is set;
  // guides only clear bits.
  virtual Next next(std::span<uint32_t> mask) = 0;
  // The token that was chosen or forced; stop tokens too.
  virtual void accept(int32_t token) = 0;
};

}  // namespace tulou::engine
