#include "completion/text_model.h"

#include <gtest/gtest.h>

#include <functional>
#include <list>

#include "base/error.h"
#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

std::string error_id(const std::function<void()>& f) {
  try {
    f();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "no error";
}

TEST(TextModel, FolderOfTokenizerFiles) {
  TinyFolder folder;
  const TextModel model = TextModel::open(folder.path());
  EXPECT_FALSE(model.has_chat_template());
  EXPECT_EQ(model.think_begin(), kTinyThink);
  EXPECT_EQ(model.think_end(), kTinyEndThink);
  EXPECT_EQ(model.stop_tokens({}), (std::vector<int32_t>{kTinyEnd, kTinyEndOfText}));
  EXPECT_EQ(error_id([&] { model.chat_template(); }), "completion.no_template");
  EXPECT_EQ(error_id([&] { TextModel::open(folder.path() + "/nothing"); }), "file.not_found");
  folder.remove("tokenizer.json");
  EXPECT_EQ(error_id([&] { TextModel::open(folder.path()); }), "completion.no_tokenizer");
}

TEST(TextModel, TemplateWithoutTokenizer) {
  TinyFolder folder;
  folder.remove("tokenizer.json");
  folder.write("chat_template.jinja", "{{ bos_token }}x");
  folder.write("tokenizer_config.json", R"({"bos_token":{"content":"<s>"},"eos_token":null})");
  const TextModel model = TextModel::open(folder.path());
  EXPECT_EQ(model.chat_template().render_text(model.template_variables()), "<s>x");
  EXPECT_EQ(error_id([&] { model.tokenizer(); }), "completion.no_tokenizer");
}

TEST(TextModel, WhereTheTemplateComesFrom) {
  TinyFolder folder;
  folder.write("tokenizer_config.json",
               R"({"chat_template":[{"name":"tool_use","template":"tools"},)"
               R"({"name":"default","template":"from config"}]})");
  EXPECT_EQ(TextModel::open(folder.path()).chat_template_source(), "from config");
  folder.write("chat_template.json", R"({"chat_template":"from json"})");
  EXPECT_EQ(TextModel::open(folder.path()).chat_template_source(), "from json");
  folder.write("chat_template.jinja", "from jinja");
  EXPECT_EQ(TextModel::open(folder.path()).chat_template_source(), "from jinja");
  const auto of_config = [](const char* json) {
    return template_of_tokenizer_config(base::parse_json(json, "config"), "config");
  };
  EXPECT_EQ(of_config("{}"), "");
  EXPECT_EQ(of_config(R"({"chat_template":"text"})"), "text");
  EXPECT_EQ(of_config(R"({"chat_template":[]})"), "");
  EXPECT_EQ(error_id([&] { of_config(R"({"chat_template":7})"); }), "json.wrong_type");
}

TEST(TextModel, StopTokensOfAllSources) {
  TinyFolder folder;
  folder.write("generation_config.json", R"({"eos_token_id":[65,66]})");
  folder.write("tokenizer_config.json", R"({"eos_token":"<|im_end|>"})");
  model::ModelConfig config;
  config.eos_token_ids = {66, 67};
  EXPECT_EQ(TextModel::open(folder.path()).stop_tokens(config),
            (std::vector<int32_t>{65, 66, 67, kTinyEnd, kTinyEndOfText}));
}

// Keys and values of a GGUF file, and the bytes they point to.
class Metadata {
 public:
  void add_text(std::string_view key, std::string_view text) {
    checkpoint::GgufValue value;
    value.key = key;
    value.type = value.element_type = checkpoint::GgufType::kString;
    value.strings = {text};
    values_.push_back(value);
  }
  void add_texts(std::string_view key, std::vector<std::string_view> texts) {
    checkpoint::GgufValue value;
    value.key = key;
    value.type = checkpoint::GgufType::kArray;
    value.element_type = checkpoint::GgufType::kString;
    value.count = texts.size();
    value.strings = std::move(texts);
    values_.push_back(value);
  }
  void add_numbers(std::string_view key, std::vector<uint32_t> numbers, bool is_array) {
    checkpoint::GgufValue value;
    value.key = key;
    value.type = is_array ? checkpoint::GgufType::kArray : checkpoint::GgufType::kUint32;
    value.element_type = checkpoint::GgufType::kUint32;
    value.count = numbers.size();
    bytes_.push_back(std::move(numbers));
    value.data = std::as_bytes(std::span(bytes_.back()));
    values_.push_back(value);
  }
  checkpoint::GgufMetadata make() const { return {values_, "test.gguf"}; }

 private:
  std::vector<checkpoint::GgufValue> values_;
  std::list<std::vector<uint32_t>> bytes_;
};

// The 256 bytes, "ab" by one merge, a control token, and a user-defined one.
Metadata gguf_tokenizer(std::string_view kind, std::string_view pre) {
  Metadata metadata;
  std::vector<std::string_view> tokens;
  std::vector<uint32_t> types(256, 1);
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back(text::byte_level_character(static_cast<uint8_t>(byte)));
  tokens.insert(tokens.end(), {"ab", "<|im_end|>", "<think>"});
  types.insert(types.end(), {1, 3, 4});
  metadata.add_text("tokenizer.ggml.model", kind);
  metadata.add_text("tokenizer.ggml.pre", pre);
  metadata.add_texts("tokenizer.ggml.tokens", tokens);
  metadata.add_texts("tokenizer.ggml.merges", {"a b"});
  metadata.add_numbers("tokenizer.ggml.token_type", types, true);
  metadata.add_numbers("tokenizer.ggml.eos_token_id", {257}, false);
  metadata.add_numbers("tokenizer.ggml.bos_token_id", {UINT32_MAX}, false);
  return metadata;
}

TEST(TextModel, GgufTokenizer) {
  const text::Tokenizer tokenizer(gguf_tokenizer_data(gguf_tokenizer("gpt2", "qwen35").make()));
  using enum text::Tokenizer::Special;
  EXPECT_EQ(tokenizer.encode("ab", kText), (std::vector<int32_t>{256}));
  EXPECT_EQ(tokenizer.encode("<|im_end|>", kParse), (std::vector<int32_t>{257}));
  EXPECT_EQ(tokenizer.encode("<|im_end|>", kText).size(), 10u);
  EXPECT_EQ(tokenizer.encode("<think>", kText), (std::vector<int32_t>{258}));
  EXPECT_TRUE(tokenizer.is_special(257));
  EXPECT_FALSE(tokenizer.is_special(258));
  EXPECT_EQ(tokenizer.eos(), 257);
  EXPECT_FALSE(tokenizer.bos().has_value());
  EXPECT_TRUE(tokenizer.nfc());
}

TEST(TextModel, GgufTokenizersThatAreRefused) {
  const auto id_of = [](const Metadata& metadata) {
    return error_id([&] { gguf_tokenizer_data(metadata.make()); });
  };
  EXPECT_EQ(id_of({}), "completion.no_tokenizer");
  EXPECT_EQ(id_of(gguf_tokenizer("llama", "qwen2")), "completion.unsupported_tokenizer");
  EXPECT_EQ(id_of(gguf_tokenizer("gpt2", "unheard-of")), "completion.unsupported_tokenizer");
  Metadata out_of_range = gguf_tokenizer("gpt2", "qwen2");
  out_of_range.add_numbers("tokenizer.ggml.padding_token_id", {5000}, false);
  EXPECT_EQ(id_of(out_of_range), "gguf.out_of_range");
}

}  // namespace
}  // namespace tulou::completion
