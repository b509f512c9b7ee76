// A conversation with its settings, as chat keeps it and /save writes it.
#pragma once

#include <string>

#include "base/json_value.h"

namespace tulou::cli {

inline constexpr int kChatFileVersion = 1;

class Conversation {
 public:
  void set_system(const std::string& text) { system_ = text; }
  const std::string& system() const { return system_; }
  void add_user(const std::string& text);
  // `reasoning` may be empty.
  void add_assistant(const std::string& text, const std::string& reasoning);
  // Forgets what the user said last, if nothing was answered.
  void drop_last();
  void clear() { turns_ = base::Json::array(); }
  size_t num_messages() const { return turns_.size(); }

  // The system message, if there is one, and the turns.
  base::Json messages() const;

  // Writes a JSON file (version, messages), visible only when complete. Error file.not_writable.
  void save(const std::string& path) const;
  // What save() wrote; a bare list of messages is fine as well. Error cli.bad_chat_file, json.*.
  static Conversation load(const std::string& path);

 private:
  std::string system_;
  base::Json turns_ = base::Json::array();
};

}  // namespace tulou::cli
