// What is a call and what is text, form by form; tool_call_xml.cpp and tool_call_json.cpp with it.
#include "text/tool_call_parser.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "text/tool_call_samples.h"

namespace tulou::text {
namespace {

using enum ToolCallEvent::Kind;

const ToolSchemas& schemas() {
  static const ToolSchemas tools(sample_tools());
  return tools;
}

// A short form: texts raw, calls as name(arguments), [broken source].
std::string shown(const std::string& text, ToolCallFormat format, bool stream = true,
                  const ToolSchemas& tools = schemas()) {
  ToolCallOptions options;
  options.format = format;
  options.stream_arguments = stream;
  std::string result;
  for (const ToolCallEvent& event : joined(parse_pieces(options, tools, {text}))) {
    if (event.kind == kText) result += event.text;
    if (event.kind == kBegin) result += event.text + "(";
    if (event.kind == kArguments) result += event.text;
    if (event.kind == kEnd) result += ")";
    if (event.kind == kBroken) result += "[" + event.text + "]";
  }
  return result;
}

std::string xml(const std::string& text) { return shown(text, ToolCallFormat::kXml); }
std::string hermes(const std::string& text) { return shown(text, ToolCallFormat::kHermes); }
// A call of the tool with the text between its tags.
std::string xml_call(const std::string& tool, const std::string& body) {
  return xml("<tool_call>\n<function=" + tool + ">\n" + body + "</function>\n</tool_call>");
}

TEST(ToolCallFormat, ByTheTemplatesText) {
  const auto of_file = [](const std::string& name) {
    return tool_call_format(base::read_file("tests/templates/" + name + ".jinja", 1 << 20));
  };
  for (const char* name : {"qwen3_5", "qwen3_5_small", "qwen3_6", "qwen3_8"})
    EXPECT_EQ(of_file(name), ToolCallFormat::kXml) << name;
  for (const char* name : {"qwen2_5", "qwen3"})
    EXPECT_EQ(of_file(name), ToolCallFormat::kHermes) << name;
  EXPECT_EQ(tool_call_format("{{ messages }}"), ToolCallFormat::kNone);
}

TEST(ToolCallParser, NoFormatIsText) {
  const std::string text = hermes_samples()[1];
  EXPECT_EQ(shown(text, ToolCallFormat::kNone), text);
}

TEST(ToolCallParser, XmlValuesByTheSchema) {
  EXPECT_EQ(xml(xml_samples()[1]), R"(Let me see.get_weather({"city": "Paris", "days": 2}))");
  EXPECT_EQ(
      xml(xml_samples()[2]),
      "get_weather({\"city\": \"Rome\"})get_weather({\"city\": \"K\xc3\xb6ln \\\"x\\\\\\\"\", "
      "\"metric\": true, \"extra\": {\"a\": [1, null]}})");
  EXPECT_EQ(xml_call("free", ""), "free({})");
  EXPECT_EQ(xml_call("get_weather",
                     "<parameter=city>\n5\n</parameter>\n<parameter=days>\nfew\n"
                     "</parameter>\n<parameter=unit>\nC\n</parameter>\n"),
            R"(get_weather({"city": "5", "days": "few", "unit": "C"}))");
  EXPECT_EQ(xml_call("get_weather",
                     "<parameter=extra>\nNone\n</parameter>\n"
                     "<parameter=metric>\nfalse\n</parameter>\n"),
            R"(get_weather({"extra": null, "metric": false}))");
}

TEST(ToolCallParser, XmlValuesWithoutSchema) {
  EXPECT_EQ(xml(xml_samples()[5]), R"(free({"a": 1, "b": "007", "c": {"x": 1}, "d": ""}))");
  EXPECT_EQ(shown("<function=any><parameter=x>true</parameter></function>", ToolCallFormat::kXml,
                  true, ToolSchemas()),
            R"(any({"x": true}))");
}

TEST(ToolCallParser, XmlValuesMayHoldTags) {
  EXPECT_EQ(xml(xml_samples()[4]),
            "write_file({\"path\": \"a.py\", \"content\": \"if a < b:\\n\\tprint(\\\"</parameter>"
            "\\\")\\n\\n<parameter=z>\\n</function>\\n1\\n\"})\nDone \xf0\x9f\x98\x80");
}

TEST(ToolCallParser, XmlOneNewlineAtEachEndOfAValue) {
  EXPECT_EQ(xml_call("write_file", "<parameter=path>\n\n a \n\n</parameter>\n"),
            R"(write_file({"path": "\n a \n"}))");
  EXPECT_EQ(xml_call("write_file",
                     "<parameter=path>\n</parameter><parameter=content>x"
                     "</parameter>"),
            R"(write_file({"path": "", "content": "x"}))");
}

TEST(ToolCallParser, XmlDriftThatIsClear) {
  EXPECT_EQ(xml(xml_samples()[6]), R"(get_weather({"city": "Paris"}))");
  EXPECT_EQ(xml(xml_samples()[7]), R"(get_weather({"city": "Paris"}) and more)");
  EXPECT_EQ(xml(xml_samples()[8]), R"(get_weather({"city": "Paris", "days": 3}))");
  EXPECT_EQ(xml(xml_samples()[9]), R"(get_weather({"city": "Paris"}))");
  EXPECT_EQ(xml(xml_samples()[10]), "free({})");
  EXPECT_EQ(xml(xml_samples()[11]), "free({})");
  EXPECT_EQ(xml(xml_samples()[12]), "free({})free({})");
  EXPECT_EQ(xml(xml_samples()[13]), "free({})free({})");
  EXPECT_EQ(xml(xml_samples()[14]), "<tool_call>\nfree({})");
}

TEST(ToolCallParser, XmlBrokenCallsAreText) {
  for (const size_t i : {15u, 16u, 20u, 21u, 22u})
    EXPECT_EQ(xml(xml_samples()[i]), xml_samples()[i]);
  EXPECT_EQ(xml(xml_samples()[17]), "get_weather({\"city\": \"Par[" + xml_samples()[17] + "]");
  const std::string twice = xml_samples()[18];
  const size_t at = twice.rfind("<parameter=city") + 15;
  EXPECT_EQ(xml(twice),
            "get_weather({\"city\": \"A\"[" + twice.substr(0, at) + "]" + twice.substr(at));
}

TEST(ToolCallParser, HermesArgumentsAsTheyStand) {
  EXPECT_EQ(hermes(hermes_samples()[1]), R"(Let me see.get_weather({"city": "Paris", "days": 2}))");
  EXPECT_EQ(hermes(hermes_samples()[2]),
            "get_weather({\"city\": \"K\xc3\xb6ln \\\"}{\\\\\"})free({})");
  EXPECT_EQ(hermes(hermes_samples()[3]), R"(free({"a":[1,{"b":null}],"c":-1.5e3}) tail)");
  EXPECT_EQ(hermes(hermes_samples()[4]), "free({})");
  EXPECT_EQ(hermes(hermes_samples()[5]), "free({})");
  EXPECT_EQ(hermes(hermes_samples()[6]), R"(free({"a": 1}))");
  EXPECT_EQ(hermes(hermes_samples()[7]), "write_file({\"content\": \"a\\n\\tb\xf0\x9f\x98\x80\"})");
}

TEST(ToolCallParser, HermesDriftThatIsClear) {
  EXPECT_EQ(hermes(hermes_samples()[8]), "free({})");
  EXPECT_EQ(hermes(hermes_samples()[9]), "free({})");
  EXPECT_EQ(hermes(hermes_samples()[10]), "free({})free({})");
  EXPECT_EQ(hermes(hermes_samples()[11]), "<tool_call>\nfree({})");
}

TEST(ToolCallParser, HermesBrokenCallsAreText) {
  for (size_t i = 12; i < hermes_samples().size(); ++i) {
    const std::string& text = hermes_samples()[i];
    EXPECT_EQ(shown(text, ToolCallFormat::kHermes, false), text);
  }
  const std::string& cut = hermes_samples()[14];
  EXPECT_EQ(hermes(cut), "free({\"a\": \"never en[" + cut + "]");
}

TEST(ToolCallParser, ArgumentsComeAsTheyGrow) {
  ToolCallOptions options;
  options.format = ToolCallFormat::kHermes;
  ToolCallParser parser(options, schemas());
  std::vector<ToolCallEvent> events;
  parser.push("<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": \"bc", events);
  EXPECT_EQ(events,
            (std::vector<ToolCallEvent>{{kBegin, 0, "free"}, {kArguments, 0, "{\"a\": \"bc"}}));
  EXPECT_TRUE(parser.in_call());
  events.clear();
  parser.push("\"}", events);
  EXPECT_EQ(events, (std::vector<ToolCallEvent>{{kArguments, 0, "\"}"}}));
  options.format = ToolCallFormat::kXml;
  ToolCallParser xml_parser(options, schemas());
  events.clear();
  xml_parser.push("<tool_call>\n<function=get_weather>\n<parameter=city>\nPa", events);
  EXPECT_EQ(events, (std::vector<ToolCallEvent>{{kBegin, 0, "get_weather"},
                                                {kArguments, 0, "{\"city\": \"Pa"}}));
}

TEST(ToolCallParser, CallsAreCounted) {
  ToolCallOptions options;
  options.format = ToolCallFormat::kXml;
  options.max_calls = 1;
  const std::string call = "<tool_call>\n<function=free>\n</function>\n</tool_call>";
  EXPECT_EQ(
      joined(parse_pieces(options, schemas(), {call + "\n" + call})),
      (std::vector<ToolCallEvent>{
          {kBegin, 0, "free"}, {kArguments, 0, "{}"}, {kEnd, 0, call}, {kText, -1, "\n" + call}}));
  options.max_calls = 2;
  EXPECT_EQ(joined(parse_pieces(options, schemas(), {call + "\n" + call})).back(),
            (ToolCallEvent{kEnd, 1, "\n" + call}));
}

TEST(ToolCallParser, EndlessCallsAreText) {
  ToolCallOptions options;
  options.max_call_bytes = 1000;
  const std::string begins[] = {
      "<tool_call>\n<function=free>\n<parameter=a>\n",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": \"",
      "<tool_call>\n{\"arguments\": \"",
      "<tool_call>\n<function=free>\n</function>\n",
      "<tool_call>\n<function=",
      "<tool_call>",
  };
  for (const std::string& begin : begins) {
    for (const char* unit : {"x", "\xf0\x9f\x98\x80", "\n", "[", "\n</parameter>", "\\"}) {
      std::string text = begin;
      while (text.size() < 5000) text += unit;
      for (const auto format : {ToolCallFormat::kXml, ToolCallFormat::kHermes}) {
        options.format = format;
        for (options.stream_arguments = false;; options.stream_arguments = true) {
          const auto events = parse_pieces(options, schemas(), {text});
          EXPECT_EQ(sources(events), text);
          for (const ToolCallEvent& event : events) {
            EXPECT_TRUE(event.kind != kEnd || begin.find("</function>") != std::string::npos);
            EXPECT_TRUE(event.kind != kBroken || event.text.size() <= 1003);
          }
          if (options.stream_arguments) break;
        }
      }
    }
  }
}

TEST(ToolCallParser, SeamIsBounded) {
  const std::string call = "<tool_call>\n<function=free>\n</function>\n</tool_call>";
  ToolCallOptions options;
  options.format = ToolCallFormat::kXml;
  const auto events = joined(parse_pieces(options, schemas(), {std::string(100, '\n') + call}));
  EXPECT_EQ(events.front(), (ToolCallEvent{kText, -1, std::string(100 - kMaxSeamBytes, '\n')}));
  EXPECT_EQ(events.back(), (ToolCallEvent{kEnd, 0, std::string(kMaxSeamBytes, '\n') + call}));
}

TEST(ToolName, WhatItMayBe) {
  EXPECT_TRUE(is_tool_name("mcp.server/get-x_1"));
  EXPECT_TRUE(is_tool_name(std::string(kMaxToolNameBytes, 'a')));
  EXPECT_FALSE(is_tool_name(std::string(kMaxToolNameBytes + 1, 'a')));
  for (const char* name : {"", "a b", "a\n", "<a", "\"a", "a\\", "\x7f"})
    EXPECT_FALSE(is_tool_name(name)) << name;
}

}  // namespace
}  // namespace tulou::text
