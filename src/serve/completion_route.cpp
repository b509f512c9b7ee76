// POST /v1/completions.
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "completion/fim.h"
#include "serve/collected_answers.h"
#include "serve/completion_request.h"
#include "serve/completion_response.h"
#include "serve/response_head.h"
#include "serve/routes.h"
#include "serve/sse.h"

namespace tulou::serve {
namespace {

class CompletionStreamSink final : public AnswerSink {
 public:
  CompletionStreamSink(Exchange exchange, ResponseHead head, const CompletionRequest& request,
                       std::vector<std::string> echoes)
      : exchange_(std::move(exchange)),
        stream_(std::move(head),
                {request.include_usage, request.logprobs, request.return_token_ids}),
        echoes_(std::move(echoes)),
        echo_logprobs_(request.logprobs) {}

  void prompt(int64_t index, PromptLogprobs logprobs) override {
    echo(index, echo_logprobs_ ? &logprobs : nullptr);
  }
  void event(const AnswerEvent& event) override {
    echo(event.index, nullptr);
    exchange_->write(stream_.event(event));
  }
  void end(int64_t index, AnswerEnd end, const std::string& stop_reason) override {
    echo(index, nullptr);
    exchange_->write(stream_.finish(index, end, stop_reason));
  }
  void done(const Usage& usage) override {
    exchange_->write(stream_.end(usage));
    exchange_->end_stream();
  }
  void fail(const ApiError& error) override {
    if (!open_) return reply_error(exchange_, error);
    exchange_->write(CompletionStream::fail(error));
    exchange_->end_stream();
  }
  void ping() override {
    open();
    exchange_->write(sse_ping());
  }

 private:
  void open() {
    if (!std::exchange(open_, true)) exchange_->begin_stream(200, stream_headers());
  }
  // The prompt itself, once, in front of what follows.
  void echo(int64_t index, const PromptLogprobs* logprobs) {
    open();
    std::string& text = echoes_[static_cast<size_t>(index)];
    if (!text.empty()) exchange_->write(stream_.echo(index, std::exchange(text, ""), logprobs));
  }
  Exchange exchange_;
  CompletionStream stream_;
  std::vector<std::string> echoes_;  // of each choice; empty: sent, or not wanted
  bool echo_logprobs_, open_ = false;
};

class CompletionSink final : public CollectedAnswers {
 public:
  CompletionSink(Exchange exchange, ResponseHead head, const CompletionRequest& request,
                 std::vector<std::string> echoes, std::vector<std::vector<int32_t>> prompt_ids)
      : CollectedAnswers(std::move(exchange),
                         request.num_answers() * static_cast<int64_t>(prompt_ids.size())),
        head_(std::move(head)),
        request_(request),
        echoes_(std::move(echoes)),
        prompt_ids_(std::move(prompt_ids)) {}

  void done(const Usage& usage) override {
    CompletionResponse response;
    response.head = std::move(head_);
    response.usage = usage;
    response.logprobs = request_.logprobs;
    response.token_ids = request_.return_token_ids;
    const auto answers = best(request_.n, static_cast<size_t>(request_.num_answers()));
    for (size_t i = 0; i < answers.size(); ++i) {
      const size_t prompt = i / static_cast<size_t>(request_.n);
      const bool echo = request_.echo && request_.logprobs;
      CompletionChoice choice;
      choice.answer = answers[i].answer;
      if (request_.echo) choice.prompt_text = echoes_[prompt * first_of_prompt()];
      if (echo) choice.prompt_logprobs = &prompt_logprobs(prompt * first_of_prompt());
      if (request_.return_token_ids) choice.prompt_token_ids = prompt_ids_[prompt];
      response.choices.push_back(std::move(choice));
    }
    const bool asked = request_.prompt_logprobs.has_value() && !(request_.echo);
    if (asked) response.prompt_logprobs = &prompt_logprobs(0);
    reply_json(exchange(), 200, text_completion(response));
  }

 private:
  size_t first_of_prompt() const { return static_cast<size_t>(request_.num_answers()); }
  ResponseHead head_;
  CompletionRequest request_;
  std::vector<std::string> echoes_;
  std::vector<std::vector<int32_t>> prompt_ids_;
};

completion::Prompt make_prompt(const LoadedModel& model, const CompletionRequest& request,
                               const TextOrIds& input) {
  completion::Prompt prompt;
  if (!request.suffix.empty()) {
    const std::string prefix =
        input.is_ids ? model.text.tokenizer().decode(input.ids, text::ShowSpecial::kShow)
                     : input.text;
    prompt = completion::fim_prompt(model.text, prefix, request.suffix);
  } else if (input.is_ids) {
    prompt.ids = input.ids;
  } else {
    prompt = completion::raw_prompt(model.text, input.text);
  }
  if (prompt.ids.empty()) throw base::Error("request.empty", "prompt");
  return prompt;
}

}  // namespace

void completions(Service& service, const Exchange& exchange) {
  CompletionRequest request = parse_completion_request(exchange->request().body);
  auto model = service.model(request.model);
  std::vector<completion::Prompt> prompts;
  std::vector<std::string> echoes;
  std::vector<std::vector<int32_t>> ids;
  for (const TextOrIds& input : request.prompts) {
    prompts.push_back(make_prompt(*model, request, input));
    ids.push_back(prompts.back().ids);
    const std::string echo =
        !request.echo  ? ""
        : input.is_ids ? model->text.tokenizer().decode(input.ids, text::ShowSpecial::kShow)
                       : input.text;
    echoes.insert(echoes.end(), static_cast<size_t>(request.num_answers()), echo);
  }
  if (!request.suffix.empty()) {
    const std::vector<int32_t> ends = completion::fim_stop_tokens(model->text);
    request.stop_token_ids.insert(request.stop_token_ids.end(), ends.begin(), ends.end());
  }
  if (request.echo && request.logprobs && !request.prompt_logprobs)
    request.prompt_logprobs = request.top_logprobs;
  ResponseHead head = response_head("cmpl-", *model, request.model);
  GenerationPlan plan =
      plan_generation(model, request, std::move(prompts), service.caller(exchange->request()), {});
  std::unique_ptr<AnswerSink> sink;
  if (request.stream) {
    sink = std::make_unique<CompletionStreamSink>(exchange, std::move(head), request,
                                                  std::move(echoes));
  } else {
    sink = std::make_unique<CompletionSink>(exchange, std::move(head), request, std::move(echoes),
                                            std::move(ids));
  }
  service.run(std::move(plan), std::move(sink), exchange);
}

}  // namespace tulou::serve
