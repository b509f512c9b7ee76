// Descriptions of tool calls; see tool_call_grammar.h.
#include "completion/tool_call_grammar.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/json_value.h"
#include "text/tool_schema.h"

namespace tulou::completion {

namespace {

using base::Error;
using base::Json;

// What can end a value of the XML form.
constexpr std::array<const char*, 3> kValueEnds = {"</parameter>", "</function>", "<parameter="};
constexpr std::array<std::string_view, 7> kAnnotations = {
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"};

Json text_node(std::string_view text) { return {{"text", std::string(text)}}; }
Json sequence(Json parts) { return {{"sequence", std::move(parts)}}; }
Json choice_of(Json options) { return {{"choice", std::move(options)}}; }
Json repeat(Json what, int min) { return {{"repeat", std::move(what)}, {"min", min}}; }
Json optional(Json what) { return {{"repeat", std::move(what)}, {"min", 0}, {"max", 1}}; }

struct Tool {
  std::string name;
  std::string path;  // of its function, for errors
  Json parameters;   // an object; {"type": "object"} if the tool has none
};

Tool read_tool(const Json& item, const std::string& path) {
  if (!item.is_object()) throw Error("completion.message_type", path, "an object");
  const bool is_wrapped = item.contains("function");
  const Json& function = is_wrapped ? item["function"] : item;
  Tool tool;
  tool.path = is_wrapped ? path + ".function" : path;
  if (!function.is_object()) throw Error("completion.message_type", tool.path, "an object");
  if (!function.contains("name")) throw Error("completion.message_missing", tool.path, "name");
  const Json& name = function["name"];
  if (!name.is_string() || !text::is_tool_name(name.get_ref<const std::string&>()))
    throw Error("completion.message_type", tool.path + ".name",
                "a name of 1 to 256 bytes without spaces, quotes, backslashes and angle brackets");
  tool.name = name.get<std::string>();
  const auto parameters = function.find("parameters");
  const bool has_any = parameters != function.end() && !parameters->is_null();
  tool.parameters = has_any ? *parameters : Json{{"type", "object"}};
  if (!tool.parameters.is_object())
    throw Error("completion.message_type", tool.path + ".parameters", "an object");
  return tool;
}

std::vector<Tool> read_tools(const Json& tools) {
  if (!tools.is_array() || tools.empty())
    throw Error("completion.message_type", "tools", "a list of at least one tool");
  std::vector<Tool> result;
  for (size_t i = 0; i < tools.size(); ++i)
    result.push_back(read_tool(tools[i], "tools[" + base::to_text(i) + "]"));
  return result;
}

Json hermes_call(const Tool& tool) {
  Json schema = tool.parameters;
  if (!schema.contains("type")) schema["type"] = "object";
  return sequence({text_node("<tool_call>\n{\"name\": \"" + tool.name + "\", \"arguments\": "),
                   {{"schema", std::move(schema)}},
                   text_node("}\n</tool_call>")});
}

// One tool's call in the XML form.
class XmlCall {
 public:
  explicit XmlCall(const Tool& tool) : tool_(tool) {}

  Json make() const {
    Json parts = Json::array({text_node("<tool_call>\n<function=" + tool_.name + ">\n")});
    const auto properties = tool_.parameters.find("properties");
    if (properties != tool_.parameters.end()) {
      if (!properties->is_object())
        throw Error("completion.message_type", tool_.path + ".parameters.properties", "an object");
      for (const auto& [key, schema] : properties->items()) parts.push_back(parameter(key, schema));
    }
    parts.push_back(text_node("</function>\n</tool_call>"));
    return sequence(std::move(parts));
  }

 private:
  Json parameter(const std::string& key, const Json& schema) const {
    if (key.empty() || key.size() > text::kMaxToolNameBytes ||
        key.find_first_of(">\n") != std::string::npos)
      refuse(key, "its name");
    Json part = sequence({text_node("<parameter=" + key + ">\n"), value(key, schema),
                          text_node("\n</parameter>\n")});
    return is_required(key) ? part : optional(std::move(part));
  }

  bool is_required(const std::string& key) const {
    const auto required = tool_.parameters.find("required");
    return required != tool_.parameters.end() && required->is_array() &&
           std::find(required->begin(), required->end(), Json(key)) != required->end();
  }

  Json value(const std::string& key, const Json& schema) const {
    const text::JsonTypes types = text::schema_types(schema, tool_.parameters);
    if (types != 0 && !(types & text::kJsonString)) return {{"schema", with_definitions(schema)}};
    const Json& resolved = text::resolve_reference(schema, tool_.parameters);
    for (const char* list : {"enum", "const"})
      if (resolved.is_object() && resolved.contains(list)) return values(key, resolved, list);
    check_plain(key, resolved);
    Json ends = Json::array();
    for (const char* end : kValueEnds) ends.push_back(end);
    return {{"without", std::move(ends)}};
  }

  // The values of an enumeration as text, each of which must come back as the same value.
  Json values(const std::string& key, const Json& schema, const char* list) const {
    Json options = Json::array();
    const text::JsonTypes types = text::schema_types(schema, tool_.parameters);
    const Json one = Json::array({schema[list]});
    const Json& all = std::string_view(list) == "enum" ? schema[list] : one;
    for (const Json& item : all) {
      const std::string written =
          item.is_string() ? item.get<std::string>() : base::to_json_text(item);
      const bool has_end = std::any_of(kValueEnds.begin(), kValueEnds.end(), [&](const char* end) {
        return written.find(end) != std::string::npos;
      });
      const std::string read = text::argument_json(written, types);
      if (has_end || base::parse_json(read, key) != item) refuse(key, list);
      options.push_back(text_node(written));
    }
    return choice_of(std::move(options));
  }

  // Raw text can be any string: a schema that asks for more cannot be kept.
  void check_plain(const std::string& key, const Json& schema) const {
    if (!schema.is_object()) return;
    for (const auto& [keyword, inner] : schema.items()) {
      const bool is_annotation =
          std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end();
      if (keyword == "type" || is_annotation) continue;
      if ((keyword != "anyOf" && keyword != "oneOf") || !inner.is_array()) refuse(key, keyword);
      for (const Json& one : inner)
        check_plain(key, text::resolve_reference(one, tool_.parameters));
    }
  }

  // A parameter's schema may refer to what stands beside it.
  Json with_definitions(const Json& schema) const {
    Json result = schema;
    for (const char* key : {"$defs", "definitions"})
      if (tool_.parameters.contains(key)) result[key] = tool_.parameters[key];
    return result;
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& keyword) const {
    throw Error("completion.tool_parameter", tool_.path + ".parameters.properties", key, keyword);
  }

  const Tool& tool_;
};

}  // namespace

Json tool_call_grammar(text::ToolCallFormat format, const Json& tools, const ToolChoice& choice) {
  ASSERT(format != text::ToolCallFormat::kNone);
  const bool xml = format == text::ToolCallFormat::kXml;
  Json calls = Json::array();
  for (const Tool& tool : read_tools(tools)) {
    if (choice.mode == ToolChoice::Mode::kNamed && tool.name != choice.name) continue;
    calls.push_back(xml ? XmlCall(tool).make() : hermes_call(tool));
  }
  if (calls.empty()) throw Error("completion.no_such_tool", choice.name);
  const Json call = choice_of(std::move(calls));
  Json all =
      choice.parallel ? sequence({call, repeat(sequence({text_node("\n"), call}), 0)}) : call;
  if (choice.mode != ToolChoice::Mode::kAuto) return all;
  Json begins = Json::array({"<tool_call>"});
  if (xml) begins.push_back("<function=");
  return sequence({{{"without", std::move(begins)}}, optional(std::move(all))});
}

}  // namespace tulou::completion
