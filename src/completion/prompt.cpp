// Conversations and texts to prompts; see prompt.h.
#include "completion/prompt.h"

#include <algorithm>
#include <ranges>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::completion {

namespace {

constexpr int64_t kBoundaryDistance = 512;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// True if <think> is the last thing in the prompt but for white space.
bool ends_in_reasoning(const TextModel& model, const std::vector<int32_t>& ids) {
  if (!model.think_begin()) return false;
  for (const int32_t id : std::views::reverse(ids)) {
    if (id == *model.think_begin()) return true;
    if (!is_blank(model.tokenizer().token_bytes(id))) return false;
  }
  return false;
}

// True if the template leaves it to the model to begin with <think>: Qwen3's way.
bool may_think(const TextModel& model, const base::Json& conversation) {
  if (!model.think_begin()) return false;
  const auto enabled = conversation.find("enable_thinking");
  if (enabled != conversation.end() && enabled->is_boolean() && !enabled->get<bool>()) return false;
  return model.chat_template_source().find("enable_thinking") != std::string::npos;
}

// True if the prompt ends in a closed, empty thinking part.
bool thinking_is_closed(const TextModel& model, const std::vector<int32_t>& ids) {
  for (const int32_t id : std::views::reverse(ids)) {
    if (id == model.think_end()) return true;
    if (!is_blank(model.tokenizer().token_bytes(id))) return false;
  }
  return false;
}

// The first message after the system text, the last two, and of those between one every
// kBoundaryDistance tokens.
std::vector<int64_t> message_boundaries(const TextModel& model, const std::vector<int32_t>& ids) {
  const std::optional<int32_t> begin = model.tokenizer().find("<|im_start|>");
  std::vector<int64_t> all, kept;
  for (size_t i = 1; begin && i < ids.size(); ++i) {
    if (ids[i] == *begin) all.push_back(static_cast<int64_t>(i));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const bool last = i + 2 >= all.size();
    if (last || kept.empty() || all[i] - kept.back() >= kBoundaryDistance) kept.push_back(all[i]);
  }
  return kept;
}

}  // namespace

base::Json template_context(const TextModel& model, const base::Json& conversation) {
  if (!conversation.is_object())
    throw base::Error("completion.bad_conversation", "it is not a JSON object");
  const auto messages = conversation.find("messages");
  if (messages == conversation.end() || !messages->is_array())
    throw base::Error("completion.bad_conversation", "\"messages\" is not a list");
  for (const base::Json& item : *messages) {
    if (!item.is_object())
      throw base::Error("completion.bad_conversation", "a message is not a JSON object");
  }
  base::Json context = model.template_variables();
  for (const auto& [key, value] : conversation.items()) context[key] = value;
  text::normalize_messages(context["messages"]);
  return context;
}

Prompt chat_prompt(const TextModel& model, const text::ChatTemplate& chat_template,
                   const base::Json& conversation) {
  base::Json context = template_context(model, conversation);
  if (!context.contains("add_generation_prompt")) context["add_generation_prompt"] = true;
  Prompt prompt;
  prompt.ids = model.tokenizer().encode(chat_template.render(context));
  prompt.in_reasoning = ends_in_reasoning(model, prompt.ids);
  prompt.thinking = prompt.in_reasoning ||
                    (may_think(model, conversation) && !thinking_is_closed(model, prompt.ids));
  prompt.boundaries = message_boundaries(model, prompt.ids);
  return prompt;
}

Prompt raw_prompt(const TextModel& model, std::string_view text) {
  const text::Tokenizer& tokenizer = model.tokenizer();
  Prompt prompt;
  // What belongs at the end of a text (embedding models) would end it before it is continued: only
  // what stands before the marker -1 is taken.
  const std::vector<int32_t> first = tokenizer.with_ends({-1});
  for (size_t i = 0; i < first.size() && first[i] != -1; ++i) prompt.ids.push_back(first[i]);
  const std::vector<int32_t> ids = tokenizer.encode(text, text::Tokenizer::Special::kParse);
  prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
  prompt.in_reasoning = ends_in_reasoning(model, prompt.ids);
  prompt.thinking = prompt.in_reasoning;
  return prompt;
}

}  // namespace tulou::completion
