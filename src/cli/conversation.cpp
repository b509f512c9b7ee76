// Messages of a chat and their file; see conversation.h.
#include "cli/conversation.h"

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"

namespace tulou::cli {

void Conversation::add_user(const std::string& text) {
  turns_.push_back({{"role", "user"}, {"content", text}});
}

void Conversation::add_assistant(const std::string& text, const std::string& reasoning) {
  base::Json message = {{"role", "assistant"}, {"content", text}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  turns_.push_back(std::move(message));
}

void Conversation::drop_last() {
  if (!turns_.empty() && turns_.back()["role"] == "user") turns_.erase(turns_.size() - 1);
}

base::Json Conversation::messages() const {
  base::Json messages = base::Json::array();
  if (!system_.empty()) messages.push_back({{"role", "system"}, {"content", system_}});
  for (const base::Json& turn : turns_) messages.push_back(turn);
  return messages;
}

void Conversation::save(const std::string& path) const {
  const base::Json file = {{"version", kChatFileVersion}, {"messages", messages()}};
  base::DurableFile out(path);
  out.write(base::to_pretty_json_text(file) + "\n");
  out.commit();
}

Conversation Conversation::load(const std::string& path) {
  const base::Json file = base::read_json_file(path);
  const auto refuse = [&](const std::string& why) {
    throw base::Error("cli.bad_chat_file", base::printable(path), why);
  };
  if (file.is_object() && file.contains("version") && file["version"] != kChatFileVersion)
    refuse("it has another version than " + base::to_text(kChatFileVersion));
  if (file.is_object() && !file.contains("messages")) refuse("\"messages\" is missing");
  const base::Json& messages = file.is_object() ? file["messages"] : file;
  if (!messages.is_array()) refuse("\"messages\" is not a list");
  Conversation conversation;
  for (const base::Json& message : messages) {
    const auto is_text = [&](const char* key) {
      return message.contains(key) && message[key].is_string();
    };
    if (!message.is_object() || !is_text("role") || !is_text("content"))
      refuse("a message lacks \"role\" or \"content\" as text");
    if (message["role"] == "system" && conversation.turns_.empty() &&
        conversation.system_.empty()) {
      conversation.system_ = message["content"].get<std::string>();
    } else {
      conversation.turns_.push_back(message);
    }
  }
  return conversation;
}

}  // namespace tulou::cli
