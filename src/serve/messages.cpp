#include "serve/messages.h"

#include "base/error.h"
#include "serve/chat_request.h"
#include "serve/field.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr int64_t kMaxTextBytes = 64 << 20;
constexpr int64_t kMaxWordBytes = 1024;  // names and ids

// A string, or parts of type text, joined by line ends.
Json read_content(const Json& value, const std::string& path) {
  if (value.is_string()) return value;
  if (!value.is_array())
    throw base::Error("request.wrong_type", path, "neither", "a string or an array of parts");
  read_array(value, path, kMaxParts);
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string item = item_path(path, i);
    const Json& part = read_object(value[i], item);
    const std::string type_path = member_path(item, "type");
    const std::string& type = read_string(member(part, item, "type"), type_path, 0, kMaxWordBytes);
    const bool refusal = type == "refusal";
    if (type != "text" && !refusal)
      throw base::Error("request.unsupported", type_path, "other content than text");
    const std::string_view key = refusal ? "refusal" : "text";
    const std::string& piece =
        read_string(member(part, item, key), member_path(item, key), 0, kMaxTextBytes);
    if (i > 0) text += '\n';
    text += piece;
  }
  return text;
}

Json read_call(const Json& value, const std::string& path) {
  read_object(value, path);
  if (const Json* type = find_member(value, "type")) {
    const std::string type_path = member_path(path, "type");
    if (read_string(*type, type_path, 0, kMaxWordBytes) != "function")
      throw base::Error("request.unsupported", type_path, "this type");
  }
  const std::string inner = member_path(path, "function");
  const Json& function = read_object(member(value, path, "function"), inner);
  Json call = Json::object();
  if (const Json* id = find_member(value, "id"))
    call["id"] = read_string(*id, member_path(path, "id"), 0, kMaxWordBytes);
  call["type"] = "function";
  Json copy = {{"name", read_string(member(function, inner, "name"), member_path(inner, "name"), 1,
                                    kMaxWordBytes)}};
  const std::string arguments_path = member_path(inner, "arguments");
  const Json* arguments = find_member(function, "arguments");
  if (arguments == nullptr) {
    copy["arguments"] = "{}";
  } else if (arguments->is_object()) {
    copy["arguments"] = *arguments;
  } else {
    copy["arguments"] = read_string(*arguments, arguments_path, 0, kMaxTextBytes);
  }
  call["function"] = std::move(copy);
  return call;
}

void read_assistant(const Json& value, const std::string& path, Json& message) {
  for (const std::string_view key : {"reasoning_content", "reasoning"}) {
    const Json* found = find_member(value, key);
    if (found == nullptr || message.contains("reasoning_content")) continue;
    message["reasoning_content"] = read_string(*found, member_path(path, key), 0, kMaxTextBytes);
  }
  const Json* calls = find_member(value, "tool_calls");
  if (calls == nullptr) return;
  const std::string list = member_path(path, "tool_calls");
  read_array(*calls, list, kMaxTools);
  if (calls->empty()) return;
  Json& copied = message["tool_calls"] = Json::array();
  for (size_t i = 0; i < calls->size(); ++i)
    copied.push_back(read_call((*calls)[i], item_path(list, i)));
}

Json read_message(const Json& value, const std::string& path) {
  static const std::vector<std::string_view> kRoles = {"system", "developer", "user", "assistant",
                                                       "tool"};
  read_object(value, path);
  const std::string_view role =
      kRoles[read_word(member(value, path, "role"), member_path(path, "role"), kRoles)];
  Json message = {{"role", role}, {"content", nullptr}};
  if (const Json* content = find_member(value, "content"))
    message["content"] = read_content(*content, member_path(path, "content"));
  if (const Json* name = find_member(value, "name"))
    message["name"] = read_string(*name, member_path(path, "name"), 0, kMaxWordBytes);
  if (role == "assistant") read_assistant(value, path, message);
  if (role == "tool") {
    if (const Json* id = find_member(value, "tool_call_id"))
      message["tool_call_id"] =
          read_string(*id, member_path(path, "tool_call_id"), 0, kMaxWordBytes);
  }
  if (message["content"].is_null()) {
    // An assistant may have only called, or only thought; templates want a text elsewhere.
    if (role != "assistant") throw base::Error("request.missing", member_path(path, "content"));
    if (!message.contains("tool_calls")) message["content"] = "";
  }
  return message;
}

}  // namespace

Json read_messages(const Json& value, const std::string& path) {
  read_array(value, path, kMaxMessages);
  if (value.empty()) throw base::Error("request.empty", path);
  Json messages = Json::array();
  for (size_t i = 0; i < value.size(); ++i)
    messages.push_back(read_message(value[i], item_path(path, i)));
  return messages;
}

}  // namespace tulou::serve
