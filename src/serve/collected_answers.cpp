#include "serve/collected_answers.h"

#include <algorithm>
#include <iterator>

#include "serve/service.h"

namespace tulou::serve {
namespace {

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void add_call(const ToolCall& piece, std::vector<ToolCall>& calls) {
  const auto same = [&](const ToolCall& call) { return call.index == piece.index; };
  const auto found = std::ranges::find_if(calls, same);
  if (found == calls.end()) {
    calls.push_back(piece);
  } else {
    found->arguments += piece.arguments;
  }
}

}  // namespace

double CollectedAnswer::mean_logprob() const {
  const size_t count = answer.all.logprobs.size();
  return count == 0 ? 0 : logprob_sum / static_cast<double>(count);
}

CollectedAnswers::CollectedAnswers(std::shared_ptr<net::HttpExchange> exchange, int64_t num_answers)
    : exchange_(std::move(exchange)), answers_(static_cast<size_t>(num_answers)) {}

void CollectedAnswers::prompt(int64_t index, PromptLogprobs logprobs) {
  answers_[static_cast<size_t>(index)].prompt = std::move(logprobs);
}

void CollectedAnswers::event(const AnswerEvent& event) {
  CollectedAnswer& one = answers_[static_cast<size_t>(event.index)];
  AnswerEvent& all = one.answer.all;
  all.reasoning += event.reasoning;
  all.content += event.content;
  for (const ToolCall& piece : event.tool_calls) add_call(piece, all.tool_calls);
  append(all.logprobs, event.logprobs);
  append(all.token_ids, event.token_ids);
  for (const TokenLogprobs& token : event.logprobs) one.logprob_sum += token.token.logprob;
}

void CollectedAnswers::end(int64_t index, AnswerEnd end, const std::string& stop_reason) {
  Answer& answer = answers_[static_cast<size_t>(index)].answer;
  answer.end = end;
  answer.stop_reason = stop_reason;
}

void CollectedAnswers::fail(const ApiError& error) { reply_error(exchange_, error); }

std::vector<CollectedAnswer> CollectedAnswers::best(int64_t count, size_t group) const {
  if (group == 0) group = answers_.size();
  std::vector<CollectedAnswer> result;
  for (size_t begin = 0; begin < answers_.size(); begin += group) {
    const auto first = answers_.begin() + static_cast<std::ptrdiff_t>(begin);
    std::vector<CollectedAnswer> some(first, first + static_cast<std::ptrdiff_t>(group));
    const auto kept = std::min(static_cast<size_t>(count), group);
    if (kept < group) {
      for (size_t i = 0; i < group; ++i) some[i].answer.all.index = static_cast<int64_t>(i);
      std::ranges::sort(some, [](const CollectedAnswer& a, const CollectedAnswer& b) {
        const double x = a.mean_logprob(), y = b.mean_logprob();
        return x != y ? x > y : a.answer.all.index < b.answer.all.index;
      });
    }
    some.resize(kept);
    std::ranges::move(some, std::back_inserter(result));
  }
  for (size_t i = 0; i < result.size(); ++i) result[i].answer.all.index = static_cast<int64_t>(i);
  return result;
}

}  // namespace tulou::serve
