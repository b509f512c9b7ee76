// POST /v1/chat/completions: the body as plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/generation_request.h"
#include "serve/tools.h"

namespace tulou::serve {

inline constexpr size_t kMaxMessages = 8192;
inline constexpr size_t kMaxParts = 4096;  // of one message's content

struct ChatRequest : GenerationRequest {
  // Messages as templates take them: role (system, developer, user, assistant, tool), content (a
  // string, text parts joined by line ends; null with tool calls only), and where they belong
  // name, reasoning_content, tool_calls [{id, type, function {name, arguments}}], tool_call_id.
  // Nothing else of a message is kept.
  base::Json messages = base::Json::array();
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  bool parallel_tool_calls = true;

  base::Json template_kwargs = base::Json::object();  // variables for the template
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  std::string chat_template;  // only where the server allows it; empty: the model's own

  std::optional<std::string> reasoning_effort;  // none, minimal, low, medium, high, xhigh, max
  std::optional<int64_t> thinking_budget;       // tokens
  std::optional<bool> enable_thinking;  // from the field, chat_template_kwargs or effort none
  bool include_reasoning = true;
};

struct ChatRules {
  bool allow_chat_template = false;
};

// Error json.*, request.*; the first argument of a request.* error is the field.
ChatRequest parse_chat_request(std::string_view body, const ChatRules& rules = {});

const FieldTable<ChatRequest>& chat_fields();

// "chat_template_kwargs": variables for the template, none of which may stand for other fields or
// the model's own. Error request.forbidden.
base::Json read_template_kwargs(const base::Json& value, const std::string& path);

// The variables for the model's template: messages, tools, add_generation_prompt and the
// request's own.
base::Json template_variables(const ChatRequest& request);

}  // namespace tulou::serve
