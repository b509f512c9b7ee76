// Cuts text into the pieces inside which byte pairs are merged: hand-written equivalents of the
// regular expressions that the models' tokenizer.json files hold.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/tokenizer_data.h"

namespace tulou::text {

// The regular expressions, as they stand in tokenizer.json.
inline constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen35Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
// What ByteLevel does with use_regex; inside of it case matters.
inline constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Walks over the pieces of a text; every byte is in exactly one of them. Linear in time.
class PreTokenScanner {
 public:
  // `text` must be valid UTF-8 and outlive the scanner.
  PreTokenScanner(PreTokenizer kind, std::string_view text);

  // The next piece; empty at the end.
  std::string_view next();

 private:
  PreTokenizer kind_;
  std::string_view text_;
  size_t at_ = 0;
  size_t limit_ = 0;  // kSmolLM: end of the current stretch without digits
};

}  // namespace tulou::text
