#include "completion/messages.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "text/template.h"

namespace tulou::completion {
namespace {

using base::Json;

Json read(const std::string& json, const MessageRules& rules = {}) {
  return template_messages(base::parse_json(json, "test"), rules);
}

// The error's id and arguments: "completion.message_type messages[0] an object".
std::string error_of(const std::string& json, const MessageRules& rules = {}) {
  try {
    read(json, rules);
  } catch (const base::Error& error) {
    std::string text = error.id();
    for (const std::string& argument : error.arguments()) text += " " + argument;
    return text;
  }
  return "no error";
}

TEST(Messages, SystemAndDeveloperBecomeOne) {
  EXPECT_EQ(read(R"([{"role": "system", "content": "a"}, {"role": "user", "content": "u"},
                     {"role": "developer", "content": [{"type": "text", "text": "b"}]},
                     {"role": "system", "content": null}, {"role": "system", "content": "c"}])"),
            base::parse_json(R"([{"role": "system", "content": "a\n\nb\n\nc"},
                                 {"role": "user", "content": "u"}])",
                             "test"));
}

TEST(Messages, PartsAreJoined) {
  EXPECT_EQ(read(R"([{"role": "user", "name": "Ann", "x": 1, "content": [
                       {"type": "text", "text": "a"}, "b", {"text": "c"},
                       {"type": "input_text", "text": "d"},
                       {"type": "refusal", "refusal": "e"}]}])"),
            base::parse_json(R"([{"role": "user", "content": "abcde", "name": "Ann"}])", "test"));
}

TEST(Messages, CallsResultsAndReasoning) {
  EXPECT_EQ(read(R"([{"role": "assistant", "content": null, "reasoning": "r", "tool_calls": [
                  {"id": "1", "type": "function",
                   "function": {"name": "f", "arguments": "{\"b\": 1, \"a\": null}"}},
                  {"function": {"name": "g", "arguments": {"x": 2}}},
                  {"function": {"name": "h", "arguments": ""}},
                  {"function": {"name": "i", "arguments": "{\"cut\": "}},
                  {"function": {"name": "j"}}]},
               {"role": "tool", "tool_call_id": "1", "content": "ok"},
               {"role": "function", "name": "g", "content": "ok"}])"),
            base::parse_json(
                R"([{"role": "assistant", "content": "", "reasoning_content": "r", "tool_calls": [
                  {"type": "function", "id": "1",
                   "function": {"name": "f", "arguments": {"b": 1, "a": null}}},
                  {"type": "function", "function": {"name": "g", "arguments": {"x": 2}}},
                  {"type": "function", "function": {"name": "h", "arguments": {}}},
                  {"type": "function",
                   "function": {"name": "i", "arguments": {"arguments": "{\"cut\": "}}},
                  {"type": "function", "function": {"name": "j", "arguments": {}}}]},
              {"role": "tool", "content": "ok", "tool_call_id": "1"},
              {"role": "tool", "content": "ok", "name": "g"}])",
                "test"));
  EXPECT_EQ(read(R"([{"role": "assistant", "reasoning_content": "a", "reasoning": "b"}])")
                [0]["reasoning_content"],
            "a");
}

TEST(Messages, ErrorsNameThePlace) {
  const std::string type = "completion.message_type ", missing = "completion.message_missing ";
  EXPECT_EQ(error_of("{}"), type + "messages a list");
  EXPECT_EQ(error_of("[]"), "completion.no_messages");
  EXPECT_EQ(error_of("[7]"), type + "messages[0] an object");
  EXPECT_EQ(error_of("[{}]"), missing + "messages[0] role");
  EXPECT_EQ(error_of(R"([{"role": 1}])"), type + "messages[0].role a text");
  EXPECT_EQ(error_of(R"([{"role": "bot"}])"), "completion.message_role messages[0].role bot");
  EXPECT_EQ(error_of(R"([{"role": "user"}])"), missing + "messages[0] content");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": 5}])"),
            type + "messages[0].content a text or a list of parts");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": [5]}])"),
            type + "messages[0].content[0] an object");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": [{"type": 5}]}])"),
            type + "messages[0].content[0].type a text");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": [{"type": "text"}]}])"),
            missing + "messages[0].content[0] text");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": [{"type": "text", "text": []}]}])"),
            type + "messages[0].content[0].text a text");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": "a"},
                         {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])"),
            "completion.message_image messages[1].content[0] image_url");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": "a", "name": 1}])"),
            type + "messages[0].name a text");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "reasoning": 1}])"),
            type + "messages[0].reasoning a text");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": 1}])"),
            type + "messages[0].tool_calls a list");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": [1]}])"),
            type + "messages[0].tool_calls[0] an object");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": [{}]}])"),
            missing + "messages[0].tool_calls[0] function");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": [{"function": 1}]}])"),
            type + "messages[0].tool_calls[0].function an object");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": [{"function": {}}]}])"),
            missing + "messages[0].tool_calls[0].function name");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls":
                          [{"function": {"name": "f", "arguments": [1]}}]}])"),
            type + "messages[0].tool_calls[0].function.arguments JSON text of an object");
}

