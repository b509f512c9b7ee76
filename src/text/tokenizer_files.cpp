// The other sources of a tokenizer: vocab.json with merges.txt, tokenizer_config.json, a folder,
// the names that GGUF files use.
#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/number.h"
#include "text/tokenizer_data.h"

namespace tulou::text {
namespace {

using base::Error;
using base::Json;
using base::JsonObject;

// Qwen 3 and Qwen 3.5 name the same tokenizer_class; only the size of the vocabulary tells them
// apart where no tokenizer.json says which expression cuts the text.
constexpr size_t kSmallestQwen35Vocabulary = 200'000;

void choose_by_class(TokenizerData& data, const std::string& name) {
  if (name == "GPT2Tokenizer" || name == "GPT2TokenizerFast") {
    data.pre_tokenizer = PreTokenizer::kGpt2;
    return;
  }
  if (!name.empty() && !name.starts_with("Qwen2Tokenizer") && !name.starts_with("Qwen3"))
    throw Error("tokenizer.unsupported", data.name,
                "the tokenizer_class \"" + base::printable(name) + "\" without a tokenizer.json");
  data.pre_tokenizer = data.tokens.size() >= kSmallestQwen35Vocabulary ? PreTokenizer::kQwen35
                                                                       : PreTokenizer::kQwen2;
  data.nfc = true;
}

void read_vocabulary(TokenizerData& data, std::string_view text) {
  const Json vocabulary = base::parse_json(text, data.name);
  if (!vocabulary.is_object())
    throw Error("json.wrong_type", data.name, "(vocabulary)", "an object");
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_integer() || id < 0 || id >= kMaxTokens)
      throw Error(
          "tokenizer.corrupt", data.name,
          "the token \"" + base::printable(token) + "\" has the id " + base::to_json_text(id));
    const auto index = id.get<size_t>();
    if (index < data.tokens.size() && !data.tokens[index].empty())
      throw Error("tokenizer.corrupt", data.name, "two tokens have the id " + base::to_text(index));
    data.tokens.set(index, token);
  }
}

void read_merges(TokenizerData& data, std::string_view text) {
  bool is_first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_version = is_first && line.starts_with("#version");
    is_first = false;
    if (line.empty() || is_version) continue;
    data.merges.push_back(line);
    if (data.merges.size() > kMaxTokens)
      throw Error("tokenizer.corrupt", data.name,
                  "more than " + base::to_text(kMaxTokens) + " merges");
  }
}

// "text" or {"content": "text", ...}; none if absent or null.
std::optional<std::string> token_content(const JsonObject& config, std::string_view key) {
  if (!config.has(key)) return std::nullopt;
  const Json& value = config.get(key);
  if (value.is_string()) return value.get<std::string>();
  return config.object(key).string("content");
}

std::optional<int32_t> find_token(const TokenizerData& data, std::string_view content) {
  for (const AddedToken& token : data.added)
    if (token.content == content) return token.id;
  for (size_t id = 0; id < data.tokens.size(); ++id)
    if (data.tokens[id] == content) return static_cast<int32_t>(id);
  return std::nullopt;
}

void add_missing_tokens(TokenizerData& data, const JsonObject& config) {
  if (!config.has("added_tokens_decoder")) return;
  std::unordered_map<int32_t, std::string> known;
  for (const AddedToken& token : data.added) known[token.id] = token.content;
  const JsonObject decoder = config.object("added_tokens_decoder");
  for (const auto& [key, value] : decoder.value().items()) {
    const auto id = base::parse_int(key);
    if (!id || *id < 0 || *id >= static_cast<int64_t>(kMaxTokens))
      throw Error("tokenizer.corrupt", config.source(),
                  "\"" + base::printable(key) + "\" is not a token id");
    const JsonObject object(value, decoder.source());
    AddedToken token;
    token.id = static_cast<int32_t>(*id);
    token.content = object.string("content");
    const auto found = known.find(token.id);
    if (found != known.end()) {
      if (found->second != token.content)
        throw Error("tokenizer.corrupt", config.source(),
                    "token " + key + " is \"" + base::printable(token.content) + "\", but \"" +
                        base::printable(found->second) + "\" in the tokenizer");
      continue;
    }
    token.special = object.boolean("special", false);
    token.lstrip = object.boolean("lstrip", false);
    token.rstrip = object.boolean("rstrip", false);
    token.single_word = object.boolean("single_word", false);
    token.normalized = object.boolean("normalized", !token.special);
    if (!token.content.empty()) data.added.push_back(std::move(token));
  }
}

