// Rules on what comes next in an answer, from above the engine: a grammar, a budget for thinking, a
// guard against loops. The engine knows tokens only, and so do the rules.
#pragma once

#include <cstdint>
#include <span>

namespace tulou::engine {

/// One rule for one answer. Called on the engine thread only: next() before each choice, accept()
/// after it, in turns. Neither may throw.
class TokenGuide {
 public:
  /// What a guide says before a choice.
  struct Next {
    int32_t forced = -1;  ///< The token that must come next; -1 if the sampler chooses.
    bool masked = false;  ///< Bits of the mask were cleared.
    bool end = false;     ///< The answer ends here, without another token.
  };

  virtual ~TokenGuide() = default;

  /// Before a choice. `mask`: bit i % 32 of word i / 32 says that token i is allowed; a guide only
  /// clears bits.
  virtual Next next(std::span<uint32_t> mask) = 0;

  /// The chosen (or forced) token.
  virtual void accept(int32_t token) = 0;
};

}  // namespace tulou::engine
