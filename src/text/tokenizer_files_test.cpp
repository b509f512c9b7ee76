// The readers of tokenizer_json.cpp and tokenizer_files.cpp: what they take, and what they refuse.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_data.h"

namespace tulou::text {
namespace {

const std::string kQwen35 = "tests/tokenizers/small/qwen35.json";

std::string with(std::string text, const std::string& old, const std::string& replacement) {
  const size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return at == std::string::npos ? text : text.replace(at, old.size(), replacement);
}

std::string file() { return base::read_file(kQwen35, 1 << 20); }

// The id and the message of the error that reading the text gives; empty if none.
std::string error_of(const std::string& text) {
  try {
    const Tokenizer tokenizer(parse_tokenizer_json(text, "t.json"));
  } catch (const base::Error& error) {
    return error.id() + ": " + error.what();
  }
  return "";
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tulou-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(TokenizerJson, SaysWhatItDoesNotSupport) {
  const auto expect = [](const std::string& old, const std::string& replacement,
                         const std::string& named) {
    const std::string error = error_of(with(file(), old, replacement));
    EXPECT_EQ(error.substr(0, 22), "tokenizer.unsupported:") << replacement;
    EXPECT_NE(error.find(named), std::string::npos) << error;
  };
  expect(R"("type": "NFC")", R"("type": "NFKC")", "NFKC");
  expect(R"("type": "BPE")", R"("type": "WordPiece")", "WordPiece");
  expect(R"("dropout": null)", R"("dropout": 0.1)", "dropout");
  expect(R"("byte_fallback": false)", R"("byte_fallback": true)", "byte_fallback");
  expect(R"("ignore_merges": false)", R"("ignore_merges": true)", "ignore_merges");
  expect(R"("continuing_subword_prefix": null)", R"("continuing_subword_prefix": "##")", "##");
  expect(R"("dropout": null)", R"("novelty": 1)", "novelty");
  expect(R"("behavior": "Isolated")", R"("behavior": "Removed")", "Removed");
  expect(R"("invert": false)", R"("invert": true)", "invert");
  expect(R"(\\p{N}|)", R"(\\p{N}{1,3}|)", "{1,3}");
  expect(R"("add_prefix_space": false)", R"("add_prefix_space": true)", "add_prefix_space");
  expect(R"("post_processor": null)", R"("post_processor": {"type": "BertProcessing"})", "Bert");
  expect(R"("decoder": {"type": "ByteLevel")", R"("decoder": {"type": "Metaspace")", "Metaspace");
  expect(R"("truncation": null)", R"("surprise": null)", "surprise");
  expect(R"("single_word": false)", R"("single_word": true)", "single_word");
}

TEST(TokenizerJson, RefusesWhatIsNotATokenizer) {
  for (const char* text : {"", "{", "[]", "null", "17", "{}", "{\"model\":{}}", "{} {}"})
    EXPECT_NE(error_of(text), "") << text;
  const std::string whole = file();
  EXPECT_EQ(error_of(whole), "");
  // Cut anywhere it is invalid; every 97th place keeps the test short.
  for (size_t size = 0; size + 2 < whole.size(); size += 97)
    EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
  EXPECT_NE(error_of(whole + "x"), "");
  EXPECT_NE(error_of(with(whole, "\"version\"", "\"model\"")), "");
  EXPECT_NE(error_of(with(whole, "\"merges\"", "\"vocab\"")), "");
  EXPECT_NE(error_of(with(whole, "\"!\": ", "\"!\": -")), "");
  EXPECT_NE(error_of(with(whole, "\"!\": ", "\"!\": 99999999")), "");
  EXPECT_NE(error_of(with(whole, "\"merges\": [", "\"merges\": [[\"a\"], ")), "");
  EXPECT_NE(error_of(with(whole, "\"merges\": [", "\"merges\": [[\"a b\", \"c\"], ")), "");
  EXPECT_NE(error_of(with(whole, "\"merges\": [", "\"merges\": [7, ")), "");
}

TEST(TokenizerJson, MergesMayBeTextsOrPairs) {
  const std::string added = with(with(file(), "\"!\": ", "\"!!\": 500, \"!\": "), "\"merges\": [",
                                 "\"merges\": [\"! !\", ");
  const Tokenizer tokenizer(parse_tokenizer_json(added, "t.json"));
  EXPECT_EQ(tokenizer.encode("!!", Tokenizer::Special::kText), (std::vector<int32_t>{500}));
}

TEST(TokenizerJson, PostProcessorsThatAddTokens) {
  const std::string processor = R"("post_processor": {"type": "Sequence", "processors": [
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}},
       {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "y", "type_id": 0}}],
       "pair": [], "special_tokens": {"x": {"id": "x", "ids": [420], "tokens": ["x"]},
                                      "y": {"id": "y", "ids": [421, 422], "tokens": ["y"]}}}]})";
  const std::string text = with(file(), "\"post_processor\": null", processor);
  const TokenizerData data = parse_tokenizer_json(text, "t.json");
  EXPECT_EQ(data.prepended, (std::vector<int32_t>{420}));
  EXPECT_EQ(data.appended, (std::vector<int32_t>{421, 422}));
  EXPECT_NE(error_of(with(text, "[420]", "[-1]")), "");
  EXPECT_NE(error_of(with(text, "[420]", "[4000]")), "");
  EXPECT_NE(error_of(with(text, R"({"Sequence": {"id": "A", "type_id": 0}}, )", "")), "");
}

