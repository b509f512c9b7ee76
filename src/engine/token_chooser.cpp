#include "engine/token_chooser.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <stdexcept>

#include "grammar/token_mask.h"

namespace tulou::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool is_stop(const Request& request, int32_t token) {
  return std::ranges::find(request.stop_tokens, token) != request.stop_tokens.end();
}

Chosen ended(FinishReason reason, std::exception_ptr failure = {}) {
  Chosen chosen;
  chosen.finish = reason;
  chosen.has_token = false;
  chosen.failure = std::move(failure);
  return chosen;
}

void ban_bad_words(const Sequence& sequence, std::span<float> logits) {
  const std::span<const int32_t> answer = sequence.answer();
  for (const std::vector<int32_t>& word : sequence.request.bad_words) {
    const size_t before = word.size() - 1;
    if (before > answer.size()) continue;
    if (std::ranges::equal(answer.last(before), std::span(word).first(before)))
      logits[static_cast<size_t>(word.back())] = kNever;
  }
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
  float largest = kNever;
  for (const float logit : logits) largest = logit > largest ? logit : largest;
  double sum = 0;
  for (const float logit : logits) {
    if (!std::isnan(logit)) sum += std::exp(static_cast<double>(logit - largest));
  }
  return static_cast<double>(largest) + std::log(sum);
}

OutputToken with_logprobs(int32_t token, std::span<const float> logits, int64_t count) {
  const double norm = log_sum_exp(logits);
  const auto logprob = [&](int32_t id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - norm);
  };
  OutputToken result;
  result.token = token;
  result.logprob = logprob(token);
  const auto before = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::vector<int32_t> heap;  // the best so far, the worst of them on top
  for (int32_t id = 0; static_cast<size_t>(id) < logits.size() && count > 0; ++id) {
    if (std::isnan(logits[static_cast<size_t>(id)])) continue;
    const bool full = static_cast<int64_t>(heap.size()) == count;
    if (full && !before(id, heap.front())) continue;
    if (full) {
      std::ranges::pop_heap(heap, before);
      heap.pop_back();
    }
    heap.push_back(id);
    std::ranges::push_heap(heap, before);
  }
  std::ranges::sort(heap, before);
  for (const int32_t id : heap) result.top.push_back({id, logprob(id)});
  return result;
}

std::optional<int32_t> TokenChooser::ask_guides(Sequence& sequence, size_t vocab_size) {
  int32_t forced = -1;
  masked_ = false;
  if (sequence.guides.empty()) return forced;
  mask_.assign((vocab_size + 31) / 32, ~uint32_t{0});
  for (const auto& guide : sequence.guides) {
    const TokenGuide::Next next = guide->next(mask_);
    if (next.end) return std::nullopt;
    if (forced < 0) forced = next.forced;
    masked_ = masked_ || next.masked;
  }
  return forced;
}

void TokenChooser::apply_rules(const Sequence& sequence, std::span<float> logits) const {
  const Request& request = sequence.request;
  for (const auto& [token, bias] : request.logit_bias) logits[static_cast<size_t>(token)] += bias;
  ban_bad_words(sequence, logits);
  // A guide knows better where the answer ends.
  if (!masked_ && sequence.answer_size() < request.min_tokens) {
    for (const int32_t token : request.stop_tokens) logits[static_cast<size_t>(token)] = kNever;
  }
  if (!masked_) return;
  for (size_t word = 0; word < mask_.size(); ++word) {
    if (mask_[word] == ~uint32_t{0}) continue;
    const size_t end = std::min(logits.size(), 32 * (word + 1));
    for (size_t i = 32 * word; i < end; ++i) {
      if (!grammar::is_allowed(mask_, static_cast<int32_t>(i))) logits[i] = kNever;
    }
  }
}

Chosen TokenChooser::choose_unguarded(Sequence& sequence, std::span<float> logits) {
  const Request& request = sequence.request;
  const std::optional<int32_t> forced = ask_guides(sequence, logits.size());
  if (!forced) return ended(FinishReason::kGuide);
  Chosen chosen;
  std::vector<float> model;  // the model's own distribution
  if (request.logprobs >= 0) model.assign(logits.begin(), logits.end());
  int32_t token = *forced;
  if (token < 0) {
    apply_rules(sequence, logits);
    if (std::ranges::none_of(logits, [](float logit) { return logit > kNever; }))
      return ended(FinishReason::kFailed,
                   std::make_exception_ptr(std::runtime_error("no token is allowed here")));
    token = request.greedy ? Sampler::greedy(logits)
                           : sampler_.sample(logits, request.sampling, request.prompt,
                                             sequence.answer(), request.choice);
  }
  chosen.token.token = token;
  if (request.logprobs >= 0) chosen.token = with_logprobs(token, model, request.logprobs);
  chosen.token.is_stop = is_stop(request, token);
  for (const auto& guide : sequence.guides) guide->accept(token);
  return chosen;
}

Chosen TokenChooser::choose(Sequence& sequence, std::span<float> logits) {
  try {
    return choose_unguarded(sequence, logits);
  } catch (...) {
    return ended(FinishReason::kFailed, std::current_exception());
  }
}

}  // namespace tulou::engine
