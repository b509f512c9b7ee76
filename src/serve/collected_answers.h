// Answers that are kept until all of them are there, for responses in one piece.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/http_message.h"
#include "serve/generation.h"

namespace tulou::serve {

struct CollectedAnswer {
  Answer answer;
  PromptLogprobs prompt;
  double logprob_sum = 0;  // of the answer's tokens, as far as they were wanted
  // For ranking: the mean; 0 without tokens.
  double mean_logprob() const;
};

class CollectedAnswers : public AnswerSink {
 public:
  CollectedAnswers(std::shared_ptr<net::HttpExchange> exchange, int64_t num_answers);

  void prompt(int64_t index, PromptLogprobs logprobs) override;
  void event(const AnswerEvent& event) override;
  void end(int64_t index, AnswerEnd end, const std::string& stop_reason) override;
  void fail(const ApiError& error) override;

 protected:
  const std::shared_ptr<net::HttpExchange>& exchange() const { return exchange_; }
  const PromptLogprobs& prompt_logprobs(size_t index) const { return answers_[index].prompt; }
  // Of each `group` answers in a row (0: of all) the `count` most probable ones, numbered anew.
  std::vector<CollectedAnswer> best(int64_t count, size_t group = 0) const;

 private:
  std::shared_ptr<net::HttpExchange> exchange_;
  std::vector<CollectedAnswer> answers_;
};

}  // namespace tulou::serve
