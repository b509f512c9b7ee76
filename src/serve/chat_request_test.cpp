// Bodies of /v1/chat/completions; with it messages.h, tools.h, output_rule.h, generation_request.h.
#include "serve/chat_request.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/number.h"
#include "serve/error_test.h"
#include "serve/generation_request.h"
#include "serve/messages.h"
#include "serve/output_rule.h"
#include "serve/tools.h"

namespace tulou::serve {
namespace {

using base::Json;

// A right body with more fields, given as JSON text without braces.
std::string body(const std::string& fields) {
  return R"({"messages": [{"role": "user", "content": "x"}])" +
         (fields.empty() ? "" : ", " + fields) + "}";
}

ChatRequest chat(const std::string& fields) { return parse_chat_request(body(fields)); }

Failure chat_failure(const std::string& fields) {
  return failure_of([&] { chat(fields); });
}

TEST(ChatRequest, Defaults) {
  const ChatRequest request = chat("");
  EXPECT_EQ(request.n, 1);
  EXPECT_EQ(request.num_answers(), 1);
  EXPECT_FALSE(request.temperature || request.max_tokens || request.seed || request.top_k);
  EXPECT_TRUE(request.add_generation_prompt && request.parallel_tool_calls);
  EXPECT_EQ(request.tool_choice.mode, ToolChoice::Mode::kAuto);
  EXPECT_EQ(request.output_rule.kind, OutputRule::Kind::kNone);
}

TEST(ChatRequest, PlainFields) {
  const ChatRequest request = chat(
      R"("model": "m", "n": 2, "temperature": 0.5, "top_p": 1, "top_k": 40, "min_p": 0.1,
         "presence_penalty": -2, "frequency_penalty": 2, "repetition_penalty": 1.1, "seed": -5,
         "max_tokens": 7, "min_tokens": 3, "ignore_eos": true, "logprobs": true, "top_logprobs": 4,
         "prompt_logprobs": 0, "return_token_ids": true, "stream": true,
         "stream_options": {"include_usage": true, "include_obfuscation": false},
         "priority": -3, "cache_salt": "s", "user": "u", "metadata": {"a": "b"},
         "thinking_budget": 100, "reasoning_effort": "high", "store": false, "unheard_of": [1])");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.temperature, 0.5);
  EXPECT_EQ(request.top_k, 40);
  EXPECT_EQ(request.presence_penalty, -2);
  EXPECT_EQ(request.repetition_penalty, 1.1);
  EXPECT_EQ(request.seed, -5);
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.min_tokens, 3);
  EXPECT_TRUE(request.ignore_eos && request.logprobs && request.return_token_ids);
  EXPECT_EQ(request.top_logprobs, 4);
  EXPECT_EQ(request.prompt_logprobs, 0);
  EXPECT_TRUE(request.stream && request.include_usage);
  EXPECT_EQ(request.priority, -3);
  EXPECT_EQ(request.cache_salt, "s");
  EXPECT_EQ(request.thinking_budget, 100);
  EXPECT_EQ(request.reasoning_effort, "high");
  EXPECT_FALSE(request.enable_thinking);
}

TEST(ChatRequest, TheNewerBoundCounts) {
  EXPECT_EQ(chat(R"("max_completion_tokens": 5, "max_tokens": 9)").max_tokens, 5);
  EXPECT_EQ(chat(R"("max_tokens": 9, "max_completion_tokens": 5)").max_tokens, 5);
  EXPECT_EQ(chat(R"("max_tokens": 9, "max_completion_tokens": null)").max_tokens, 9);
}

TEST(ChatRequest, Thinking) {
  EXPECT_EQ(chat(R"("reasoning_effort": "none")").enable_thinking, false);
  EXPECT_EQ(chat(R"("chat_template_kwargs": {"enable_thinking": false})").enable_thinking, false);
  EXPECT_EQ(chat(R"("enable_thinking": true)").enable_thinking, true);
  EXPECT_EQ(chat(R"("thinking_token_budget": 9)").thinking_budget, 9);
  EXPECT_EQ(chat_failure(R"("chat_template_kwargs": {"enable_thinking": 1})"),
            (Failure{"request.wrong_type", "chat_template_kwargs.enable_thinking"}));
  EXPECT_EQ(chat_failure(R"("reasoning_effort": "huge")"),
            (Failure{"request.bad_choice", "reasoning_effort"}));
}

TEST(ChatRequest, StopsAndBiases) {
  EXPECT_EQ(chat(R"("stop": "a")").stop, std::vector<std::string>{"a"});
  EXPECT_EQ(chat(R"("stop": ["a", "b"], "stop_token_ids": [1, 2.0])").stop.size(), 2u);
  EXPECT_EQ(chat_failure(R"("stop": [""])"), (Failure{"request.empty", "stop[0]"}));
  EXPECT_EQ(chat_failure(R"("stop": ["a", 1])"), (Failure{"request.wrong_type", "stop[1]"}));
  EXPECT_EQ(chat_failure(R"("stop_token_ids": [1, -1])"),
            (Failure{"request.out_of_range", "stop_token_ids[1]"}));
  EXPECT_EQ(chat_failure(R"("stop_token_ids": [4294967297])").id, "request.out_of_range");
  const auto biases = chat(R"("logit_bias": {"7": -100, "3": 1.5})").logit_bias;
  ASSERT_EQ(biases.size(), 2u);
  EXPECT_EQ(biases[0], (std::pair<int32_t, float>(3, 1.5f)));
  EXPECT_EQ(chat_failure(R"("logit_bias": {"x": 1})").id, "request.bad_value");
  EXPECT_EQ(chat_failure(R"("logit_bias": {"-1": 1})").id, "request.bad_value");
  EXPECT_EQ(chat_failure(R"("logit_bias": {"1": 1, "01": 2})").id, "request.bad_value");
  EXPECT_EQ(chat_failure(R"("logit_bias": {"1": 101})"),
            (Failure{"request.out_of_range", "logit_bias.1"}));
  EXPECT_EQ(chat_failure(R"("bad_words": "x")"), (Failure{"request.wrong_type", "bad_words"}));
}

TEST(ChatRequest, LongListsAreRefusedFast) {
  std::string stops = "\"a\"", biases = "\"0\": 1";
  for (int i = 1; i < 60'000; ++i) {
    stops += ",\"a\"";
    biases += ",\"" + base::to_text(i) + "\": 1";
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(chat_failure("\"stop\": [" + stops + "]"), (Failure{"request.too_many", "stop"}));
  EXPECT_EQ(chat_failure("\"logit_bias\": {" + biases + "}"),
            (Failure{"request.too_many", "logit_bias"}));
  // Far above what it takes, so that a busy machine does not fail it.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(ChatRequest, FieldsThatHangTogether) {
  EXPECT_EQ(chat_failure(R"("best_of": 1, "n": 2)"), (Failure{"request.conflict", "best_of"}));
  EXPECT_EQ(chat_failure(R"("best_of": 3, "n": 2, "stream": true)").id, "request.conflict");
  EXPECT_EQ(chat(R"("best_of": 3, "n": 2)").num_answers(), 3);
  EXPECT_EQ(chat_failure(R"("min_tokens": 3, "max_tokens": 2)"),
            (Failure{"request.conflict", "min_tokens"}));
  EXPECT_EQ(chat_failure(R"("top_logprobs": 2)"), (Failure{"request.conflict", "top_logprobs"}));
  EXPECT_EQ(chat_failure(R"("continue_final_message": true)").id, "request.conflict");
  EXPECT_EQ(chat_failure(R"("continue_final_message": true, "add_generation_prompt": false)").id,
            "");
}

TEST(ChatRequest, TemplatesAndTheirVariables) {
  for (const char* name : {"messages", "tools", "bos_token", "eos_token", "chat_template"}) {
    EXPECT_EQ(chat_failure("\"chat_template_kwargs\": {\"" + std::string(name) + "\": 1}"),
              (Failure{"request.forbidden", "chat_template_kwargs." + std::string(name)}));
  }
  EXPECT_EQ(chat_failure(R"("chat_template": "x")"),
            (Failure{"request.forbidden", "chat_template"}));
  EXPECT_EQ(parse_chat_request(body(R"("chat_template": "x")"), {.allow_chat_template = true})
                .chat_template,
            "x");
  const Json variables =
      template_variables(chat(R"("chat_template_kwargs": {"a": 1}, "reasoning_effort": "none",
              "tools": [{"type": "function", "function": {"name": "f"}}])"));
  EXPECT_EQ(variables["a"], 1);
  EXPECT_EQ(variables["enable_thinking"], false);
  EXPECT_EQ(variables["add_generation_prompt"], true);
  EXPECT_EQ(variables["tools"][0]["function"]["name"], "f");
  EXPECT_EQ(variables["messages"][0]["content"], "x");
}

Json messages(const std::string& text) {
  return read_messages(base::parse_json(text, "test"), "messages");
}

TEST(Messages, Forms) {
  const Json all = messages(R"([
      {"role": "developer", "content": [{"type": "text", "text": "a"},
                                            {"type": "text", "text": "b"}]},
      {"role": "user", "content": "c", "name": "n", "secret": 1},
      {"role": "assistant", "content": null, "reasoning": "r", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
      {"role": "tool", "content": "d", "tool_call_id": "1"},
      {"role": "assistant"}])");
  EXPECT_EQ(all[0]["role"], "developer");
  EXPECT_EQ(all[0]["content"], "a\nb");
  EXPECT_FALSE(all[1].contains("secret"));
  EXPECT_EQ(all[1]["name"], "n");
  EXPECT_TRUE(all[2]["content"].is_null());
  EXPECT_EQ(all[2]["reasoning_content"], "r");
  EXPECT_EQ(all[2]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(all[3]["tool_call_id"], "1");
  EXPECT_EQ(all[4]["content"], "");
}

TEST(Messages, WrongOnesNameTheirPlace) {
  const std::vector<std::pair<std::string, Failure>> table = {
      {"[]", {"request.empty", "messages"}},
      {"{}", {"request.wrong_type", "messages"}},
      {"[1]", {"request.wrong_type", "messages[0]"}},
      {"[{}]", {"request.missing", "messages[0].role"}},
      {R"([{"role": "wizard", "content": ""}])", {"request.bad_choice", "messages[0].role"}},
      {R"([{"role": "user"}])", {"request.missing", "messages[0].content"}},
      {R"([{"role": "user", "content": 1}])", {"request.wrong_type", "messages[0].content"}},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])",
       {"request.unsupported", "messages[0].content[0].type"}},
      {R"([{"role": "user", "content": [{"type": "text"}]}])",
       {"request.missing", "messages[0].content[0].text"}},
      {R"([{"role": "assistant", "tool_calls": [{"function": {}}]}])",
       {"request.missing", "messages[0].tool_calls[0].function.name"}},
      {R"([{"role": "assistant", "tool_calls": [{"type": "custom"}]}])",
       {"request.unsupported", "messages[0].tool_calls[0].type"}},
  };
  for (const auto& [text, failure] : table)
    EXPECT_EQ(failure_of([&, t = text] { messages(t); }), failure) << text;
}

constexpr const char* kTools =
    R"("tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": true,
                  "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}},
                 {"type": "function", "function": {"name": "g"}}])";

