// Tools and which of them the model may or must call.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace tulou::serve {

inline constexpr size_t kMaxTools = 512;
inline constexpr int64_t kMaxToolNameBytes = 256;

struct Tool {
  std::string name, description;
  std::string parameters;  // JSON Schema as compact text; empty: none given
  bool strict = false;     // arguments must follow the schema
  std::string text;        // the whole tool as compact JSON, as it was sent
};

struct ToolChoice {
  enum class Mode { kNone, kAuto, kRequired };
  Mode mode = Mode::kAuto;
  std::vector<std::string> allowed;  // names; empty: all of the tools
};

// Error request.*. A tool that is no function is request.unsupported.
std::vector<Tool> read_tools(const base::Json& value, const std::string& path);

// "none", "auto", "required", {"type": "function", ...} or {"type": "allowed_tools", ...}.
ToolChoice read_tool_choice(const base::Json& value, const std::string& path);

// Every allowed name is one of the tools, and what is required exists. Error request.conflict.
void check_tool_choice(const ToolChoice& choice, const std::vector<Tool>& tools);

}  // namespace tulou::serve
