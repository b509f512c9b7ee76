// Tests of the choice of a token: each stage against a plain computation, and the distribution
// drawn.
#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "base/error.h"

namespace tulou::engine {
namespace {

// How often each token comes when the position runs through `draws` numbers.
std::map<int32_t, double> frequencies(const std::vector<float>& logits, SamplingParams params,
                                      int draws = 20000) {
  Sampler sampler;
  std::map<int32_t, double> counts;
  for (int i = 0; i < draws; ++i) {
    std::vector<float> copy = logits;
    params.seed = static_cast<uint64_t>(i);
    counts[sampler.sample(copy, params, {}, {}, 0)] += 1.0 / draws;
  }
  return counts;
}

TEST(Sampler, GreedyTakesTheLowestOfEqualsAndNeverNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Sampler::greedy(std::vector<float>{nan, 1, 3, 3}), 2);
  std::vector<float> logits = {0, 5, 5};
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(Sampler().sample(logits, params, {}, {}, 0), 1);
}

TEST(Sampler, DrawsFromTheSoftmaxAtTheTemperature) {
  const std::vector<float> logits = {1.0f, 0.0f, -1.0f};
  SamplingParams params;
  params.temperature = 0.5;
  const auto seen = frequencies(logits, params);
  const double total = std::exp(2.0) + 1 + std::exp(-2.0);
  // Five standard deviations of a frequency over 20,000 draws are below 0.018.
  EXPECT_NEAR(seen.at(0), std::exp(2.0) / total, 0.018);
  EXPECT_NEAR(seen.at(1), 1 / total, 0.018);
  EXPECT_NEAR(seen.at(2), std::exp(-2.0) / total, 0.018);
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  SamplingParams params;
  params.top_k = 2;
  const auto seen = frequencies({0.0f, 0.1f, 0.2f, 0.1f}, params, 2000);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen.contains(2));
  EXPECT_TRUE(seen.contains(1));  // of equals the lower id
}

TEST(Sampler, TopPKeepsTokensWhilePredecessorsHaveLess) {
  // Probabilities 0.5, 0.3, 0.2.
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  SamplingParams params;
  params.top_p = 0.6;
  EXPECT_EQ(frequencies(logits, params, 2000).size(), 2u);
  params.top_p = 0.4;
  EXPECT_EQ(frequencies(logits, params, 2000).size(), 1u);
  params.top_p = 0.85;
  EXPECT_EQ(frequencies(logits, params, 2000).size(), 3u);
  params.top_p = 0.0;  // the most likely one always stays
  EXPECT_EQ(frequencies(logits, params, 100).size(), 1u);
}

// The tokens that are left, found by sorting everything.
std::set<int32_t> left_by_sorting(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < logits.size(); ++i)
    if (!std::isnan(logits[i])) order.push_back(static_cast<int32_t>(i));
  const auto logit = [&](int32_t token) { return logits[static_cast<size_t>(token)]; };
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
  });
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < order.size())
    order.resize(static_cast<size_t>(params.top_k));
  const auto weight = [&](int32_t token) {
    return std::exp((logit(token) - logit(order[0])) / params.temperature);
  };
  double total = 0, sum = 0;
  for (const int32_t token : order) total += weight(token);
  std::set<int32_t> left;
  for (const int32_t token : order) {
    if (!left.empty() && sum >= params.top_p * total) break;
    left.insert(token);
    sum += weight(token);
  }
  return left;
}

// Rising, falling and mixed logits with equals and NaN; the bound of top-k changes on the way.
TEST(Sampler, LeavesWhatSortingLeaves) {
  for (int shape = 0; shape < 3; ++shape) {
    std::vector<float> logits;
    for (int i = 0; i < 100; ++i) {
      const int step = (shape == 0 ? i : shape == 1 ? 100 - i : i * 7919 % 103) / 3;
      logits.push_back(i % 41 == 40 ? std::nanf("") : static_cast<float>(step) * 0.01f);
    }
    for (const int64_t top_k : {0, 2, 7, 49, 98, 100, 1000}) {
      for (const double top_p : {0.01, 0.5, 0.97, 1.0}) {
        SamplingParams params;
        params.top_k = top_k;
        params.top_p = top_p;
        const std::set<int32_t> left = left_by_sorting(logits, params);
        std::set<int32_t> seen;
        for (const auto& [token, share] : frequencies(logits, params, 2500)) seen.insert(token);
        // Tokens about as likely as each other; the draws are the same each time.
        EXPECT_EQ(seen, left) << "shape " << shape << " top_k " << top_k << " top_p " << top_p;
      }
    }
  }
}

TEST(Sampler, MinPIsRelativeToTheMostLikely) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  SamplingParams params;
  params.min_p = 0.5;
  const auto seen = frequencies(logits, params, 4000);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen.at(0), 0.5 / 0.8, 0.04);
}

TEST(Sampler, PenaltiesComeBeforeTheChoice) {
  Sampler sampler;
  const std::vector<int32_t> prompt = {0}, answer = {1, 1};
  SamplingParams params;
  params.temperature = 0;
  const auto choose = [&](std::vector<float> logits) {
    return sampler.sample(logits, params, prompt, answer, 0);
  };
  params.repetition_penalty = 2.0;  // 4 -> 2, -1 -> -2; prompt and answer alike
  EXPECT_EQ(choose({4, 4, 2.5f}), 2);
  EXPECT_EQ(choose({-1, -1, -1.5f}), 2);
  params.repetition_penalty = 1.0;
  params.presence_penalty = 1.5;  // the answer only
  EXPECT_EQ(choose({2, 3, 0}), 0);
  params.presence_penalty = 0;
  params.frequency_penalty = 0.6;  // twice
  EXPECT_EQ(choose({2, 3, 0}), 0);
  params.frequency_penalty = 0.4;
  EXPECT_EQ(choose({2, 3, 0}), 1);
}

TEST(Sampler, TheNumberDependsOnSeedChoiceAndPositionAlone) {
  const std::vector<float> logits(1000, 0.0f);
  SamplingParams params;
  params.seed = 7;
  const auto draw = [&](uint32_t choice, size_t position) {
    std::vector<float> copy = logits;
    const std::vector<int32_t> prompt(position, 5);
    return Sampler().sample(copy, params, prompt, {}, choice);
  };
  EXPECT_EQ(draw(0, 3), draw(0, 3));
  EXPECT_NE(draw(0, 3), draw(1, 3));
  EXPECT_NE(draw(0, 3), draw(0, 4));
}

TEST(SamplingParams, RefusesWhatIsOutOfRange) {
  const auto refused = [](auto change) {
    SamplingParams params;
    change(params);
    try {
      params.validate();
    } catch (const base::Error& error) {
      return error.id() == "sampling.out_of_range";
    }
    return false;
  };
  SamplingParams().validate();
  EXPECT_TRUE(refused([](auto& p) { p.temperature = -0.1; }));
  EXPECT_TRUE(refused([](auto& p) { p.temperature = std::nan(""); }));
  EXPECT_TRUE(refused([](auto& p) { p.top_k = -1; }));
  EXPECT_TRUE(refused([](auto& p) { p.top_p = 1.1; }));
  EXPECT_TRUE(refused([](auto& p) { p.min_p = -1; }));
  EXPECT_TRUE(refused([](auto& p) { p.repetition_penalty = 0; }));
  EXPECT_TRUE(refused([](auto& p) { p.presence_penalty = 1000; }));
  EXPECT_TRUE(refused([](auto& p) { p.frequency_penalty = -1000; }));
}

}  // namespace
}  // namespace tulou::engine
