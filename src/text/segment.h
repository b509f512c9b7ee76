// A piece of text with its provenance: written by the program or a trusted template, or taken from
// data. Only trusted text may turn into special tokens.
#pragma once

#include <string>

namespace tulou::text {

/// Text that comes from one kind of source. `from_data` is true for everything a user, a tool or a
/// file supplied; special tokens spelled in such text stay plain text.
struct Segment {
  std::string text;
  bool from_data = false;

  bool operator==(const Segment&) const = default;
};

}  // namespace tulou::text
