// tokenizer.json, and behind a zero byte tokenizer_config.json: read, made into a tokenizer, used.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "text/tokenizer.h"

using namespace tulou;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), size);
  try {
    text::TokenizerData parts = text::parse_tokenizer_json(input.substr(0, end), "fuzz");
    if (end < size) text::apply_tokenizer_config(parts, input.substr(end + 1), "config");
    const text::Tokenizer tokenizer(std::move(parts));
    const auto ids = tokenizer.encode("ab  <|x|> it's 12\n", text::Tokenizer::Special::kParse);
    tokenizer.decode(tokenizer.with_ends(ids), text::ShowSpecial::kShow);
  } catch (const base::Error&) {
  }
  return 0;
}
