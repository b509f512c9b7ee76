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

// What a prompt is, for those who want it back.
struct PromptEcho {
  std::vector<int32_t> ids;
  std::string text;  // empty: no echo
};

std::vector<EchoedToken> echoed_tokens(const LoadedModel& model, const PromptEcho& prompt,
                                       const PromptLogprobs& logprobs) {
  std::vector<EchoedToken> tokens;
  for (size_t i = 0; i < prompt.ids.size(); ++i) {
    tokens.push_back({std::string(model.text.tokenizer().token_bytes(prompt.ids[i])),
                      i < logprobs.size() ? logprobs[i] : std::nullopt});
  }
  return tokens;
}

class CompletionStreamSink final : public AnswerSink {
 public:
  CompletionStreamSink(Exchange exchange, ResponseHead head, const CompletionRequest& request,
                       std::shared_ptr<LoadedModel> model, std::vector<PromptEcho> prompts)
      : exchange_(std::move(exchange)),
        model_(std::move(model)),
        stream_(std::move(head),
                {request.include_usage, request.logprobs, request.return_token_ids}),
        prompts_(std::move(prompts)),
        answers_a_prompt_(static_cast<size_t>(request.num_answers())),
        echoed_(prompts_.size() * answers_a_prompt_, !request.echo),
        wants_logprobs_(request.logprobs) {}

  void prompt(int64_t index, PromptLogprobs logprobs) override { echo(index, logprobs); }
  void event(const AnswerEvent& event) override {
    echo(event.index, {});
    exchange_->write(stream_.event(event));
  }
  void end(int64_t index, AnswerEnd end, const std::string& stop_reason) override {
    echo(index, {});
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
    if (!std::exchange(open_, true))
      exchange_->begin_stream(200, with_request_id(exchange_, stream_headers()));
  }
  // The prompt itself, once, in front of what follows.
  void echo(int64_t index, const PromptLogprobs& logprobs) {
    open();
    const auto choice = static_cast<size_t>(index);
    if (echoed_[choice]) return;
    echoed_[choice] = true;
    const PromptEcho& prompt = prompts_[choice / answers_a_prompt_];
    const auto tokens = echoed_tokens(*model_, prompt, logprobs);
    exchange_->write(stream_.echo(index, {prompt.text, wants_logprobs_ ? &tokens : nullptr}));
  }
  Exchange exchange_;
  std::shared_ptr<LoadedModel> model_;
  CompletionStream stream_;
  std::vector<PromptEcho> prompts_;
  size_t answers_a_prompt_;
  std::vector<bool> echoed_;  // of each choice
  bool wants_logprobs_, open_ = false;
};

class CompletionSink final : public CollectedAnswers {
 public:
  CompletionSink(Exchange exchange, ResponseHead head, const CompletionRequest& request,
                 std::shared_ptr<LoadedModel> model, std::vector<PromptEcho> prompts)
      : CollectedAnswers(std::move(exchange),
                         request.num_answers() * static_cast<int64_t>(prompts.size())),
        head_(std::move(head)),
        request_(request),
        model_(std::move(model)),
        prompts_(std::move(prompts)) {}

  void done(const Usage& usage) override {
    CompletionResponse response;
    response.head = std::move(head_);
    response.usage = usage;
    response.logprobs = request_.logprobs;
    response.token_ids = request_.return_token_ids;
    const auto answers_a_prompt = static_cast<size_t>(request_.num_answers());
    const auto answers = best(request_.n, answers_a_prompt);
    std::vector<std::vector<EchoedToken>> echoes;
    for (size_t i = 0; i < prompts_.size(); ++i)
      echoes.push_back(echoed_tokens(*model_, prompts_[i], prompt_logprobs(i * answers_a_prompt)));
    for (size_t i = 0; i < answers.size(); ++i) {
      const size_t prompt = i / static_cast<size_t>(request_.n);
      CompletionChoice choice;
      choice.answer = answers[i].answer;
      if (request_.echo)
        choice.echo = {prompts_[prompt].text, request_.logprobs ? &echoes[prompt] : nullptr};
      if (request_.return_token_ids) choice.prompt_token_ids = prompts_[prompt].ids;
      if (request_.prompt_logprobs && !request_.echo)
        choice.prompt_logprobs = &prompt_logprobs(prompt * answers_a_prompt);
      response.choices.push_back(std::move(choice));
    }
    reply_json(exchange(), 200, text_completion(response));
  }

 private:
  ResponseHead head_;
  CompletionRequest request_;
  std::shared_ptr<LoadedModel> model_;
  std::vector<PromptEcho> prompts_;
};

completion::Prompt make_prompt(const LoadedModel& model, const CompletionRequest& request,
                               const TextOrIds& input) {
  completion::Prompt prompt;
  if (!request.suffix.empty()) {
    if (!model.text.tokenizer().find("<|fim_middle|>"))
      throw base::Error("request.unsupported", "suffix", "filling in with this model");
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
  std::vector<PromptEcho> echoes;
  for (const TextOrIds& input : request.prompts) {
    prompts.push_back(make_prompt(*model, request, input));
    echoes.push_back({prompts.back().ids, ""});
    if (!request.echo) continue;
    echoes.back().text = input.is_ids
                             ? model->text.tokenizer().decode(input.ids, text::ShowSpecial::kShow)
                             : input.text;
  }
  if (!request.suffix.empty()) {
    const std::vector<int32_t> ends = completion::fim_stop_tokens(model->text);
    request.stop_token_ids.insert(request.stop_token_ids.end(), ends.begin(), ends.end());
  }
  if (request.echo && request.logprobs && !request.prompt_logprobs)
    request.prompt_logprobs = request.top_logprobs;
  ResponseHead head = response_head("cmpl-", *model, request.model);
  AnswerRules rules;
  rules.may_think = false;
  GenerationPlan plan =
      plan_generation(model, request, prompts, service.caller(exchange->request()), rules);
  std::unique_ptr<AnswerSink> sink;
  if (request.stream) {
    sink = std::make_unique<CompletionStreamSink>(exchange, std::move(head), request, model,
                                                  std::move(echoes));
  } else {
    sink = std::make_unique<CompletionSink>(exchange, std::move(head), request, model,
                                            std::move(echoes));
  }
  service.run(std::move(plan), std::move(sink), exchange);
}

}  // namespace tulou::serve
