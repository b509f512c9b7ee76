#include "serve/completion_response.h"

#include <algorithm>
#include <optional>

#include "base/json_value.h"
#include "serve/sse.h"

namespace tulou::serve {
namespace {

using base::Json;

Json text_or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

// Code points, which is what clients in Python count; bytes of invalid UTF-8 count as one each.
int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

// The four lists of a "logprobs" object as they grow.
class LogprobLists {
 public:
  explicit LogprobLists(int64_t offset) : offset_(offset) {}

  // A token that nothing is known of (the first of a prompt) has null for its numbers.
  void add(std::string_view bytes, const TokenLogprobs* known) {
    tokens_.push_back(token_text(bytes));
    offsets_.push_back(offset_);
    offset_ += count_characters(bytes);
    if (known == nullptr) {
      values_.push_back(nullptr);
      top_.push_back(nullptr);
      return;
    }
    values_.push_back(shown_logprob(known->token.logprob));
    Json alternatives = Json::object();
    // The token itself is always among them, as in OpenAI's API.
    for (const TokenLogprob& other : known->top)
      alternatives[token_text(other.bytes)] = shown_logprob(other.logprob);
    alternatives[token_text(known->token.bytes)] = shown_logprob(known->token.logprob);
    top_.push_back(std::move(alternatives));
  }
  void add(const std::vector<TokenLogprobs>& tokens) {
    for (const TokenLogprobs& token : tokens) add(token.token.bytes, &token);
  }

  Json json() && {
    return {{"text_offset", std::move(offsets_)},
            {"token_logprobs", std::move(values_)},
            {"tokens", std::move(tokens_)},
            {"top_logprobs", std::move(top_)}};
  }

 private:
  int64_t offset_;
  Json tokens_ = Json::array(), offsets_ = Json::array();
  Json values_ = Json::array(), top_ = Json::array();
};

void add_prompt(LogprobLists& lists, const EchoedPrompt& prompt) {
  if (prompt.logprobs == nullptr) return;
  for (const EchoedToken& token : *prompt.logprobs)
    lists.add(token.bytes, token.logprobs ? &*token.logprobs : nullptr);
}

Json choice_json(const CompletionChoice& choice, bool logprobs, bool token_ids) {
  const AnswerEvent& all = choice.answer.all;
  Json result = {{"index", all.index}, {"text", choice.echo.text + all.content}};
  result["logprobs"] = nullptr;
  if (logprobs) {
    LogprobLists lists(choice.echo.logprobs == nullptr ? count_characters(choice.echo.text) : 0);
    add_prompt(lists, choice.echo);
    lists.add(all.logprobs);
    result["logprobs"] = std::move(lists).json();
  }
  result["finish_reason"] = answer_end_name(choice.answer.end);
  result["stop_reason"] = text_or_null(choice.answer.stop_reason);
  if (token_ids) {
    result["token_ids"] = all.token_ids;
    result["prompt_token_ids"] = choice.prompt_token_ids;
  }
  if (choice.prompt_logprobs != nullptr)
    result["prompt_logprobs"] = prompt_logprobs_json(*choice.prompt_logprobs);
  return result;
}

}  // namespace

Json text_completion(const CompletionResponse& response) {
  Json choices = Json::array();
  for (const CompletionChoice& choice : response.choices)
    choices.push_back(choice_json(choice, response.logprobs, response.token_ids));
  return {{"id", response.head.id},
          {"object", "text_completion"},
          {"created", response.head.created},
          {"model", response.head.model},
          {"choices", std::move(choices)},
          {"usage", usage_json(response.usage)},
          {"system_fingerprint", text_or_null(response.head.system_fingerprint)}};
}

CompletionStream::CompletionStream(ResponseHead head, Options options)
    : head_(std::move(head)), options_(options) {}

Json CompletionStream::chunk() const {
  Json result = {{"id", head_.id},
                 {"object", "text_completion"},
                 {"created", head_.created},
                 {"model", head_.model},
                 {"system_fingerprint", text_or_null(head_.system_fingerprint)},
                 {"choices", Json::array()}};
  if (options_.include_usage) result["usage"] = nullptr;
  return result;
}

std::string CompletionStream::frame(Json choice) const {
  Json result = chunk();
  result["choices"].push_back(std::move(choice));
  return sse_data(result);
}

std::string CompletionStream::echo(int64_t index, const EchoedPrompt& prompt) {
  Json choice = {{"index", index}, {"text", prompt.text}, {"logprobs", nullptr}};
  if (options_.logprobs && prompt.logprobs != nullptr) {
    LogprobLists lists(0);
    add_prompt(lists, prompt);
    choice["logprobs"] = std::move(lists).json();
  }
  offsets_[index] += count_characters(prompt.text);
  choice["finish_reason"] = nullptr;
  return frame(std::move(choice));
}

std::string CompletionStream::event(const AnswerEvent& event) {
  const bool logprobs = options_.logprobs && !event.logprobs.empty();
  const bool token_ids = options_.token_ids && !event.token_ids.empty();
  if (event.content.empty() && !logprobs && !token_ids) return "";
  Json choice = {{"index", event.index}, {"text", event.content}, {"logprobs", nullptr}};
  int64_t& offset = offsets_[event.index];
  if (logprobs) {
    LogprobLists lists(offset);
    lists.add(event.logprobs);
    for (const TokenLogprobs& token : event.logprobs) offset += count_characters(token.token.bytes);
    choice["logprobs"] = std::move(lists).json();
  }
  choice["finish_reason"] = nullptr;
  if (token_ids) choice["token_ids"] = event.token_ids;
  return frame(std::move(choice));
}

std::string CompletionStream::finish(int64_t index, AnswerEnd end,
                                     std::string_view stop_reason) const {
  return frame({{"index", index},
                {"text", ""},
                {"logprobs", nullptr},
                {"finish_reason", answer_end_name(end)},
                {"stop_reason", text_or_null(stop_reason)}});
}

std::string CompletionStream::end(const Usage& usage) const {
  std::string text;
  if (options_.include_usage) {
    Json last = chunk();
    last["usage"] = usage_json(usage);
    text = sse_data(last);
  }
  return text + sse_done();
}

std::string CompletionStream::fail(const ApiError& error) {
  return sse_data(error.body()) + sse_done();
}

}  // namespace tulou::serve