TEST(Tools, Choices) {
  using enum ToolChoice::Mode;
  const std::string tools = std::string(kTools) + ", \"tool_choice\": ";
  const ChatRequest request = chat(kTools);
  ASSERT_EQ(request.tools.size(), 2u);
  EXPECT_EQ(request.tools[0].parameters, R"({"type":"object","properties":{"b":{},"a":{}}})");
  EXPECT_TRUE(request.tools[0].strict);
  EXPECT_EQ(chat(tools + "\"none\"").tool_choice.mode, kNone);
  EXPECT_FALSE(template_variables(chat(tools + "\"none\"")).contains("tools"));
  EXPECT_EQ(chat(tools + "\"required\"").tool_choice.mode, kRequired);
  const ToolChoice named =
      chat(tools + R"({"type": "function", "function": {"name": "g"}})").tool_choice;
  EXPECT_EQ(named.mode, kRequired);
  EXPECT_EQ(named.allowed, std::vector<std::string>{"g"});
  const ToolChoice allowed =
      chat(tools + R"({"type": "allowed_tools", "allowed_tools": {"mode": "auto",
                       "tools": [{"type": "function", "function": {"name": "f"}}]}})")
          .tool_choice;
  EXPECT_EQ(allowed.mode, kAuto);
  EXPECT_EQ(allowed.allowed, std::vector<std::string>{"f"});
}

