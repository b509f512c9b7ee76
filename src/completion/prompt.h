// What the model is given to continue: a conversation through the chat template, or plain text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "completion/text_model.h"

namespace tulou::completion {

struct Prompt {
  std::vector<int32_t> ids;
  bool in_reasoning = false;  // it ends within the thinking part
  bool thinking = false;      // the answer is expected to begin with thinking, or to be in it
  // Lengths after which later prompts are likely to go on differently: where messages begin. Not
  // all of a long conversation: each costs a pass of its own.
  std::vector<int64_t> boundaries;
};

// Renders a conversation. `conversation` is an object with "messages" and whatever else the
// template reads ("tools", "enable_thinking"); "add_generation_prompt" is true unless given. The
// text of messages never becomes a special token. Error completion.no_template, template.*,
// tokenizer.*, completion.bad_conversation.
Prompt chat_prompt(const TextModel& model, const text::ChatTemplate& chat_template,
                   const base::Json& conversation);

// The text as it stands, special tokens in it recognised, with what the tokenizer puts at the
// beginning of every text. Error text.invalid_utf8.
Prompt raw_prompt(const TextModel& model, std::string_view text);

// What the template sees: the conversation with tool calls brought into form and the model's
// variables added. Error completion.bad_conversation if it is not an object with messages.
base::Json template_context(const TextModel& model, const base::Json& conversation);

}  // namespace tulou::completion
