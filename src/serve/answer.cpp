#include "serve/answer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_value.h"
#include "base/secret.h"
#include "base/utf8.h"

namespace tulou::serve {

std::string response_id(std::string_view prefix) {
  std::array<uint8_t, 16> bytes;
  base::random_bytes(bytes);
  return std::string(prefix) + base::hex_text(bytes);
}

std::string_view answer_end_name(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kStop:
      return "stop";
    case AnswerEnd::kLength:
      return "length";
    case AnswerEnd::kToolCalls:
      return "tool_calls";
    case AnswerEnd::kContentFilter:
      return "content_filter";
  }
  return "stop";
}

double shown_logprob(double logprob) {
  constexpr double kLeast = -9999.0;  // what OpenAI's API shows for -inf
  if (std::isnan(logprob)) return kLeast;
  return std::clamp(logprob, kLeast, 0.0);
}

std::string token_text(std::string_view bytes) {
  if (!base::find_invalid_utf8(bytes)) return std::string(bytes);
  // As OpenAI's API writes a token that is a part of a character.
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "bytes:";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "\\x";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

base::Json usage_json(const Usage& usage) {
  base::Json prompt = {{"cached_tokens", usage.cached_tokens}};
  if (!usage.cache_miss_reason.empty()) prompt["cache_miss_reason"] = usage.cache_miss_reason;
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", std::move(prompt)},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

base::Json prompt_logprobs_json(const PromptLogprobs& prompt) {
  base::Json list = base::Json::array();
  for (const auto& token : prompt) {
    if (!token) {
      list.push_back(nullptr);
      continue;
    }
    base::Json entry = base::Json::object();
    const auto add = [&](const TokenLogprob& one, base::Json rank) {
      entry[std::to_string(one.id)] = {{"logprob", shown_logprob(one.logprob)},
                                       {"rank", std::move(rank)},
                                       {"decoded_token", token_text(one.bytes)}};
    };
    add(token->token, nullptr);
    for (size_t i = 0; i < token->top.size(); ++i) add(token->top[i], i + 1);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace tulou::serve