std::string read_if_there(const std::string& path) {
  return base::exists(path) ? base::read_file(path, kMaxTokenizerFileBytes) : std::string();
}

}  // namespace

TokenizerData parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     std::string_view tokenizer_config, const std::string& source) {
  TokenizerData data;
  data.name = source;
  read_vocabulary(data, vocab_json);
  read_merges(data, merges_txt);
  std::string name;
  if (!tokenizer_config.empty())
    name = JsonObject(base::parse_json(tokenizer_config, source), source)
               .string("tokenizer_class", "");
  choose_by_class(data, name);
  if (!tokenizer_config.empty()) apply_tokenizer_config(data, tokenizer_config, source);
  return data;
}

void apply_tokenizer_config(TokenizerData& data, std::string_view tokenizer_config,
                            const std::string& source) {
  const Json value = base::parse_json(tokenizer_config, source);
  const JsonObject config(value, source);
  add_missing_tokens(data, config);
  const auto set = [&](std::optional<int32_t>& id, std::string_view key) {
    const auto content = token_content(config, key);
    if (!content || content->empty()) return;
    id = find_token(data, *content);
    if (!id)
      throw Error("tokenizer.corrupt", source,
                  std::string(key) + " \"" + base::printable(*content) + "\" is not a token");
  };
  set(data.bos, "bos_token");
  set(data.eos, "eos_token");
  set(data.pad, "pad_token");
  data.add_bos = config.boolean("add_bos_token", data.add_bos);
  data.add_eos = config.boolean("add_eos_token", data.add_eos);
}

void mark_gguf_token_types(TokenizerData& data, std::span<const int32_t> types) {
  enum : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };
  if (types.size() != data.tokens.size())
    throw Error("tokenizer.corrupt", data.name,
                base::to_text(types.size()) + " token types for " +
                    base::to_text(data.tokens.size()) + " tokens");
  for (size_t id = 0; id < types.size(); ++id) {
    if (types[id] == kNormal || data.tokens[id].empty()) continue;
    if (types[id] == kUnused) {
      data.tokens.set(id, "");
    } else if (types[id] == kControl || types[id] == kUserDefined) {
      AddedToken token;
      token.content = data.tokens[id];
      token.id = static_cast<int32_t>(id);
      token.special = types[id] == kControl;
      data.added.push_back(std::move(token));
    } else {
      throw Error("tokenizer.unsupported", data.name,
                  "token " + base::to_text(id) + " of type " + base::to_text(types[id]));
    }
  }
}

bool has_tokenizer(const std::string& folder) {
  return base::exists(folder + "/tokenizer.json") ||
         (base::exists(folder + "/vocab.json") && base::exists(folder + "/merges.txt"));
}

TokenizerData load_tokenizer_folder(const std::string& folder) {
  if (!has_tokenizer(folder)) throw Error("tokenizer.missing", folder);
  const std::string config_path = folder + "/tokenizer_config.json";
  const std::string config = read_if_there(config_path);
  const std::string json_path = folder + "/tokenizer.json";
  if (!base::exists(json_path))
    return parse_vocab_and_merges(base::read_file(folder + "/vocab.json", kMaxTokenizerFileBytes),
                                  base::read_file(folder + "/merges.txt", kMaxTokenizerFileBytes),
                                  config, folder);
  TokenizerData data =
      parse_tokenizer_json(base::read_file(json_path, kMaxTokenizerFileBytes), json_path);
  if (!config.empty()) apply_tokenizer_config(data, config, config_path);
  return data;
}

std::optional<PreTokenizer> pre_tokenizer_named(std::string_view gguf_pre) {
  if (gguf_pre == "qwen2") return PreTokenizer::kQwen2;
  if (gguf_pre == "qwen35") return PreTokenizer::kQwen35;
  if (gguf_pre == "smollm") return PreTokenizer::kSmolLM;
  if (gguf_pre == "gpt-2" || gguf_pre == "gpt2") return PreTokenizer::kGpt2;
  return std::nullopt;
}

bool uses_nfc(PreTokenizer pre_tokenizer) {
  return pre_tokenizer == PreTokenizer::kQwen2 || pre_tokenizer == PreTokenizer::kQwen35;
}

std::string_view pre_tokenizer_name(PreTokenizer pre_tokenizer) {
  switch (pre_tokenizer) {
    case PreTokenizer::kGpt2:
      return "gpt-2";
    case PreTokenizer::kSmolLM:
      return "smollm";
    case PreTokenizer::kQwen2:
      return "qwen2";
    case PreTokenizer::kQwen35:
      return "qwen35";
  }
  return "";
}

}  // namespace tulou::text
