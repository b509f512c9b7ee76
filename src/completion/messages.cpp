// Messages of clients to messages of templates; see messages.h.
#include "completion/messages.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_value.h"
#include "text/template.h"

namespace tulou::completion {

namespace {

using base::Error;
using base::Json;

// Null if the key is absent or null.
const Json* find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string item_of(const std::string& list, size_t index) {
  return list + "[" + base::to_text(index) + "]";
}

enum class Role { kSystem, kUser, kAssistant, kTool };

constexpr std::array<std::pair<std::string_view, Role>, 6> kRoles = {{
    {"system", Role::kSystem},
    {"developer", Role::kSystem},
    {"user", Role::kUser},
    {"assistant", Role::kAssistant},
    {"tool", Role::kTool},
    {"function", Role::kTool},
}};

class Reader {
 public:
  explicit Reader(const MessageRules& rules) : rules_(rules) {}

  Json read(const Json& messages) {
    if (!messages.is_array()) throw Error("completion.message_type", "messages", "a list");
    if (messages.empty()) throw Error("completion.no_messages");
    if (messages.size() > rules_.max_messages)
      throw Error("completion.too_many_messages", messages.size(), rules_.max_messages);
    for (size_t i = 0; i < messages.size(); ++i) read_message(messages[i], item_of("messages", i));
    if (!has_system_) return std::move(others_);
    if (rules_.settle_volatile_lines) system_ = completion::settle_volatile_lines(system_);
    Json result = Json::array();
    result.push_back({{"role", "system"}, {"content", std::move(system_)}});
    for (Json& message : others_) result.push_back(std::move(message));
    return result;
  }

 private:
  void read_message(const Json& message, const std::string& path) {
    if (!message.is_object()) throw Error("completion.message_type", path, "an object");
    const Role role = read_role(message, path);
    if (role == Role::kSystem) return add_system(message, path);
    Json result = Json::object();
    if (role == Role::kUser) result["role"] = "user";
    if (role == Role::kAssistant) result["role"] = "assistant";
    if (role == Role::kTool) result["role"] = "tool";
    const bool has_calls = role == Role::kAssistant && find(message, "tool_calls");
    const Json* content = find(message, "content");
    if (!content && role == Role::kUser) throw Error("completion.message_missing", path, "content");
    result["content"] = content ? read_content(*content, path + ".content") : std::string();
    copy_text(message, "name", path, result);
    if (role == Role::kTool) copy_text(message, "tool_call_id", path, result);
    if (role == Role::kAssistant) read_reasoning(message, path, result);
    if (has_calls) result["tool_calls"] = read_calls(message["tool_calls"], path + ".tool_calls");
    others_.push_back(std::move(result));
  }

  static Role read_role(const Json& message, const std::string& path) {
    const Json* role = find(message, "role");
    if (!role) throw Error("completion.message_missing", path, "role");
    if (!role->is_string()) throw Error("completion.message_type", path + ".role", "a text");
    const auto& name = role->get_ref<const std::string&>();
    for (const auto& [known, value] : kRoles)
      if (name == known) return value;
    throw Error("completion.message_role", path + ".role", name.substr(0, 64));
  }

  void add_system(const Json& message, const std::string& path) {
    const Json* content = find(message, "content");
    const std::string text = content ? read_content(*content, path + ".content") : std::string();
    has_system_ = true;
    if (!system_.empty() && !text.empty()) system_ += "\n\n";
    system_ += text;
  }

  std::string read_content(const Json& content, const std::string& path) {
    if (content.is_string()) return count(content.get<std::string>());
    if (!content.is_array())
      throw Error("completion.message_type", path, "a text or a list of parts");
    std::string text;
    for (size_t i = 0; i < content.size(); ++i) text += read_part(content[i], item_of(path, i));
    return text;
  }

  std::string read_part(const Json& part, const std::string& path) {
    if (part.is_string()) return count(part.get<std::string>());
    if (!part.is_object()) throw Error("completion.message_type", path, "an object");
    const Json* type = find(part, "type");
    const std::string name = !type               ? "text"
                             : type->is_string() ? type->get<std::string>()
                                                 : std::string();
    const bool is_text = name == "text" || name == "input_text" || name == "output_text";
    if (!is_text && name != "refusal") {
      if (name.empty()) throw Error("completion.message_type", path + ".type", "a text");
      throw Error("completion.message_image", path, name.substr(0, 64));
    }
    const char* key = is_text ? "text" : "refusal";
    const Json* text = find(part, key);
    if (!text) throw Error("completion.message_missing", path, key);
    if (!text->is_string()) throw Error("completion.message_type", path + "." + key, "a text");
    return count(text->get<std::string>());
  }

  // Two names are in use for the same thing; of both the first counts.
  void read_reasoning(const Json& message, const std::string& path, Json& result) {
    for (const char* key : {"reasoning_content", "reasoning"}) {
      const Json* reasoning = find(message, key);
      if (!reasoning) continue;
      if (!reasoning->is_string())
        throw Error("completion.message_type", path + "." + key, "a text");
      result["reasoning_content"] = count(reasoning->get<std::string>());
      return;
    }
  }

