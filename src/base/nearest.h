// Which known word was meant by an unknown one: for options and commands that are misspelt.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tulou::base {

// The number of single-character insertions, deletions, replacements and swaps of neighbours that
// turn one word into the other (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

// The word nearest to `typed`, or empty text if none is near: at most a third of its length away,
// or starting with it. The first one wins among equals.
std::string nearest(std::string_view typed, std::span<const std::string> words);

}  // namespace tulou::base
