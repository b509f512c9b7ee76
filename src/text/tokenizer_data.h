// What a byte-level BPE tokenizer consists of, as plain data, and the readers of its file formats.
// tokenizer.h turns it into something that encodes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/string_list.h"

namespace tulou::text {

// How text is cut before merging; docs: pre_tokenizer.h.
enum class PreTokenizer {
  kGpt2,
  kSmolLM,  // digits one by one, then GPT-2
  kQwen2,   // Qwen 2, 2.5, 3
  kQwen35,  // Qwen 3.5 and later: marks count as letters
};

// A token that is recognised in the text as it stands, before it is cut.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  bool lstrip = false, rstrip = false;  // takes the white space beside it
  bool single_word = false;             // refused: no model of the supported families uses it
  bool normalized = false;              // looked for in the normalized text
};

// Bounds of everything below; a file beyond them is refused.
inline constexpr uint64_t kMaxTokenizerFileBytes = 256u << 20;
inline constexpr size_t kMaxTokens = size_t{4} << 20;
inline constexpr size_t kMaxTokenBytes = 64u << 10;
inline constexpr size_t kMaxAddedTokens = 128u << 10;
inline constexpr size_t kMaxAddedTokenBytes = 512;
inline constexpr size_t kMaxEndTokens = 64;

struct TokenizerData {
  StringList tokens;  // id -> text in byte-level form (byte_level.h); empty: no such token
  StringList merges;  // "left right" in byte-level form, most urgent first
  std::vector<AddedToken> added;
  PreTokenizer pre_tokenizer = PreTokenizer::kQwen2;
  bool nfc = false;
  // The model names a token for unknown symbols. It is never produced: the Tokenizer then insists
  // that each of the 256 bytes has a token of its own.
  bool has_unknown_token = false;
  std::optional<int32_t> bos, eos, pad;
  bool add_bos = false, add_eos = false;     // what the configuration says; encode() adds nothing
  std::vector<int32_t> prepended, appended;  // what a TemplateProcessing post-processor adds
  std::string name;                          // for errors: the file or folder
};

// Reads a tokenizer.json of the Hugging Face tokenizers library. What this program does not do
// exactly as that library (another model, normalizer, pre-tokenizer, ...) is Error
// tokenizer.unsupported, naming it; `source` names the file in errors.
TokenizerData parse_tokenizer_json(std::string_view json, const std::string& source);

// Reads the older pair vocab.json and merges.txt. `tokenizer_config` may be empty; its
// tokenizer_class decides on the pre-tokenizer (without one: Qwen's).
TokenizerData parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     std::string_view tokenizer_config, const std::string& source);

// Adds what tokenizer_config.json knows: eos, bos, pad, whether to add them, and tokens of its
// added_tokens_decoder that are missing. Where both know a token, what is there already stays.
void apply_tokenizer_config(TokenizerData& data, std::string_view tokenizer_config,
                            const std::string& source);

// Marks added tokens by the token types of a GGUF file (3 control: special, 4 user defined, 5
// unused: dropped). `types` has one entry a token.
void mark_gguf_token_types(TokenizerData& data, std::span<const int32_t> types);

// Reads a folder with tokenizer.json, or vocab.json and merges.txt; and tokenizer_config.json.
// Error tokenizer.missing if neither is there.
TokenizerData load_tokenizer_folder(const std::string& folder);
bool has_tokenizer(const std::string& folder);

// The pre-tokenizer that a GGUF file names in tokenizer.ggml.pre; none if it is not supported.
std::optional<PreTokenizer> pre_tokenizer_named(std::string_view gguf_pre);
// Whether text is brought to NFC for this pre-tokenizer, where the file does not say (GGUF).
bool uses_nfc(PreTokenizer pre_tokenizer);
// The name used in GGUF files.
std::string_view pre_tokenizer_name(PreTokenizer pre_tokenizer);

}  // namespace tulou::text
