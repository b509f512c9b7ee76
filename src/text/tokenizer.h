// Text to token ids and back, equal to Hugging Face tokenizers for byte-level BPE.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/segment.h"
#include "text/tokenizer_data.h"

namespace tulou::text {

// The longest text that can be encoded at once.
inline constexpr size_t kMaxTextBytes = size_t{1} << 30;

enum class ShowSpecial { kHide, kShow };

// Const and shareable between threads once it is made (each thread keeps a cache of about 0.5 MB
// for all tokenizers it uses).
class Tokenizer {
 public:
  // Checks the data: bounds, ids in range, no duplicates, merges of known tokens into known tokens.
  // Error tokenizer.corrupt or tokenizer.unsupported, naming data.name.
  explicit Tokenizer(TokenizerData data);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Whether special tokens that are written in the text become that token. Added tokens that are
  // not special (<think>, <tool_call>) always do.
  enum class Special { kText, kParse };

  // Nothing is added at the ends: see with_ends(). Bytes for which a vocabulary has no token are
  // dropped, as Hugging Face does (SmolLM2 lacks some control characters; Qwen has all). Error
  // text.invalid_utf8 with the offset of the first bad byte, text.too_long.
  std::vector<int32_t> encode(std::string_view utf8, Special special) const;

  // The text of all segments, joined. A special token is recognised only where it lies wholly in
  // segments that are not data, and a piece of data can never complete, hide or become one.
  std::vector<int32_t> encode(std::span<const Segment> segments) const;

  // The ids with what the tokenizer puts at the ends of every text: the post-processor's tokens
  // (embedding models end with <|endoftext|>), else bos and eos where add_bos and add_eos say so.
  std::vector<int32_t> with_ends(std::vector<int32_t> ids) const;

  // One more than the largest id; ids between may be unused. A model's vocab_size may be larger.
  int32_t num_tokens() const;
  // The bytes that a token stands for, not always whole characters; empty for ids without token.
  std::string_view token_bytes(int32_t id) const;
  bool is_special(int32_t id) const;
  // The id of an added token by its content, or of another token by its byte-level text.
  std::optional<int32_t> find(std::string_view content) const;

  // The text of the ids; ids without token give nothing. What is not UTF-8 becomes U+FFFD.
  std::string decode(std::span<const int32_t> ids, ShowSpecial show) const;

  const std::vector<AddedToken>& added_tokens() const;
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> pad() const;
  PreTokenizer pre_tokenizer() const;
  bool nfc() const;
  const std::string& name() const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace tulou::text
