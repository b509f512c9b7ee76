// Spelling suggestions; see nearest.h.
#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace tulou::base {

namespace {

constexpr size_t kMaxWordBytes = 64;  // longer ones are not typing mistakes

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> cost((a.size() + 1) * width);
  const auto at = [&](size_t i, size_t j) -> size_t& { return cost[i * width + j]; };
  for (size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

std::string nearest(std::string_view typed, std::span<const std::string> words) {
  if (typed.empty() || typed.size() > kMaxWordBytes) return "";
  std::string best;
  size_t best_distance = std::max<size_t>(1, typed.size() / 3) + 1;
  for (const std::string& word : words) {
    const size_t distance = edit_distance(typed, word);
    if (distance < best_distance) {
      best = word;
      best_distance = distance;
    }
  }
  if (!best.empty()) return best;
  const auto longer = std::find_if(words.begin(), words.end(), [&](const std::string& word) {
    return typed.size() >= 3 && word.starts_with(typed);
  });
  return longer == words.end() ? "" : *longer;
}

}  // namespace tulou::base
