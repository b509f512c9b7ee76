// Stop strings in a stream; see stop_strings.h.
#include "completion/stop_strings.h"

#include <algorithm>

#include "base/error.h"
#include "base/number.h"

namespace tulou::completion {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  if (stops_.size() > kMaxStopStrings)
    throw base::Error("completion.too_many_stops", stops_.size(), kMaxStopStrings);
  for (const std::string& stop : stops_) {
    if (stop.empty() || stop.size() > kMaxStopStringBytes)
      throw base::Error("completion.stop_string", stop.size(), kMaxStopStringBytes);
  }
}

std::string StopStrings::push(std::string_view piece) {
  if (stopped_) return "";
  pending_ += piece;
  size_t first_end = std::string::npos;
  size_t begin = 0;
  for (const std::string& stop : stops_) {
    const size_t at = pending_.find(stop);
    if (at == std::string::npos) continue;
    const size_t end = at + stop.size();
    if (first_end == std::string::npos || end < first_end || (end == first_end && at < begin)) {
      first_end = end;
      begin = at;
    }
  }
  if (first_end != std::string::npos) {
    stopped_ = true;
    std::string shown = pending_.substr(0, begin);
    pending_.clear();
    return shown;
  }
  const size_t shown_bytes = pending_.size() - held_back();
  std::string shown = pending_.substr(0, shown_bytes);
  pending_.erase(0, shown_bytes);
  return shown;
}

// Bytes at the end of pending_ that are a beginning of some stop string.
size_t StopStrings::held_back() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    size_t length = std::min(stop.size() - 1, pending_.size());
    const std::string_view text(pending_);
    while (length > longest && !text.ends_with(std::string_view(stop).substr(0, length))) --length;
    longest = std::max(longest, length);
  }
  return longest;
}

std::string StopStrings::finish() { return std::exchange(pending_, {}); }

}  // namespace tulou::completion