TEST(Messages, Bounds) {
  const std::string two = R"([{"role": "user", "content": "12345"},
                              {"role": "user", "content": "67890"}])";
  MessageRules rules;
  rules.max_messages = 2;
  rules.max_bytes = 10;
  EXPECT_EQ(error_of(two, rules), "no error");
  rules.max_bytes = 9;
  EXPECT_EQ(error_of(two, rules), "completion.messages_too_large 9");
  rules.max_messages = 1;
  EXPECT_EQ(error_of(two, rules), "completion.too_many_messages 2 1");
}

TEST(Messages, VolatileLines) {
  EXPECT_EQ(settle_volatile_lines("x-anthropic-billing-header: cc_version=2.1.7; cch=a1b2c;\n"
                                  "You are an agent.\n<env>\nToday's date: 2026-11-23\nOS: Linux\n"
                                  "</env>\n"),
            "You are an agent.\n<env>\nOS: Linux\n</env>\nToday's date: 2026-11-23");
  EXPECT_EQ(settle_volatile_lines("The current date and time is 2026-11-23 13:05.\nBe brief."),
            "Be brief.\nThe current date and time is 2026-11-23 13:05.");
  EXPECT_EQ(settle_volatile_lines("Today is 23 November 2026."), "Today is 23 November 2026.");
  EXPECT_EQ(settle_volatile_lines("X-Anthropic-Billing-Header: cch=00000;"), "");
  for (const char* text :
       {"", "\n", "Be brief.\n", "Today is a good day to be brief.", "Say what today's date is: 1"})
    EXPECT_EQ(settle_volatile_lines(text), text);
  const std::string prose = "Today is 1" + std::string(300, 'x') + "\nend";
  EXPECT_EQ(settle_volatile_lines(prose), prose);
  MessageRules off;
  off.settle_volatile_lines = false;
  const std::string json = R"([{"role": "system", "content": "Today is day 1.\nBe brief."}])";
  EXPECT_EQ(read(json, off)[0]["content"], "Today is day 1.\nBe brief.");
  EXPECT_EQ(read(json)[0]["content"], "Be brief.\nToday is day 1.");
}

// Messages that templates refuse as they stand.
TEST(Messages, RenderWithEveryTemplate) {
  Json messages = read(R"([
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
    {"role": "developer", "content": "Be brief."},
    {"role": "assistant", "content": null, "reasoning": "need it", "tool_calls": [
      {"id": "1", "type": "function",
       "function": {"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}},
      {"id": "2", "type": "function", "function": {"name": "get_weather", "arguments": "{\"ci"}}]},
    {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "18C"}]},
    {"role": "system", "content": "Use metric units."}])");
  for (const char* name : {"qwen2_5", "qwen3", "qwen3_5", "qwen3_5_small", "qwen3_6", "qwen3_8"}) {
    const std::string path = "tests/templates/" + std::string(name) + ".jinja";
    const auto chat_template = text::ChatTemplate::parse(base::read_file(path, 1 << 20), path);
    Json context = {{"messages", messages}, {"add_generation_prompt", true}};
    std::string text;
    ASSERT_NO_THROW(text = chat_template.render_text(context)) << name;
    EXPECT_NE(text.find("Be brief.\n\nUse metric units.<|im_end|>"), std::string::npos) << text;
    EXPECT_NE(text.find("Paris"), std::string::npos) << text;
    EXPECT_NE(text.find("18C"), std::string::npos) << text;
    EXPECT_LT(text.find("Be brief."), text.find("Weather?")) << text;
  }
}

}  // namespace
}  // namespace tulou::completion
