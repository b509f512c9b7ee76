// Tool calls in an answer. The first byte of the input chooses the form and the bounds. However the
// text is cut, the events are the same; nothing of it is lost; the arguments of a complete call are
// a JSON object, and its name is one of the tools'.
#include <string>
#include <vector>

#include "base/json_value.h"
#include "base/utf8.h"
#include "guarded_input.h"
#include "text/tool_call_parser.h"

namespace {

using tulou::text::ToolCallEvent;
using tulou::text::ToolCallOptions;
using Kind = ToolCallEvent::Kind;
using Events = std::vector<ToolCallEvent>;

const tulou::text::ToolSchemas& schemas() {
  static const tulou::text::ToolSchemas tools(tulou::base::parse_json(
      R"([{"function": {"name": "f", "parameters": {"properties": {
             "s": {"type": "string"}, "i": {"type": "integer"}, "b": {"type": "boolean"},
             "o": {"type": ["object", "null"]}}}}},
          {"function": {"name": "g"}}])",
      "tools"));
  return tools;
}

// The events of the text in pieces of a size, neighbouring texts and arguments joined.
Events parse(const ToolCallOptions& options, std::string_view text, size_t piece_bytes) {
  tulou::text::ToolCallParser parser(options, schemas());
  Events events, result;
  for (size_t at = 0; at < text.size(); at += piece_bytes)
    parser.push(text.substr(at, piece_bytes), events);
  parser.finish(events);
  for (ToolCallEvent& event : events) {
    const bool grows = event.kind == Kind::kText || event.kind == Kind::kArguments;
    if (grows && !result.empty() && result.back().kind == event.kind &&
        result.back().index == event.index) {
      result.back().text += event.text;
    } else {
      result.push_back(std::move(event));
    }
  }
  return result;
}

void require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const tulou::fuzz::Input input(data + 1, size - 1);
  ToolCallOptions options;
  options.format =
      data[0] & 1 ? tulou::text::ToolCallFormat::kXml : tulou::text::ToolCallFormat::kHermes;
  options.stream_arguments = (data[0] & 2) != 0;
  if (data[0] & 4) options.max_calls = 1;
  if (data[0] & 8) options.max_call_bytes = 64;
  const bool is_utf8 = !tulou::base::find_invalid_utf8(input.text());
  const Events whole = parse(options, input.text(), size);
  require(parse(options, input.text(), 1) == whole);
  require(parse(options, input.text(), 7) == whole);
  std::string source, arguments;
  for (const ToolCallEvent& event : whole) {
    if (event.kind == Kind::kBegin) require(event.text == "f" || event.text == "g");
    if (event.kind == Kind::kBegin) arguments.clear();
    if (event.kind == Kind::kArguments) arguments += event.text;
    if (event.kind == Kind::kEnd && is_utf8)
      require(tulou::base::parse_json(arguments, "arguments").is_object());
    if (event.kind != Kind::kBegin && event.kind != Kind::kArguments) source += event.text;
    if (is_utf8) require(!tulou::base::find_invalid_utf8(event.text));
  }
  require(source == input.text());
  return 0;
}
