// Fill-in-the-middle prompts; see fim.h.
#include "completion/fim.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace tulou::completion {

namespace {

std::optional<int32_t> added_token(const TextModel& model, std::string_view content) {
  const auto& tokens = model.tokenizer().added_tokens();
  const auto found = std::find_if(tokens.begin(), tokens.end(),
                                  [&](const auto& token) { return token.content == content; });
  return found == tokens.end() ? std::nullopt : std::optional<int32_t>(found->id);
}

int32_t fim_token(const TextModel& model, std::string_view content) {
  const std::optional<int32_t> id = added_token(model, content);
  if (!id) throw base::Error("completion.no_fim", model.path(), content);
  return *id;
}

}  // namespace

Prompt fim_prompt(const TextModel& model, std::string_view prefix, std::string_view suffix) {
  const int32_t begin = fim_token(model, "<|fim_prefix|>");
  const int32_t gap = fim_token(model, "<|fim_suffix|>");
  const int32_t middle = fim_token(model, "<|fim_middle|>");
  Prompt prompt;
  const auto add = [&](int32_t token, std::string_view text) {
    prompt.ids.push_back(token);
    const std::vector<int32_t> ids =
        model.tokenizer().encode(text, text::Tokenizer::Special::kText);
    prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
  };
  add(begin, prefix);
  add(gap, suffix);
  prompt.ids.push_back(middle);
  return prompt;
}

std::vector<int32_t> fim_stop_tokens(const TextModel& model) {
  std::vector<int32_t> ids;
  for (const char* content : {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>",
                              "<|repo_name|>", "<|file_sep|>"})
    if (const auto id = added_token(model, content)) ids.push_back(*id);
  return ids;
}

}  // namespace tulou::completion
