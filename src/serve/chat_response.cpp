#include "serve/chat_response.h"

#include "base/json_value.h"
#include "serve/sse.h"

namespace tulou::serve {
namespace {

using base::Json;

Json text_or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

Json logprob_json(const TokenLogprob& token) {
  Json bytes = Json::array();
  for (const char c : token.bytes) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", token_text(token.bytes)},
          {"logprob", shown_logprob(token.logprob)},
          {"bytes", std::move(bytes)}};
}

Json logprobs_json(const std::vector<TokenLogprobs>& tokens) {
  Json content = Json::array();
  for (const TokenLogprobs& token : tokens) {
    Json entry = logprob_json(token.token);
    Json& top = entry["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : token.top) top.push_back(logprob_json(other));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

// Both names are in use among clients; neither alone serves all of them.
void add_reasoning(Json& message, const std::string& reasoning) {
  message["reasoning_content"] = reasoning;
  message["reasoning"] = reasoning;
}

Json message_json(const Answer& answer) {
  const AnswerEvent& all = answer.all;
  const bool only_calls = all.content.empty() && !all.tool_calls.empty();
  Json message = {{"role", "assistant"},
                  {"content", only_calls ? Json(nullptr) : Json(all.content)}};
  message["refusal"] = nullptr;
  if (!all.reasoning.empty()) add_reasoning(message, all.reasoning);
  if (all.tool_calls.empty()) return message;
  Json& calls = message["tool_calls"] = Json::array();
  for (const ToolCall& call : all.tool_calls) {
    calls.push_back({{"id", call.id},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

Json call_delta(const ToolCall& call) {
  Json delta = {{"index", call.index}};
  Json function = Json::object();
  if (!call.id.empty()) {
    delta["id"] = call.id;
    delta["type"] = "function";
  }
  if (!call.name.empty()) function["name"] = call.name;
  function["arguments"] = call.arguments;
  delta["function"] = std::move(function);
  return delta;
}

}  // namespace

Json chat_completion(const ChatResponse& response) {
  Json choices = Json::array();
  for (const Answer& answer : response.answers) {
    Json choice = {{"index", answer.all.index}, {"message", message_json(answer)}};
    choice["logprobs"] = response.logprobs ? logprobs_json(answer.all.logprobs) : Json(nullptr);
    choice["finish_reason"] = answer_end_name(answer.end);
    choice["stop_reason"] = text_or_null(answer.stop_reason);
    if (response.token_ids) choice["token_ids"] = answer.all.token_ids;
    choices.push_back(std::move(choice));
  }
  Json result = {{"id", response.head.id},
                 {"object", "chat.completion"},
                 {"created", response.head.created},
                 {"model", response.head.model},
                 {"choices", std::move(choices)},
                 {"usage", usage_json(response.usage)},
                 {"system_fingerprint", text_or_null(response.head.system_fingerprint)}};
  if (response.token_ids) result["prompt_token_ids"] = response.prompt_token_ids;
  if (response.prompt_logprobs != nullptr)
    result["prompt_logprobs"] = prompt_logprobs_json(*response.prompt_logprobs);
  return result;
}

ChatStream::ChatStream(ResponseHead head, Options options)
    : head_(std::move(head)), options_(options) {}

Json ChatStream::chunk() const {
  Json result = {{"id", head_.id},
                 {"object", "chat.completion.chunk"},
                 {"created", head_.created},
                 {"model", head_.model},
                 {"system_fingerprint", text_or_null(head_.system_fingerprint)},
                 {"choices", Json::array()}};
  if (options_.include_usage) result["usage"] = nullptr;
  return result;
}

std::string ChatStream::frame(Json choice) const {
  Json result = chunk();
  result["choices"].push_back(std::move(choice));
  return sse_data(result);
}

std::string ChatStream::role(int64_t index) {
  if (!begun_.insert(index).second) return "";
  return frame({{"index", index},
                {"delta", {{"role", "assistant"}, {"content", ""}}},
                {"logprobs", nullptr},
                {"finish_reason", nullptr}});
}

std::string ChatStream::begin(int64_t num_choices) {
  std::string text;
  for (int64_t i = 0; i < num_choices; ++i) text += role(i);
  return text;
}

std::string ChatStream::event(const AnswerEvent& event) {
  std::string text = role(event.index);
  Json delta = Json::object();
  if (!event.reasoning.empty()) add_reasoning(delta, event.reasoning);
  if (!event.content.empty()) delta["content"] = event.content;
  if (!event.tool_calls.empty()) {
    Json& calls = delta["tool_calls"] = Json::array();
    for (const ToolCall& call : event.tool_calls) calls.push_back(call_delta(call));
  }
  const bool logprobs = options_.logprobs && !event.logprobs.empty();
  const bool token_ids = options_.token_ids && !event.token_ids.empty();
  if (delta.empty() && !logprobs && !token_ids) return text;
  Json choice = {{"index", event.index},
                 {"delta", std::move(delta)},
                 {"logprobs", logprobs ? logprobs_json(event.logprobs) : Json(nullptr)},
                 {"finish_reason", nullptr}};
  if (token_ids) choice["token_ids"] = event.token_ids;
  return text + frame(std::move(choice));
}

std::string ChatStream::finish(int64_t index, AnswerEnd end, std::string_view stop_reason) {
  return role(index) + frame({{"index", index},
                              {"delta", Json::object()},
                              {"logprobs", nullptr},
                              {"finish_reason", answer_end_name(end)},
                              {"stop_reason", text_or_null(stop_reason)}});
}

std::string ChatStream::end(const Usage& usage) const {
  std::string text;
  if (options_.include_usage) {
    Json last = chunk();
    last["usage"] = usage_json(usage);
    text = sse_data(last);
  }
  return text + sse_done();
}

std::string ChatStream::fail(const ApiError& error) { return sse_data(error.body()) + sse_done(); }

}  // namespace tulou::serve
