#include "model/batch.h"

namespace tulou::model {

void Batch::add(SequenceHandle handle, std::span<const int32_t> tokens, int64_t position,
                Want others, Want last) {
  const size_t begin = rows.size();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto at = static_cast<int32_t>(position + static_cast<int64_t>(i));
    rows.push_back({tokens[i], nullptr, {at, at, at}, i + 1 == tokens.size() ? last : others});
  }
  sequences.push_back({handle, begin, rows.size()});
}

}  // namespace tulou::model
