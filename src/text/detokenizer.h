// Turns a stream of token ids into text, whole characters only.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace tulou::text {

// One a stream. All that push() and finish() return, joined, equals Tokenizer::decode of all ids.
class Detokenizer {
 public:
  // `tokenizer` must outlive it.
  explicit Detokenizer(const Tokenizer& tokenizer, ShowSpecial show = ShowSpecial::kHide)
      : tokenizer_(&tokenizer), show_(show) {}

  // The text that is complete with this token; may be empty. At most 3 bytes are held back.
  std::string push(int32_t id);
  // What is left, as U+FFFD; afterwards a new stream may begin.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  ShowSpecial show_;
  std::string pending_;  // the begin of a character
};

}  // namespace tulou::text
