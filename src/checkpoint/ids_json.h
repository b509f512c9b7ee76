// Token ids as JSON: one array of ids, or an array of arrays of ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::checkpoint {

inline constexpr size_t kMaxIds = 1u << 22;  // in all sequences together
inline constexpr size_t kMaxSequences = 1u << 16;

struct IdSequences {
  std::vector<std::vector<int32_t>> sequences;  // may be empty ones
  bool nested = false;                          // an array of arrays, so answers are one as well
};

// Ids are whole numbers, 0 <= id < 2^31. "[]" is one sequence without ids. `source` names the file
// in errors: ids.*, json.invalid.
IdSequences parse_ids(std::string_view text, std::string_view source);

// The same from a file of at most 64 MiB.
IdSequences read_ids(const std::string& path);

// The JSON text, in the form that `nested` says: "[1,2]" or "[[1,2],[3]]".
std::string ids_text(const IdSequences& ids);

}  // namespace tulou::checkpoint
