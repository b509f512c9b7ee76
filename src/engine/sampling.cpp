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
  select(logits, params.top_k > 0 ? static_cast<size_t>(params.top_k) : logits.size());
  if (candidates_.empty()) return 0;
  if (params.top_p < 1.0) keep_top_p(params);
  return draw(params, static_cast<uint64_t>(prompt.size() + answer.size()), choice);
}

// candidates_ becomes the `count` most likely tokens, in falling order; without a limit all of
// them, in the order of the vocabulary. Of a large vocabulary nearly every logit is only compared
// with the least of those found so far.
void Sampler::select(std::span<const float> logits, size_t count) {
  candidates_.clear();
  const bool limited = count < logits.size();
  float bound = -std::numeric_limits<float>::infinity();
  const auto drop_rest = [&] {
    if (candidates_.size() <= count) return;
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(candidates_.begin(), end - 1, candidates_.end(), before);
    bound = (end - 1)->logit;
    candidates_.erase(end, candidates_.end());
  };
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > bound)) continue;  // NaN; or of equals a higher id
    candidates_.push_back({logits[i], static_cast<int32_t>(i)});
    if (limited && candidates_.size() >= 2 * count) drop_rest();
  }
  if (!limited) return;
  drop_rest();
  std::sort(candidates_.begin(), candidates_.end(), before);
}

// Drops all but the most likely candidates: one stays while those before it have less than top_p
// together; the first one always does. They come out in falling order.
void Sampler::keep_top_p(const SamplingParams& params) {
  const float largest = largest_logit();
  double total = 0;
  for (const Candidate& candidate : candidates_) total += weight(candidate, largest, params);
  const auto less_likely = [](const Candidate& a, const Candidate& b) { return before(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  double sum = 0;
  auto kept = candidates_.end();
  while (kept != candidates_.begin() && (kept == candidates_.end() || sum < params.top_p * total)) {
    std::pop_heap(candidates_.begin(), kept, less_likely);
    sum += weight(*--kept, largest, params);
  }
  candidates_.erase(candidates_.begin(), kept);
  std::reverse(candidates_.begin(), candidates_.end());
}

float Sampler::largest_logit() const {
  float largest = candidates_.front().logit;
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.logit);
  return largest;
}

// A candidate's probability over that of the most likely one.
double Sampler::weight(const Candidate& candidate, float largest, const SamplingParams& params) {
  const double difference = static_cast<double>(candidate.logit) - static_cast<double>(largest);
  return std::exp(difference / params.temperature);
}

int32_t Sampler::draw(const SamplingParams& params, uint64_t position, uint32_t choice) {
  const float largest = largest_logit();
  probabilities_.clear();
  for (const Candidate& candidate : candidates_)
    probabilities_.push_back(weight(candidate, largest, params));
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