TEST(Tools, WrongOnes) {
  const std::string tools = std::string(kTools) + ", \"tool_choice\": ";
  EXPECT_EQ(chat_failure(tools + R"({"type": "function", "function": {"name": "h"}})"),
            (Failure{"request.conflict", "tool_choice"}));
  EXPECT_EQ(chat_failure(R"("tool_choice": "required")").id, "request.conflict");
  EXPECT_EQ(chat_failure(tools + "\"any\"").id, "request.bad_choice");
  EXPECT_EQ(chat_failure(tools + "1"), (Failure{"request.wrong_type", "tool_choice"}));
  EXPECT_EQ(chat_failure(R"("tools": [{"type": "web_search"}])"),
            (Failure{"request.unsupported", "tools[0].type"}));
  EXPECT_EQ(chat_failure(R"("tools": [{"type": "function", "function": {"name": "a b"}}])"),
            (Failure{"request.bad_value", "tools[0].function.name"}));
  EXPECT_EQ(chat_failure(
                R"("tools": [{"type": "function", "function": {"name": "a", "parameters": []}}])"),
            (Failure{"request.wrong_type", "tools[0].function.parameters"}));
}

TEST(OutputRule, AllForms) {
  using enum OutputRule::Kind;
  const std::vector<std::pair<std::string, OutputRule>> table = {
      {R"("response_format": {"type": "text"})", {}},
      {R"("response_format": {"type": "json_object"})", {kJsonObject, "", {}, "response_format"}},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "n",
          "schema": {"b": 1, "a": 2}}})",
       {kJsonSchema, R"({"b":1,"a":2})", {}, "response_format.json_schema.schema"}},
      {R"("response_format": {"type": "json_object", "schema": {"a": 2}})",
       {kJsonSchema, R"({"a":2})", {}, "response_format.schema"}},
      {R"("structured_outputs": {"choice": ["x", "y"]})",
       {kChoice, "", {"x", "y"}, "structured_outputs.choice"}},
      {R"("structured_outputs": {"regex": "a+"})", {kRegex, "a+", {}, "structured_outputs.regex"}},
      {R"("guided_json": "{\"a\": 1}")", {kJsonSchema, R"({"a":1})", {}, "guided_json"}},
      {R"("guided_grammar": "root ::= x")", {kGrammar, "root ::= x", {}, "guided_grammar"}},
      {R"("guided_json": true)", {kJsonSchema, "true", {}, "guided_json"}},
  };
  for (const auto& [text, rule] : table) EXPECT_EQ(chat(text).output_rule, rule) << text;
}

