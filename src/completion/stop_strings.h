// Finds stop strings in text that comes in pieces, without ever giving away a part of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tulou::completion {

inline constexpr size_t kMaxStopStrings = 64;
inline constexpr size_t kMaxStopStringBytes = 4096;

// The result does not depend on how the text is cut into pieces: the stop string that is complete
// first counts, and of those that end together the longest.
class StopStrings {
 public:
  // Error completion.stop_string if one is empty or too long, or if there are too many.
  explicit StopStrings(std::vector<std::string> stops);

  // Takes the next piece and returns the text that may be shown. What may be the beginning of a
  // stop string is held back until it is decided. Once stopped(), returns nothing.
  std::string push(std::string_view piece);
  // No more text comes: what was held back. Empty once stopped().
  std::string finish();

  bool stopped() const { return stopped_; }

 private:
  size_t held_back() const;

  std::vector<std::string> stops_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace tulou::completion
