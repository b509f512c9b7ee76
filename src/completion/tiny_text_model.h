// A folder with a small tokenizer for tests: the 256 bytes and a few added tokens, no merges.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/json_value.h"
#include "completion/text_model.h"
#include "text/byte_level.h"

namespace tulou::completion {

inline constexpr int32_t kTinyEnd = 256;        // <|im_end|>, special
inline constexpr int32_t kTinyStart = 257;      // <|im_start|>, special
inline constexpr int32_t kTinyThink = 258;      // <think>
inline constexpr int32_t kTinyEndThink = 259;   // </think>
inline constexpr int32_t kTinyEndOfText = 260;  // <|endoftext|>, special

inline std::string tiny_tokenizer_json() {
  base::Json vocabulary = base::Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[std::string(text::byte_level_character(static_cast<uint8_t>(byte)))] = byte;
  base::Json tokenizer = base::parse_json(R"({
    "version": "1.0",
    "added_tokens": [
      {"id": 256, "content": "<|im_end|>", "special": true},
      {"id": 257, "content": "<|im_start|>", "special": true},
      {"id": 258, "content": "<think>", "special": false},
      {"id": 259, "content": "</think>", "special": false},
      {"id": 260, "content": "<|endoftext|>", "special": true}
    ],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "ByteLevel", "trim_offsets": true},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "byte_fallback": false, "merges": []}
  })",
                                          "tiny_tokenizer_json");
  tokenizer["model"]["vocab"] = std::move(vocabulary);
  return base::to_json_text(tokenizer);
}

// A template in the way of ChatML that opens the thinking part if enable_thinking is true.
inline constexpr const char* kTinyTemplate =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>\n"
    "{% elif enable_thinking is defined %}<think>\n\n</think>\n\n{% endif %}{% endif %}";

// A folder that lives as long as this object.
class TinyFolder {
 public:
  TinyFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tulou_test_XXXXXX").string();
    path_ = mkdtemp(name.data());
    write("tokenizer.json", tiny_tokenizer_json());
  }
  ~TinyFolder() { std::filesystem::remove_all(path_); }
  TinyFolder(const TinyFolder&) = delete;
  TinyFolder& operator=(const TinyFolder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove(path_ + "/" + name); }
  // Copies the files of another folder into this one.
  void copy_from(const std::string& folder) const {
    using enum std::filesystem::copy_options;
    std::filesystem::copy(folder, path_, recursive | overwrite_existing);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tulou::completion