TEST(OutputRule, WrongOnes) {
  EXPECT_EQ(chat_failure(R"("response_format": {"type": "json_schema"})"),
            (Failure{"request.missing", "response_format.json_schema"}));
  EXPECT_EQ(chat_failure(R"("response_format": {"type": "xml"})"),
            (Failure{"request.bad_choice", "response_format.type"}));
  EXPECT_EQ(chat_failure(R"("structured_outputs": {})"),
            (Failure{"request.bad_value", "structured_outputs"}));
  EXPECT_EQ(chat_failure(R"("guided_regex": "a", "guided_choice": ["b"])"),
            (Failure{"request.conflict", "guided_choice"}));
  EXPECT_EQ(chat_failure(R"("structured_outputs": {"regex": "a", "json": {}})").id,
            "request.conflict");
  EXPECT_EQ(chat_failure(R"("guided_json": "{")").id, "json.invalid");
  EXPECT_EQ(chat_failure(R"("guided_choice": [])"), (Failure{"request.empty", "guided_choice"}));
  EXPECT_EQ(chat_failure("\"guided_regex\": \"" + std::string(300'000, 'a') + "\"").id,
            "request.too_long");
}

TEST(Budget, ProductsAreBounded) {
  ChatRequest request = chat(R"("n": 128, "max_tokens": 2147483647, "logprobs": true,
                                "top_logprobs": 20)");
  const auto field = [&](int64_t prompts, int64_t context) {
    return failure_of([&] { check_budget(request, prompts, 100, context, {}); }).field;
  };
  EXPECT_EQ(field(2, 4096), "n");
  EXPECT_EQ(field(1, 262'144), "max_tokens");
  EXPECT_EQ(field(1, 4096), "logprobs");  // 128 x 4096 x 21
  EXPECT_EQ(field(INT64_MAX, INT64_MAX), "n");
  request.n = 1;
  EXPECT_EQ(field(1, 4096), "");
  EXPECT_EQ(answer_tokens(request, 4000, 4096), 96);
  request.max_tokens = 5;
  EXPECT_EQ(answer_tokens(request, 4000, 4096), 5);
  request.min_tokens = 97;
  EXPECT_EQ(failure_of([&] { answer_tokens(request, 4000, 4096); }).field, "min_tokens");
}

}  // namespace
}  // namespace tulou::serve
