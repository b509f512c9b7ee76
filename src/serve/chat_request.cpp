#include "serve/chat_request.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "serve/messages.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxTemplateBytes = 256 << 10;

// Variables that belong to the request's other fields or to the model.
constexpr std::array<std::string_view, 14> kForbiddenKwargs = {"messages",
                                                               "tools",
                                                               "documents",
                                                               "add_generation_prompt",
                                                               "continue_final_message",
                                                               "bos_token",
                                                               "eos_token",
                                                               "pad_token",
                                                               "unk_token",
                                                               "sep_token",
                                                               "cls_token",
                                                               "mask_token",
                                                               "chat_template",
                                                               "tokenize"};

constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium",
                                                      "high", "xhigh",   "max"};

std::vector<Field<ChatRequest>> message_fields() {
  return {
      required(
          other_field<ChatRequest>("messages",
                                   R"({"type": "array", "minItems": 1, "maxItems": 8192,
              "items": {"$ref": "#/components/schemas/Message"}})",
                                   "The conversation.",
                                   [](ChatRequest& to, const Json& value, const std::string& path) {
                                     to.messages = read_messages(value, path);
                                   })),
      other_field<ChatRequest>(
          "tools",
          R"({"type": "array", "maxItems": 512, "items": {"$ref": "#/components/schemas/Tool"}})",
          "Functions that the model may call.",
          [](ChatRequest& to, const Json& value, const std::string& path) {
            to.tools = read_tools(value, path);
          }),
      other_field<ChatRequest>("tool_choice", R"({"$ref": "#/components/schemas/ToolChoice"})",
                               "Which of the tools may or must be called.",
                               [](ChatRequest& to, const Json& value, const std::string& path) {
                                 to.tool_choice = read_tool_choice(value, path);
                               }),
      boolean_field("parallel_tool_calls", &ChatRequest::parallel_tool_calls,
                    "Several calls in one answer.", "true"),
      other_field<ChatRequest>("chat_template_kwargs", R"({"type": "object"})",
                               "Variables for the chat template.",
                               [](ChatRequest& to, const Json& value, const std::string& path) {
                                 to.template_kwargs = read_template_kwargs(value, path);
                               }),
      boolean_field("add_generation_prompt", &ChatRequest::add_generation_prompt,
                    "Begin the assistant's turn.", "true"),
      boolean_field("continue_final_message", &ChatRequest::continue_final_message,
                    "Go on with the last message; needs add_generation_prompt false.", "false"),
      string_field("chat_template", &ChatRequest::chat_template, 1, kMaxTemplateBytes,
                   "Refused unless the server was started to allow it."),
  };
}

std::vector<Field<ChatRequest>> answer_fields() {
  const auto bound = integer_field("max_tokens", &GenerationRequest::max_tokens, 1, kInt32Max,
                                   "The longest answer; at most what the context leaves.");
  const auto read_bound = [bound](ChatRequest& to, const Json& value, const std::string& path) {
    bound.read(to, value, path);
  };
  // Found among ours: a base's member pointer needs its own type.
  Field<ChatRequest> max_tokens = {bound.info, read_bound};
  Field<ChatRequest> newer = max_tokens;
  newer.info.name = "max_completion_tokens";
  newer.info.summary = "The longest answer; counts before max_tokens.";
  const auto budget = integer_field("thinking_budget", &ChatRequest::thinking_budget, 0, kInt32Max,
                                    "The most tokens to think; then the thinking is closed.");
  return {
      max_tokens,
      newer,
      {{.name = "logprobs",
        .type = FieldType::kBoolean,
        .summary = "Log-probabilities of the answer's tokens.",
        .fallback = "false"},
       [](ChatRequest& to, const Json& value, const std::string& path) {
         to.logprobs = read_boolean(value, path);
       }},
      {{.name = "top_logprobs",
        .type = FieldType::kInteger,
        .min = 0,
        .max = kMaxLogprobs,
        .summary = "Alternatives for each token; needs logprobs."},
       [](ChatRequest& to, const Json& value, const std::string& path) {
         to.top_logprobs = read_integer(value, path, 0, kMaxLogprobs);
       }},
      other_field<ChatRequest>(
          "reasoning_effort",
          R"({"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]})",
          "How much to think, where the template knows it; none switches thinking off.",
          [](ChatRequest& to, const Json& value, const std::string& path) {
            to.reasoning_effort =
                kEfforts[read_word(value, path, {kEfforts.begin(), kEfforts.end()})];
          }),
      budget,
      alias(budget, "thinking_token_budget"),
      boolean_field("enable_thinking", &ChatRequest::enable_thinking,
                    "Thinking on or off, where the template knows it."),
      boolean_field("include_reasoning", &ChatRequest::include_reasoning,
                    "Send the thinking's text.", "true"),
  };
}

// What several fields can say about thinking, the most explicit first.
void settle_thinking(ChatRequest& request) {
  if (const Json* found = find_member(request.template_kwargs, "enable_thinking"))
    request.enable_thinking = read_boolean(*found, "chat_template_kwargs.enable_thinking");
  if (!request.enable_thinking && request.reasoning_effort == "none")
    request.enable_thinking = false;
}

void check_chat(const ChatRequest& request, const ChatRules& rules) {
  if (!request.chat_template.empty() && !rules.allow_chat_template)
    throw base::Error("request.forbidden", "chat_template");
  if (request.top_logprobs > 0 && !request.logprobs)
    throw base::Error("request.conflict", "top_logprobs", "it needs logprobs to be true");
  if (request.continue_final_message && request.add_generation_prompt)
    throw base::Error("request.conflict", "continue_final_message",
                      "it needs add_generation_prompt to be false");
  check_tool_choice(request.tool_choice, request.tools);
  check_generation(request);
}

}  // namespace

Json read_template_kwargs(const Json& value, const std::string& path) {
  read_object(value, path);
  for (const auto& [name, item] : value.items()) {
    if (std::find(kForbiddenKwargs.begin(), kForbiddenKwargs.end(), name) != kForbiddenKwargs.end())
      throw base::Error("request.forbidden", member_path(path, name));
  }
  return value;
}

const FieldTable<ChatRequest>& chat_fields() {
  static const FieldTable<ChatRequest> table([] {
    std::vector<Field<ChatRequest>> all = message_fields();
    for (Field<ChatRequest>& field : answer_fields()) all.push_back(std::move(field));
    return all;
  }());
  return table;
}

ChatRequest parse_chat_request(std::string_view body, const ChatRules& rules) {
  const Json json = parse_body(body);
  ChatRequest request;
  generation_fields().read(json, request);
  chat_fields().read(json, request);
  if (const Json* newer = find_member(json, "max_completion_tokens"))
    request.max_tokens = newer->get<int64_t>();
  settle_thinking(request);
  check_chat(request, rules);
  return request;
}

Json template_variables(const ChatRequest& request) {
  Json variables = request.template_kwargs;
  variables["messages"] = request.messages;
  if (!request.tools.empty() && request.tool_choice.mode != ToolChoice::Mode::kNone) {
    Json& tools = variables["tools"] = Json::array();
    for (const Tool& tool : request.tools) tools.push_back(base::parse_json(tool.text, "tools"));
  }
  variables["add_generation_prompt"] = request.add_generation_prompt;
  if (request.enable_thinking) variables["enable_thinking"] = *request.enable_thinking;
  if (request.reasoning_effort && !variables.contains("reasoning_effort"))
    variables["reasoning_effort"] = *request.reasoning_effort;
  return variables;
}

}  // namespace tulou::serve
