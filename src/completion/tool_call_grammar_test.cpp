#include "completion/tool_call_grammar.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::completion {
namespace {

using base::Json;
using text::ToolCallFormat;
using enum ToolChoice::Mode;

Json tools() {
  return base::parse_json(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {
      "type": "object", "required": ["city", "unit"], "$defs": {"U": {"enum": ["C", "F"]}},
      "properties": {"city": {"type": "string", "description": "of a country"},
                     "unit": {"$ref": "#/$defs/U"},
                     "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                     "days": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "stop"}}])",
                          "tools");
}

// An answer that a description allows.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  std::string write(const Json& node) {
    if (node.contains("text")) return node["text"].get<std::string>();
    if (node.contains("without")) return "a < b\n</x>";
    if (node.contains("schema")) return value(node["schema"]);
    if (node.contains("choice")) return write(node["choice"][random_() % node["choice"].size()]);
    std::string result;
    if (node.contains("sequence")) {
      for (const Json& part : node["sequence"]) result += write(part);
      return result;
    }
    const uint64_t most = node.contains("max") ? node["max"].get<uint64_t>() : 3;
    const uint64_t least = node["min"].get<uint64_t>();
    for (uint64_t count = least + random_() % (most - least + 1); count > 0; --count)
      result += write(node["repeat"]);
    return result;
  }

 private:
  static std::string value(const Json& schema) {
    const std::string type = schema["type"].get<std::string>();
    if (type == "integer") return "7";
    if (!schema.contains("properties")) return "{}";
    return R"({"city": "Paris", "unit": "C"})";
  }

  std::mt19937_64 random_;
};

TEST(ToolCallGrammar, WhatItAllowsIsReadAsCalls) {
  const text::ToolSchemas schemas(tools());
  for (const auto format : {ToolCallFormat::kXml, ToolCallFormat::kHermes}) {
    for (const auto mode : {kAuto, kRequired, kNamed}) {
      for (const bool parallel : {false, true}) {
        const Json grammar = tool_call_grammar(format, tools(), {mode, "get_weather", parallel});
        for (uint64_t seed = 0; seed < 100; ++seed) {
          const std::string text = Writer(seed).write(grammar);
          text::ToolCallOptions options;
          options.format = format;
          text::ToolCallParser parser(options, schemas);
          std::vector<text::ToolCallEvent> events;
          parser.push(text, events);
          parser.finish(events);
          EXPECT_TRUE(parser.num_calls() >= 1 || mode == kAuto) << text;
          EXPECT_TRUE(parser.num_calls() <= 1 || parallel) << text;
          std::string arguments;
          for (const auto& event : events) {
            using enum text::ToolCallEvent::Kind;
            EXPECT_NE(event.kind, kBroken) << text;
            EXPECT_TRUE(event.kind != kText || mode == kAuto) << text;
            EXPECT_TRUE(event.kind != kBegin || mode != kNamed || event.text == "get_weather");
            if (event.kind == kBegin) arguments.clear();
            if (event.kind == kArguments) arguments += event.text;
            if (event.kind != kEnd) continue;
            const Json parsed = base::parse_json(arguments, text);
            EXPECT_EQ(parsed.value("days", 7), 7);
            EXPECT_TRUE(parsed.empty() || parsed["unit"] == "C" || parsed["unit"] == "F");
          }
        }
      }
    }
  }
}

TEST(ToolCallGrammar, HermesTakesTheWholeSchema) {
  const Json grammar =
      tool_call_grammar(ToolCallFormat::kHermes, tools(), {kNamed, "get_weather", false});
  EXPECT_EQ(grammar["choice"][0]["sequence"][1]["schema"], tools()[0]["function"]["parameters"]);
  const Json none = tool_call_grammar(ToolCallFormat::kHermes, tools(), {kNamed, "stop", false});
  EXPECT_EQ(none["choice"][0]["sequence"][1]["schema"], (Json{{"type", "object"}}));
}

std::string error_of(ToolCallFormat format, const std::string& json,
                     const ToolChoice& choice = {}) {
  try {
    tool_call_grammar(format, base::parse_json(json, "tools"), choice);
  } catch (const base::Error& error) {
    std::string text = error.id();
    for (const std::string& argument : error.arguments()) text += " " + argument;
    return text;
  }
  return "no error";
}

TEST(ToolCallGrammar, ToolsThatAreNone) {
  const auto of = [](const std::string& json) { return error_of(ToolCallFormat::kXml, json); };
  EXPECT_EQ(of("[]"), "completion.message_type tools a list of at least one tool");
  EXPECT_EQ(of("[1]"), "completion.message_type tools[0] an object");
  EXPECT_EQ(of(R"([{"function": {}}])"), "completion.message_missing tools[0].function name");
  EXPECT_TRUE(of(R"([{"function": {"name": "a b"}}])")
                  .starts_with("completion.message_type tools[0].function.name"));
  EXPECT_EQ(of(R"([{"function": {"name": "f", "parameters": 1}}])"),
            "completion.message_type tools[0].function.parameters an object");
  EXPECT_EQ(error_of(ToolCallFormat::kXml, R"([{"name": "f"}])", {kNamed, "g", true}),
            "completion.no_such_tool g");
}

TEST(ToolCallGrammar, WhatTheXmlFormCannotKeep) {
  const auto of = [](const std::string& schema) {
    return error_of(ToolCallFormat::kXml,
                    R"([{"name": "f", "parameters": {"properties": {"p": )" + schema + "}}}]");
  };
  const std::string refused = "completion.tool_parameter tools[0].parameters.properties p ";
  EXPECT_EQ(of(R"({"type": "string", "pattern": "a+"})"), refused + "pattern");
  EXPECT_EQ(of(R"({"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]})"),
            refused + "minLength");
  EXPECT_EQ(of(R"({"enum": ["</parameter>"]})"), refused + "enum");
  EXPECT_EQ(of(R"({"enum": ["null", null]})"), refused + "enum");
  for (const char* kept :
       {R"({"type": "string", "title": "T"})", "{}", "true", R"({"type": ["string", "integer"]})",
        R"({"const": "a"})", R"({"enum": ["1", 2]})", R"({"type": "array", "minItems": 1})"})
    EXPECT_EQ(of(kept),
              std::string(kept) == R"({"enum": ["1", 2]})" ? refused + "enum" : "no error");
}

}  // namespace
}  // namespace tulou::completion