  Json read_calls(const Json& calls, const std::string& path) {
    if (!calls.is_array()) throw Error("completion.message_type", path, "a list");
    Json result = Json::array();
    for (size_t i = 0; i < calls.size(); ++i)
      result.push_back(read_call(calls[i], item_of(path, i)));
    return result;
  }

  Json read_call(const Json& call, const std::string& path) {
    if (!call.is_object()) throw Error("completion.message_type", path, "an object");
    const Json* function = find(call, "function");
    if (!function) throw Error("completion.message_missing", path, "function");
    const std::string inner = path + ".function";
    if (!function->is_object()) throw Error("completion.message_type", inner, "an object");
    if (!find(*function, "name")) throw Error("completion.message_missing", inner, "name");
    Json result = {{"type", "function"}};
    copy_text(call, "id", path, result);
    Json& target = result["function"] = Json::object();
    copy_text(*function, "name", inner, target);
    target["arguments"] = read_arguments(find(*function, "arguments"), inner + ".arguments");
    return result;
  }

  Json read_arguments(const Json* arguments, const std::string& path) {
    if (!arguments) return Json::object();
    if (arguments->is_object()) {
      count(base::to_json_text(*arguments));
      return *arguments;
    }
    if (!arguments->is_string())
      throw Error("completion.message_type", path, "JSON text of an object");
    std::string text = count(arguments->get<std::string>());
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
    try {
      Json parsed = base::parse_json(text, path);
      if (parsed.is_object()) return parsed;
    } catch (const Error&) {
      // A call that broke off: clients send back what they have of it, and templates need an
      // object.
    }
    return {{"arguments", std::move(text)}};
  }

  void copy_text(const Json& from, const char* key, const std::string& path, Json& to) {
    const Json* value = find(from, key);
    if (!value) return;
    if (!value->is_string()) throw Error("completion.message_type", path + "." + key, "a text");
    to[key] = count(value->get<std::string>());
  }

  std::string count(std::string text) {
    bytes_ += text.size();
    if (bytes_ > rules_.max_bytes) throw Error("completion.messages_too_large", rules_.max_bytes);
    return text;
  }

  const MessageRules& rules_;
  Json others_ = Json::array();
  std::string system_;
  bool has_system_ = false;
  size_t bytes_ = 0;
};

// Lines that agents put into system texts and that differ from request to request. Compared after
// leading white space and list signs, without regard to case.
struct VolatileLine {
  std::string_view begin;
  bool drop;  // a note to a server, not to a model
};
constexpr std::array<VolatileLine, 12> kVolatileLines = {{
    {"x-anthropic-billing-header:", true},
    {"today's date:", false},
    {"today's date is", false},
    {"todays date:", false},
    {"today is", false},
    {"current date:", false},
    {"current time:", false},
    {"current date and time:", false},
    {"current datetime:", false},
    {"the current date is", false},
    {"the current time is", false},
    {"the current date and time is", false},
}};
constexpr size_t kMaxVolatileLineBytes = 256;

// A pattern only counts if the line is short and has a digit: prose about dates stays.
const VolatileLine* find_pattern(std::string_view line) {
  if (line.size() > kMaxVolatileLineBytes) return nullptr;
  if (line.find_first_of("0123456789") == std::string_view::npos) return nullptr;
  line.remove_prefix(std::min(line.find_first_not_of(" \t-*"), line.size()));
  for (const VolatileLine& pattern : kVolatileLines) {
    if (line.size() < pattern.begin.size()) continue;
    bool same = true;
    for (size_t i = 0; same && i < pattern.begin.size(); ++i) {
      const char c = line[i];
      same = (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == pattern.begin[i];
    }
    if (same) return &pattern;
  }
  return nullptr;
}

}  // namespace

std::string settle_volatile_lines(std::string_view system) {
  std::string kept, moved;
  bool found = false;
  for (size_t at = 0; at < system.size();) {
    const size_t end = std::min(system.find('\n', at), system.size() - 1) + 1;
    const std::string_view line = system.substr(at, end - at);
    const VolatileLine* pattern = find_pattern(line);
    at = end;
    if (!pattern) {
      kept += line;
      continue;
    }
    found = true;
    if (pattern->drop) continue;
    const bool whole = line.ends_with('\n');
    moved += '\n';
    moved += line.substr(0, line.size() - (whole ? 1 : 0));
  }
  if (!found) return std::string(system);
  const size_t end = kept.find_last_not_of('\n');
  kept.resize(end == std::string::npos ? 0 : end + 1);
  const size_t begin = kept.empty() ? std::min<size_t>(1, moved.size()) : 0;
  return kept + moved.substr(begin);
}

base::Json template_messages(const base::Json& messages, const MessageRules& rules) {
  return Reader(rules).read(messages);
}

}  // namespace tulou::completion
