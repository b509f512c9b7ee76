// A tokenizer as GGUF files carry it: plain data, filled by whoever knows tokenizers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tulou::quantize {

// Token types of GGUF.
inline constexpr int32_t kNormalToken = 1, kControlToken = 3, kUserDefinedToken = 4,
                         kUnusedToken = 5;

struct Vocabulary {
  std::vector<std::string> tokens;  // by id, in byte-level form; added ones as they are
  std::vector<int32_t> types;       // one a token
  std::vector<std::string> merges;  // "left right"
  std::string pre;                  // tokenizer.ggml.pre
  std::optional<uint32_t> bos, eos, eot, pad;
  bool add_bos = false, add_eos = false;
  std::string chat_template;  // empty: none
};

}  // namespace tulou::quantize
