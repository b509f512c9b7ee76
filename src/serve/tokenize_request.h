// POST /tokenize and /detokenize: the bodies as plain values, in vLLM's and llama-server's forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/field.h"
#include "serve/tools.h"

namespace tulou::serve {

struct TokenizeRequest {
  std::string model;
  std::optional<std::string> text;  // "prompt" or "content"; absent: messages are given
  base::Json messages;              // as in ChatRequest; null if text is given
  std::vector<Tool> tools;
  base::Json template_kwargs = base::Json::object();
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  bool add_special_tokens = true;  // what the tokenizer puts around a text
  bool parse_special = true;       // special tokens written in the text are recognised
  bool return_token_strs = false;  // also "with_pieces"
};

// Error json.*, request.*.
TokenizeRequest parse_tokenize_request(std::string_view body);
const FieldTable<TokenizeRequest>& tokenize_fields();

struct DetokenizeRequest {
  std::string model;
  std::vector<int32_t> tokens;
};

// Error json.*, request.*.
DetokenizeRequest parse_detokenize_request(std::string_view body);
const FieldTable<DetokenizeRequest>& detokenize_fields();

}  // namespace tulou::serve
