// POST /v1/chat/completions.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "completion/messages.h"
#include "completion/tool_call_grammar.h"
#include "serve/chat_request.h"
#include "serve/chat_response.h"
#include "serve/collected_answers.h"
#include "serve/response_head.h"
#include "serve/routes.h"
#include "serve/sse.h"

namespace tulou::serve {
namespace {

// Server-sent events as they come.
class ChatStreamSink final : public AnswerSink {
 public:
  ChatStreamSink(std::shared_ptr<net::HttpExchange> exchange, ResponseHead head,
                 const ChatRequest& request)
      : exchange_(std::move(exchange)),
        stream_(std::move(head),
                {request.include_usage, request.logprobs, request.return_token_ids}),
        num_choices_(request.n),
        include_reasoning_(request.include_reasoning) {}

  void prompt(int64_t, PromptLogprobs) override {}
  void event(const AnswerEvent& event) override {
    open();
    if (include_reasoning_ || event.reasoning.empty()) {
      exchange_->write(stream_.event(event));
      return;
    }
    AnswerEvent shown = event;
    shown.reasoning.clear();
    exchange_->write(stream_.event(shown));
  }
  void end(int64_t index, AnswerEnd end, const std::string& stop_reason) override {
    open();
    exchange_->write(stream_.finish(index, end, stop_reason));
  }
  void done(const Usage& usage) override {
    exchange_->write(stream_.end(usage));
    exchange_->end_stream();
  }
  void fail(const ApiError& error) override {
    if (!open_) return reply_error(exchange_, error);
    exchange_->write(ChatStream::fail(error));
    exchange_->end_stream();
  }
  void ping() override {
    open();
    exchange_->write(sse_ping());
  }

 private:
  void open() {
    if (std::exchange(open_, true)) return;
    exchange_->begin_stream(200, with_request_id(exchange_, stream_headers()));
    exchange_->write(stream_.begin(num_choices_));
  }
  std::shared_ptr<net::HttpExchange> exchange_;
  ChatStream stream_;
  int64_t num_choices_;
  bool include_reasoning_, open_ = false;
};

// One object at the end.
class ChatSink final : public CollectedAnswers {
 public:
  ChatSink(std::shared_ptr<net::HttpExchange> exchange, ResponseHead head,
           const ChatRequest& request, std::vector<int32_t> prompt_ids)
      : CollectedAnswers(std::move(exchange), request.num_answers()),
        head_(std::move(head)),
        num_wanted_(request.n),
        include_reasoning_(request.include_reasoning) {
    response_.logprobs = request.logprobs;
    response_.token_ids = request.return_token_ids;
    response_.prompt_token_ids = std::move(prompt_ids);
    wants_prompt_ = request.prompt_logprobs.has_value();
  }

  void done(const Usage& usage) override {
    response_.head = std::move(head_);
    for (CollectedAnswer& one : best(num_wanted_)) {
      if (!include_reasoning_) one.answer.all.reasoning.clear();
      response_.answers.push_back(std::move(one.answer));
    }
    response_.usage = usage;
    if (wants_prompt_) response_.prompt_logprobs = &prompt_logprobs(0);
    reply_json(exchange(), 200, chat_completion(response_));
  }

 private:
  ResponseHead head_;
  ChatResponse response_;
  int64_t num_wanted_;
  bool include_reasoning_, wants_prompt_ = false;
};

// An answer that goes on within the last message: without what closes that message.
void reopen_last_message(const LoadedModel& model, completion::Prompt& prompt) {
  const std::vector<int32_t> stops = model.text.stop_tokens(model.config());
  const auto end =
      std::find_first_of(prompt.ids.rbegin(), prompt.ids.rend(), stops.begin(), stops.end());
  if (end == prompt.ids.rend()) return;
  prompt.ids.erase(end.base() - 1, prompt.ids.end());
}

completion::Prompt make_prompt(const LoadedModel& model, const ChatRequest& request) {
  if (!model.chat_template)
    throw base::Error("serve.model_lacks", model.names.front(), "chat template");
  base::Json variables = template_variables(request);
  variables["messages"] = completion::template_messages(request.messages);
  if (request.continue_final_message) variables["add_generation_prompt"] = false;
  completion::Prompt prompt = completion::chat_prompt(model.text, *model.chat_template, variables);
  if (request.continue_final_message) reopen_last_message(model, prompt);
  return prompt;
}

// What must be calls, or calls that follow their schemas, is kept to it; nothing if the model may
// say what it likes.
std::optional<grammar::GrammarSource> tool_rule(const LoadedModel& model,
                                                const ChatRequest& request,
                                                const base::Json& tools) {
  const bool required = request.tool_choice.mode == ToolChoice::Mode::kRequired;
  const bool strict = std::ranges::any_of(request.tools, &Tool::strict);
  if (!required && !strict) return std::nullopt;
  if (required && request.output_rule.kind != OutputRule::Kind::kNone)
    throw base::Error("request.conflict", request.output_rule.param,
                      "tool_choice asks for a call and this for something else");
  if (request.output_rule.kind != OutputRule::Kind::kNone) return std::nullopt;
  if (model.tool_format == text::ToolCallFormat::kNone)
    throw base::Error("serve.model_lacks", model.names.front(), "tool calls");
  completion::ToolChoice choice;
  using Mode = completion::ToolChoice::Mode;
  choice.mode = required ? Mode::kRequired : Mode::kAuto;
  choice.parallel = request.parallel_tool_calls;
  const base::Json tree = completion::tool_call_grammar(model.tool_format, tools, choice);
  return grammar::GrammarSource{grammar::GrammarKind::kDescription, base::to_json_text(tree)};
}

AnswerRules rules_of(const LoadedModel& model, const ChatRequest& request) {
  AnswerRules rules;
  rules.thinking_budget = request.thinking_budget;
  if (request.tools.empty() || request.tool_choice.mode == ToolChoice::Mode::kNone) return rules;
  base::Json tools = base::Json::array();
  const std::vector<std::string>& allowed = request.tool_choice.allowed;
  for (const Tool& tool : request.tools) {
    if (allowed.empty() || std::ranges::find(allowed, tool.name) != allowed.end())
      tools.push_back(base::parse_json(tool.text, "tools"));
  }
  rules.tool_rule = tool_rule(model, request, tools);
  rules.schemas = text::ToolSchemas(tools);
  rules.tools.format = model.tool_format;
  rules.tools.stream_arguments = request.stream;
  if (!request.parallel_tool_calls) rules.tools.max_calls = 1;
  return rules;
}

}  // namespace

void chat_completions(Service& service, const std::shared_ptr<net::HttpExchange>& exchange) {
  const ChatRequest request = parse_chat_request(exchange->request().body);
  auto model = service.model(request.model);
  const completion::Prompt prompt = make_prompt(*model, request);
  ResponseHead head = response_head("chatcmpl-", *model, request.model);
  GenerationPlan plan = plan_generation(
      model, request, {prompt}, service.caller(exchange->request()), rules_of(*model, request));
  std::unique_ptr<AnswerSink> sink;
  if (request.stream) {
    sink = std::make_unique<ChatStreamSink>(exchange, std::move(head), request);
  } else {
    const auto ids = request.return_token_ids ? prompt.ids : std::vector<int32_t>();
    sink = std::make_unique<ChatSink>(exchange, std::move(head), request, ids);
  }
  service.run(std::move(plan), std::move(sink), exchange);
}

}  // namespace tulou::serve
