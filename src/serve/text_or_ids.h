// Input of completions and embeddings: a text, several, token ids, or several lists of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace tulou::serve {

inline constexpr size_t kMaxInputs = 2048;

struct TextOrIds {
  std::string text;
  std::vector<int32_t> ids;
  bool is_ids = false;
};

// At least one. A list of numbers is one input. Error request.*.
std::vector<TextOrIds> read_inputs(const base::Json& value, const std::string& path);

// Its JSON Schema.
extern const char* const kInputsSchema;

}  // namespace tulou::serve