TEST(TokenizerConfig, NamesTokensAndAddsMissingOnes) {
  TokenizerData data = parse_tokenizer_json(file(), "t.json");
  apply_tokenizer_config(data, R"({"eos_token": "<|im_end|>", "bos_token": null,
      "pad_token": {"content": "<|endoftext|>", "special": true}, "add_bos_token": true,
      "added_tokens_decoder": {"420": {"content": "<|endoftext|>", "special": false},
                               "600": {"content": "<|new|>", "special": true}}})",
                         "c.json");
  const Tokenizer tokenizer(std::move(data));
  EXPECT_EQ(tokenizer.eos(), tokenizer.find("<|im_end|>"));
  EXPECT_EQ(tokenizer.pad(), tokenizer.find("<|endoftext|>"));
  EXPECT_EQ(tokenizer.bos(), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(420)) << "tokenizer.json decides";
  EXPECT_EQ(tokenizer.encode("<|new|>", Tokenizer::Special::kParse), (std::vector<int32_t>{600}));

  for (const char* config : {R"({"eos_token": "<|nobody|>"})", R"({"eos_token": 7})", "[]",
                             R"({"added_tokens_decoder": {"x": {"content": "y"}}})",
                             R"({"added_tokens_decoder": {"420": {"content": "y"}}})",
                             R"({"added_tokens_decoder": {"99999999": {"content": "y"}}})"}) {
    TokenizerData again = parse_tokenizer_json(file(), "t.json");
    EXPECT_THROW(apply_tokenizer_config(again, config, "c.json"), base::Error) << config;
  }
}

TEST(TokenizerFolder, ReadsBothForms) {
  const Folder folder;
  EXPECT_THROW(load_tokenizer_folder(folder.path()), base::Error);
  folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "c": 3})");
  EXPECT_FALSE(has_tokenizer(folder.path()));
  folder.write("merges.txt", "#version: 0.2\r\na b\n\n");
  const Tokenizer old(load_tokenizer_folder(folder.path()));
  EXPECT_EQ(old.encode("abcab", Tokenizer::Special::kText), (std::vector<int32_t>{2, 3, 2}));
  EXPECT_EQ(old.pre_tokenizer(), PreTokenizer::kQwen2);
  EXPECT_TRUE(old.nfc());

  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  EXPECT_EQ(load_tokenizer_folder(folder.path()).pre_tokenizer, PreTokenizer::kGpt2);
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_THROW(load_tokenizer_folder(folder.path()), base::Error);

  folder.write("tokenizer.json", file());
  EXPECT_EQ(load_tokenizer_folder(folder.path()).pre_tokenizer, PreTokenizer::kQwen35);
}

TEST(TokenizerFolder, RefusesBrokenVocabularies) {
  for (const char* vocabulary :
       {"[]", R"({"a": -1})", R"({"a": 1, "b": 1})", R"({"a": "x"})", R"({"a": 4194304})", "{"})
    EXPECT_THROW(Tokenizer(parse_vocab_and_merges(vocabulary, "", "", "v")), base::Error)
        << vocabulary;
  EXPECT_THROW(Tokenizer(parse_vocab_and_merges(R"({"a": 1})", "a a\n", "", "v")), base::Error);
}

TEST(Gguf, TokenTypes) {
  TokenizerData data;
  for (const char* token : {"a", "<|s|>", "<u>", "[PAD]"}) data.tokens.push_back(token);
  mark_gguf_token_types(data, std::vector<int32_t>{1, 3, 4, 5});
  ASSERT_EQ(data.added.size(), 2u);
  EXPECT_TRUE(data.added[0].special && data.added[0].content == "<|s|>");
  EXPECT_TRUE(!data.added[1].special && data.added[1].content == "<u>");
  EXPECT_EQ(data.tokens[3], "");
  EXPECT_THROW(mark_gguf_token_types(data, std::vector<int32_t>{1}), base::Error);
  EXPECT_THROW(mark_gguf_token_types(data, std::vector<int32_t>{6, 1, 1, 1}), base::Error);
}

TEST(Gguf, NamesOfPreTokenizers) {
  for (const PreTokenizer kind :
       {PreTokenizer::kGpt2, PreTokenizer::kSmolLM, PreTokenizer::kQwen2, PreTokenizer::kQwen35})
    EXPECT_EQ(pre_tokenizer_named(pre_tokenizer_name(kind)), kind);
  EXPECT_EQ(pre_tokenizer_named("llama-bpe"), std::nullopt);
  EXPECT_TRUE(uses_nfc(PreTokenizer::kQwen2) && !uses_nfc(PreTokenizer::kSmolLM));
}

}  // namespace
}  // namespace tulou::text
