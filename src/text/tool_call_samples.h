// Outputs of models with tool calls, right and drifted, and what tests need to compare events.
#pragma once

#include <string>
#include <vector>

#include "base/json_value.h"
#include "text/tool_call_parser.h"

namespace tulou::text {

inline const base::Json& sample_tools() {
  static const base::Json tools = base::parse_json(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                     "metric": {"type": "boolean"}, "extra": {"type": ["object", "null"]},
                     "unit": {"enum": ["C", "F"]}}}}},
    {"type": "function", "function": {"name": "write_file", "parameters": {"type": "object",
      "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}}},
    {"type": "function", "function": {"name": "free", "parameters": {"type": "object"}}}
  ])",
                                                   "sample_tools");
  return tools;
}

// Samples are longer than lines.
// NOLINTBEGIN(bugprone-suspicious-missing-comma)
inline const std::vector<std::string>& xml_samples() {
  static const std::vector<std::string> samples = {
      "Hello.",
      "Let me see.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
      "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n"
      "</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\nK\xc3\xb6ln \"x\\\"\n"
      "</parameter>\n<parameter=metric>\nTrue\n</parameter>\n<parameter=extra>\n{\"a\": [1, "
      "null]}\n"
      "</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=free>\n</function>\n</tool_call>",
      "<tool_call>\n<function=write_file>\n<parameter=path>\na.py\n</"
      "parameter>\n<parameter=content>"
      "\nif a < b:\n\tprint(\"</parameter>\")\n\n<parameter=z>\n</function>\n1\n\n</parameter>\n"
      "</function>\n</tool_call>\nDone \xf0\x9f\x98\x80",
      "<tool_call>\n<function=free>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n007\n</"
      "parameter>"
      "\n<parameter=c>\n{\"x\": 1}\n</parameter>\n<parameter=d>\n\n</parameter>\n</function>\n"
      "</tool_call>",
      // Drifted, but clear.
      "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
      "<function=get_weather><parameter=city>Paris</parameter></function> and more",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n<parameter=days>\n3\n"
      "</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</function>\n</tool_call>",
      "<tool_call>\n<function=free>\n</function>",
      "<tool_call>\n<function=free>\n</function>\n</tool_",
      "<tool_call>\n<function=free>\n</function>\n<function=free>\n</function>\n</tool_call>",
      "<tool_call>\n<function=free>\n</function>\n<tool_call>\n<function=free>\n</function>\n"
      "</tool_call>",
      "<tool_call>\n<tool_call>\n<function=free>\n</function>\n</tool_call>",
      // Broken.
      "Use <tool_call> or `<function=` like this.",
      "<tool_call>\n<function=unknown>\n</function>\n</tool_call>",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nPar",
      "<tool_call>\n<function=get_weather>\n<parameter=city>\nA\n</"
      "parameter>\n<parameter=city>\nB\n"
      "</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=free>\n</function>\nno\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}}\n</tool_call>",
      "<function=>\n</function>\n</tool_call>\n<function=a b></function>",
      "</tool_call></function></parameter> < <t <<<tool_call",
  };
  return samples;
}

inline const std::vector<std::string>& hermes_samples() {
  static const std::vector<std::string> samples = {
      "Hello.",
      "Let me see.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\", "
      "\"days\": 2}}\n</tool_call>",
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"K\xc3\xb6ln "
      "\\\"}{\\\\\""
      "}}\n</tool_call>\n<tool_call>\n{\"name\": \"free\", \"arguments\": {}}\n</tool_call>",
      "<tool_call>{\"arguments\":{\"a\":[1,{\"b\":null}],\"c\":-1.5e3},\"name\":\"free\"}"
      "</tool_call> tail",
      "<tool_call>\n{\"name\": \"free\"}\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": null}\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": \"{\\\"a\\\": 1}\"}\n</tool_call>",
      "<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"content\": "
      "\"a\n\tb\xf0\x9f\x98\x80"
      "\"}}\n</tool_call>",
      // Drifted, but clear.
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}}",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}}\n</tool",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}}\n<tool_call>\n{\"name\": \"free\", "
      "\"arguments\": {}}\n</tool_call>",
      "<tool_call>\n<tool_call>\n{\"name\": \"free\", \"arguments\": {}}\n</tool_call>",
      // Broken.
      "Use <tool_call> like this: </tool_call>.",
      "<tool_call>\n{\"name\": \"unknown\", \"arguments\": {}}\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": \"never en",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": 1]}}\n</tool_call> x",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": tru}}\n</tool_call> x",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {\"a\": 1, \"a\": 2}}\n</tool_call> x",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": [1]}\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}, \"more\": 1}\n</tool_call>",
      "<tool_call>\n{\"name\": \"free\", \"arguments\": {}} text\n</tool_call>",
      "<tool_call>\n{{\"name\": \"free\", \"arguments\": {}}}\n</tool_call>",
      "<tool_call>\n{'name': 'free', 'arguments': {'a': __import__('os')}}\n</tool_call>",
      "<tool_call>\n{\"name\": \"a b\", \"arguments\": {}}\n</tool_call>\n \n ",
  };
  return samples;
}
// NOLINTEND(bugprone-suspicious-missing-comma)

// All events of a text that comes in the given pieces.
inline std::vector<ToolCallEvent> parse_pieces(const ToolCallOptions& options,
                                               const ToolSchemas& schemas,
                                               const std::vector<std::string_view>& pieces) {
  ToolCallParser parser(options, schemas);
  std::vector<ToolCallEvent> events;
  for (const std::string_view piece : pieces) parser.push(piece, events);
  parser.finish(events);
  return events;
}

// Neighbouring texts, and arguments of one call, joined.
inline std::vector<ToolCallEvent> joined(const std::vector<ToolCallEvent>& events) {
  using enum ToolCallEvent::Kind;
  std::vector<ToolCallEvent> result;
  for (const ToolCallEvent& event : events) {
    const bool grows = event.kind == kText || event.kind == kArguments;
    if (grows && !result.empty() && result.back().kind == event.kind &&
        result.back().index == event.index) {
      result.back().text += event.text;
    } else {
      result.push_back(event);
    }
  }
  return result;
}

// The input, as the events hold it.
inline std::string sources(const std::vector<ToolCallEvent>& events) {
  using enum ToolCallEvent::Kind;
  std::string text;
  for (const ToolCallEvent& event : events)
    if (event.kind == kText || event.kind == kEnd || event.kind == kBroken) text += event.text;
  return text;
}

}  // namespace tulou::text
