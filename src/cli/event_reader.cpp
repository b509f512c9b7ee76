#include "cli/event_reader.h"

namespace tulou::cli {

void EventReader::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    if (!has_data_) return;
    has_data_ = false;
    const std::string event = std::move(data_);
    data_.clear();
    on_event_(event);
    return;
  }
  constexpr std::string_view kField = "data:";
  if (!line.starts_with(kField)) return;
  line.remove_prefix(kField.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
}

bool EventReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (piece.size() > kMaxEventBytes - line_.size() ||
        line_.size() + piece.size() > kMaxEventBytes - data_.size())
      return false;
    line_ += piece;
    if (end == std::string_view::npos) return true;
    const std::string line = std::move(line_);
    line_.clear();
    take_line(line);
    bytes.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace tulou::cli
