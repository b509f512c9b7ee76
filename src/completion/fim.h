// Fill-in-the-middle: prompts for models that write what is missing between two texts.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "completion/prompt.h"
#include "completion/text_model.h"

namespace tulou::completion {

/// <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|>, after which the model writes the
/// middle (Qwen2.5-Coder technical report, arXiv:2409.12186, section 3.1). Special tokens in the
/// texts stay text. Error completion.no_fim if the vocabulary lacks one of the three tokens,
/// text.invalid_utf8.
Prompt fim_prompt(const TextModel& model, std::string_view prefix, std::string_view suffix);

/// Tokens that end a middle besides the model's stop tokens: those of the fill-in-the-middle and
/// repository forms that the vocabulary has.
std::vector<int32_t> fim_stop_tokens(const TextModel& model);

}  // namespace tulou::completion
