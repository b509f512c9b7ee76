#include "serve/tools.h"

#include <algorithm>

#include "base/error.h"
#include "serve/field.h"

namespace tulou::serve {
namespace {

constexpr int64_t kMaxToolBytes = 256 << 10;
constexpr std::string_view kNameBytes =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/";

std::string read_name(const base::Json& object, const std::string& path) {
  const std::string name_path = member_path(path, "name");
  const std::string& name =
      read_string(member(object, path, "name"), name_path, 1, kMaxToolNameBytes);
  if (name.find_first_not_of(kNameBytes) != std::string::npos)
    throw base::Error("request.bad_value", name_path, "letters, digits, _ - . : /");
  return name;
}

// The object under "function" of something of type function.
const base::Json& function_of(const base::Json& value, const std::string& path) {
  read_object(value, path);
  const std::string type_path = member_path(path, "type");
  const std::string& type = read_string(member(value, path, "type"), type_path, 0, 64);
  if (type != "function") throw base::Error("request.unsupported", type_path, "this type");
  return read_object(member(value, path, "function"), member_path(path, "function"));
}

Tool read_tool(const base::Json& value, const std::string& path) {
  const base::Json& function = function_of(value, path);
  const std::string inner = member_path(path, "function");
  Tool tool;
  tool.name = read_name(function, inner);
  if (const base::Json* found = find_member(function, "description"))
    tool.description = read_string(*found, member_path(inner, "description"), 0, kMaxToolBytes);
  if (const base::Json* found = find_member(function, "parameters"))
    tool.parameters = base::to_json_text(read_object(*found, member_path(inner, "parameters")));
  if (const base::Json* found = find_member(function, "strict"))
    tool.strict = read_boolean(*found, member_path(inner, "strict"));
  tool.text = base::to_json_text(value);
  if (std::cmp_greater(tool.text.size(), kMaxToolBytes))
    throw base::Error("request.too_long", path, tool.text.size(), kMaxToolBytes);
  return tool;
}

ToolChoice read_allowed(const base::Json& value, const std::string& path) {
  const std::string inner = member_path(path, "allowed_tools");
  const base::Json& allowed = read_object(member(value, path, "allowed_tools"), inner);
  ToolChoice choice;
  const size_t mode =
      read_word(member(allowed, inner, "mode"), member_path(inner, "mode"), {"auto", "required"});
  choice.mode = mode == 0 ? ToolChoice::Mode::kAuto : ToolChoice::Mode::kRequired;
  const std::string list = member_path(inner, "tools");
  const base::Json& tools = read_array(member(allowed, inner, "tools"), list, kMaxTools);
  if (tools.empty()) throw base::Error("request.empty", list);
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string item = item_path(list, i);
    choice.allowed.push_back(read_name(function_of(tools[i], item), member_path(item, "function")));
  }
  return choice;
}

}  // namespace

std::vector<Tool> read_tools(const base::Json& value, const std::string& path) {
  read_array(value, path, kMaxTools);
  std::vector<Tool> tools;
  for (size_t i = 0; i < value.size(); ++i)
    tools.push_back(read_tool(value[i], item_path(path, i)));
  return tools;
}

ToolChoice read_tool_choice(const base::Json& value, const std::string& path) {
  using enum ToolChoice::Mode;
  if (value.is_string()) {
    constexpr ToolChoice::Mode kModes[] = {kNone, kAuto, kRequired};
    return {kModes[read_word(value, path, {"none", "auto", "required"})], {}};
  }
  read_object(value, path);
  const size_t type = read_word(member(value, path, "type"), member_path(path, "type"),
                                {"function", "allowed_tools"});
  if (type == 1) return read_allowed(value, path);
  return {kRequired, {read_name(function_of(value, path), member_path(path, "function"))}};
}

void check_tool_choice(const ToolChoice& choice, const std::vector<Tool>& tools) {
  if (choice.mode == ToolChoice::Mode::kRequired && tools.empty())
    throw base::Error("request.conflict", "tool_choice", "it needs tools, and there are none");
  for (const std::string& name : choice.allowed) {
    const bool known = std::any_of(tools.begin(), tools.end(),
                                   [&](const Tool& tool) { return tool.name == name; });
    if (!known) throw base::Error("request.conflict", "tool_choice", "it names no tool of tools");
  }
}

}  // namespace tulou::serve
