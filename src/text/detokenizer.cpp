#include "text/detokenizer.h"

#include <utility>

#include "base/utf8.h"

namespace tulou::text {
namespace {

// True if the bytes from `at` to the end may be the begin of a character that is not complete.
bool is_incomplete(std::string_view text, size_t at, const base::Utf8Step& step) {
  const auto first = static_cast<uint8_t>(text[at]);
  return !step.valid && at + step.length == text.size() && first >= 0xC2 && first <= 0xF4;
}

}  // namespace

std::string Detokenizer::push(int32_t id) {
  if (show_ == ShowSpecial::kHide && tokenizer_->is_special(id)) return "";
  pending_ += tokenizer_->token_bytes(id);
  std::string out;
  size_t at = 0;
  while (at < pending_.size()) {
    const base::Utf8Step step = base::decode_utf8(pending_, at);
    if (is_incomplete(pending_, at, step)) break;
    base::append_utf8(out, step.code_point);
    at += step.length;
  }
  pending_.erase(0, at);
  return out;
}

std::string Detokenizer::finish() {
  return base::replace_invalid_utf8(std::exchange(pending_, ""));
}

}  // namespace tulou::text
