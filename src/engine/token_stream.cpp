#include "engine/token_stream.h"

#include <utility>

namespace tulou::engine {

std::optional<OutputToken> TokenStream::next() {
  const std::lock_guard lock(mutex_);
  if (pending_.empty()) return std::nullopt;
  OutputToken token = std::move(pending_.front());
  pending_.pop_front();
  return token;
}

FinishReason TokenStream::finish_reason() const {
  const std::lock_guard lock(mutex_);
  return finish_reason_;
}

bool TokenStream::finished() const {
  const std::lock_guard lock(mutex_);
  return finish_reason_ != FinishReason::kNone && pending_.empty();
}

StreamUsage TokenStream::usage() const {
  const std::lock_guard lock(mutex_);
  return usage_;
}

std::exception_ptr TokenStream::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::vector<OutputToken> TokenStream::take_prompt_logprobs() {
  const std::lock_guard lock(mutex_);
  return std::exchange(prompt_logprobs_, {});
}

std::vector<float> TokenStream::take_values() {
  const std::lock_guard lock(mutex_);
  return std::exchange(values_, {});
}

void TokenStream::cancel() {
  if (!cancelled_.exchange(true) && on_cancel_) on_cancel_();
}

void TokenStream::push(OutputToken token) {
  const std::lock_guard lock(mutex_);
  pending_.push_back(std::move(token));
}

void TokenStream::push_prompt_logprob(OutputToken token) {
  const std::lock_guard lock(mutex_);
  prompt_logprobs_.push_back(std::move(token));
}

void TokenStream::set_values(std::vector<float> values) {
  const std::lock_guard lock(mutex_);
  values_ = std::move(values);
}

void TokenStream::set_usage(const StreamUsage& usage) {
  const std::lock_guard lock(mutex_);
  usage_ = usage;
}

void TokenStream::finish(FinishReason reason, std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  finish_reason_ = reason;
  failure_ = std::move(failure);
}

}  // namespace tulou::engine
