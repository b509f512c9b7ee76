#include "engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/rng.h"

namespace tulou::engine {
namespace {

void check(std::string_view name, double value, double min, double max, std::string_view allowed) {
  if (!(value >= min && value <= max))
    throw base::Error("sampling.out_of_range", name, value, allowed);
}

}  // namespace

void SamplingParams::validate() const {
  check("temperature", temperature, 0, 100, "0 to 100");
  check("top_k", static_cast<double>(top_k), 0, 1e9, "0 (off) and more");
  check("top_p", top_p, 0, 1, "0 to 1");
  check("min_p", min_p, 0, 1, "0 to 1");
  check("repetition_penalty", repetition_penalty, 0.01, 100, "0.01 to 100");
  check("presence_penalty", presence_penalty, -100, 100, "-100 to 100");
  check("frequency_penalty", frequency_penalty, -100, 100, "-100 to 100");
}

int32_t Sampler::greedy(std::span<const float> logits) {
  size_t best = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > largest) {  // false for NaN
      largest = logits[i];
      best = i;
    }
  }
  return static_cast<int32_t>(best);
}

void Sampler::penalise(std::span<float> logits, const SamplingParams& params,
                       std::span<const int32_t> prompt, std::span<const int32_t> answer) {
  const bool repetition = params.repetition_penalty != 1.0;
  const bool counts = params.presence_penalty != 0.0 || params.frequency_penalty != 0.0;
  if (!repetition && !counts) return;
  std::unordered_map<int32_t, int64_t> times;  // in the answer; 0: only in the prompt
  if (repetition) {
    for (const int32_t token : prompt) times.emplace(token, 0);
  }
  for (const int32_t token : answer) ++times[token];
  for (const auto& [token, count] : times) {
    double logit = static_cast<double>(logits[static_cast<size_t>(token)]);
    // Towards less likely on either side of 0 (transformers, RepetitionPenaltyLogitsProcessor).
    if (repetition)
      logit = logit < 0 ? logit * params.repetition_penalty : logit / params.repetition_penalty;
    if (count > 0) logit -= params.presence_penalty;
    logit -= params.frequency_penalty * static_cast<double>(count);
    logits[static_cast<size_t>(token)] = static_cast<float>(logit);
  }
}

int32_t Sampler::sample(std::span<float> logits, const SamplingParams& params,
                        std::span<const int32_t> prompt, std::span<const int32_t> answer,
                        uint32_t choice) {
  penalise(logits, params, prompt, answer);
  if (params.temperature == 0.0 || params.top_k == 1) return greedy(logits);
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -std::numeric_limits<float>::infinity())
      candidates_.push_back({logits[i], static_cast<int32_t>(i)});
  }
  if (candidates_.empty()) return 0;
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < candidates_.size()) {
    const auto end = candidates_.begin() + params.top_k;
    std::nth_element(candidates_.begin(), end - 1, candidates_.end(), before);
    candidates_.erase(end, candidates_.end());
  }
  if (params.top_p < 1.0 || params.top_k > 0)
    std::sort(candidates_.begin(), candidates_.end(), before);
  return draw(params, static_cast<uint64_t>(prompt.size() + answer.size()), choice);
}

int32_t Sampler::draw(const SamplingParams& params, uint64_t position, uint32_t choice) {
  float largest = candidates_.front().logit;
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.logit);
  probabilities_.clear();
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    const double difference = static_cast<double>(candidate.logit) - static_cast<double>(largest);
    probabilities_.push_back(std::exp(difference / params.temperature));
    total += probabilities_.back();
  }
  // Top-p: a token stays while those before it have less than p; the first one always does.
  if (params.top_p < 1.0) {
    double sum = 0;
    size_t kept = 0;
    while (kept < probabilities_.size() && (kept == 0 || sum < params.top_p * total))
      sum += probabilities_[kept++];
    probabilities_.resize(kept);
    total = sum;
  }
  // Min-p: relative to the most likely one, whose weight here is exp(0) = 1.
  double allowed = 0;
  for (double& p : probabilities_) {
    if (p < params.min_p) p = 0;
    allowed += p;
  }
  double left = base::random_uniform(params.seed, choice, position) * allowed;
  size_t last = 0;
  for (size_t i = 0; i < probabilities_.size(); ++i) {
    if (probabilities_[i] <= 0) continue;
    last = i;
    left -= probabilities_[i];
    if (left < 0) break;
  }
  return candidates_[last].token;
}

}  // namespace tulou::engine
