// Sampling parameters, and the choice of a token from its logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tulou::engine {

// Neutral values mean "no such stage". Stages run in this order (docs/sampling.md): penalties,
// temperature, top-k, top-p, min-p, draw. It is transformers' order where both have the stage.
struct SamplingParams {
  double temperature = 1.0;  // 0: greedy; penalties still count
  int64_t top_k = 0;         // 0: off
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;  // on tokens of prompt and answer (transformers)
  double presence_penalty = 0.0;    // on tokens of the answer (OpenAI)
  double frequency_penalty = 0.0;   // times how often the answer has the token (OpenAI)
  uint64_t seed = 0;
  // Throws Error sampling.out_of_range, naming the parameter, its value and its range.
  void validate() const;
};

// Chooses tokens for one sequence. Holds scratch memory only.
class Sampler {
 public:
  // `logits` [vocab_size] are changed. `prompt` and `answer` are the sequence's tokens so far;
  // the random number is a function of (seed, choice, position) alone. Ties go to the lower id.
  // NaN logits are never chosen.
  int32_t sample(std::span<float> logits, const SamplingParams& params,
                 std::span<const int32_t> prompt, std::span<const int32_t> answer, uint32_t choice);

  // The largest logit's id; the lowest one among equals.
  static int32_t greedy(std::span<const float> logits);

 private:
  struct Candidate {
    float logit;
    int32_t token;
  };
  void penalise(std::span<float> logits, const SamplingParams& params,
                std::span<const int32_t> prompt, std::span<const int32_t> answer);
  // More likely; of equals the lower id.
  static bool before(const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  }
  void select(std::span<const float> logits, size_t count);
  void keep_top_p(const SamplingParams& params);
  float largest_logit() const;
  static double weight(const Candidate& candidate, float largest, const SamplingParams& params);
  int32_t draw(const SamplingParams& params, uint64_t position, uint32_t choice);
  std::vector<Candidate> candidates_;
  std::vector<double> probabilities_;
};

}  // namespace tulou::engine
