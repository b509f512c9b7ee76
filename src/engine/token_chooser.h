// The next token of a sequence from its logits: guides, bias and bans, then the sampler; and
// log-probabilities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace tulou::engine {

// The natural logarithm of the sum of exp(logits), in double precision; NaN logits count as
// nothing.
double log_sum_exp(std::span<const float> logits);

// `token` with its log-probability, and the `count` most likely tokens with theirs, falling; of
// equals the lower id comes first.
OutputToken with_logprobs(int32_t token, std::span<const float> logits, int64_t count);

// Holds scratch memory only; one for each thread.
class TokenChooser {
 public:
  // `logits` [vocab_size] are changed. What a guide throws becomes FinishReason::kFailed.
  Chosen choose(Sequence& sequence, std::span<float> logits);

 private:
  // The forced token, or -1; no value if a guide ends the answer. mask_ is set if masked_ is.
  std::optional<int32_t> ask_guides(Sequence& sequence, size_t vocab_size);
  void apply_rules(const Sequence& sequence, std::span<float> logits) const;
  Chosen choose_unguarded(Sequence& sequence, std::span<float> logits);
  Sampler sampler_;
  std::vector<uint32_t> mask_;
  bool masked_ = false;
};

}  // namespace tulou::engine
