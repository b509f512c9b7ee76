// Finds the text side of a model in a folder or in GGUF metadata; see text_model.h.
#include "completion/text_model.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "checkpoint/gguf.h"

namespace tulou::completion {

namespace {

constexpr uint64_t kMaxTemplateBytes = 16u << 20;
constexpr uint64_t kMaxConfigBytes = 64u << 20;
constexpr const char* kTokenizerConfig = "/tokenizer_config.json";
constexpr std::string_view kTokenizerFiles = "tokenizer.json, or vocab.json with merges.txt";
// What templates may read of a tokenizer_config.json.
constexpr std::array<const char*, 7> kTokenVariables = {
    "bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"};

// Tokens that end a turn or a text wherever a vocabulary has them as special tokens.
constexpr std::array<std::string_view, 2> kEndTokens = {"<|im_end|>", "<|endoftext|>"};
// What llama.cpp also takes as the end of generation in GGUF files.
constexpr std::array<std::string_view, 14> kGgufEndTokens = {
    "<|eot_id|>",         "<|eom_id|>", "<|end|>",     "<end_of_turn>",
    "<|end_of_text|>",    "<EOT>",      "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>",       "<fim_pad>",  "<|fim-pad|>", "<|eos|>",
    "<end_of_utterance>", "<eos>"};

std::string file_name(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  return trimmed.substr(trimmed.rfind('/') + 1);
}

void add_unique(std::vector<int32_t>& ids, int32_t id) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

std::optional<int32_t> optional_id(const checkpoint::GgufMetadata& metadata, std::string_view key,
                                   size_t num_tokens) {
  if (!metadata.has(key) || num_tokens == 0) return std::nullopt;
  // Some writers store -1 (or its unsigned form) for "none".
  const int64_t id = metadata.integer(key, -1, int64_t{UINT32_MAX});
  if (id < 0 || id == int64_t{UINT32_MAX}) return std::nullopt;
  const int64_t last = static_cast<int64_t>(num_tokens) - 1;
  return static_cast<int32_t>(metadata.integer(key, 0, last));
}

}  // namespace

text::TokenizerData gguf_tokenizer_data(const checkpoint::GgufMetadata& metadata) {
  if (!metadata.has("tokenizer.ggml.tokens"))
    throw base::Error("completion.no_tokenizer", metadata.source(), "tokenizer.ggml.tokens");
  const std::string kind = metadata.string("tokenizer.ggml.model", "");
  const std::string pre = metadata.string("tokenizer.ggml.pre", "");
  const std::optional<text::PreTokenizer> pre_tokenizer = text::pre_tokenizer_named(pre);
  if (kind != "gpt2" || !pre_tokenizer)
    throw base::Error("completion.unsupported_tokenizer", metadata.source(), base::printable(kind),
                      base::printable(pre));
  text::TokenizerData data;
  data.name = metadata.source();
  for (const std::string_view token : metadata.strings("tokenizer.ggml.tokens"))
    data.tokens.push_back(token);
  for (const std::string_view merge : metadata.strings("tokenizer.ggml.merges"))
    data.merges.push_back(merge);
  if (metadata.has("tokenizer.ggml.token_type")) {
    std::vector<int32_t> types;
    for (const int64_t type : metadata.integers("tokenizer.ggml.token_type", 0, 255))
      types.push_back(static_cast<int32_t>(type));
    text::mark_gguf_token_types(data, types);
  }
  data.pre_tokenizer = *pre_tokenizer;
  data.nfc = text::uses_nfc(*pre_tokenizer);
  const size_t num_tokens = data.tokens.size();
  data.bos = optional_id(metadata, "tokenizer.ggml.bos_token_id", num_tokens);
  data.eos = optional_id(metadata, "tokenizer.ggml.eos_token_id", num_tokens);
  data.pad = optional_id(metadata, "tokenizer.ggml.padding_token_id", num_tokens);
  data.add_bos = metadata.boolean("tokenizer.ggml.add_bos_token", false);
  data.add_eos = metadata.boolean("tokenizer.ggml.add_eos_token", false);
  return data;
}

std::string template_of_tokenizer_config(const base::Json& config, const std::string& source) {
  const base::JsonObject object(config, source);
  if (!object.has("chat_template")) return "";
  const base::Json& value = object.get("chat_template");
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array())
    throw base::Error("json.wrong_type", source, "chat_template", "a text or a list of templates");
  for (const base::Json& item : value) {
    const base::JsonObject named(item, source);
    if (named.string("name", "") == "default") return named.string("template");
  }
  return "";
}

TextModel::TextModel() : variables_(std::make_shared<base::Json>(base::Json::object())) {}

TextModel TextModel::open(const std::string& path) {
  if (!base::exists(path)) throw base::Error("file.not_found", path);
  TextModel model;
  model.path_ = path;
  if (base::is_folder(path)) {
    model.open_folder();
  } else {
    model.open_gguf();
  }
  model.find_think_tokens();
  return model;
}

const text::Tokenizer& TextModel::tokenizer() const {
  if (!tokenizer_) throw base::Error("completion.no_tokenizer", path_, kTokenizerFiles);
  return *tokenizer_;
}

namespace {

// tokenizer_config.json, an empty object if there is none.
base::Json tokenizer_config(const std::string& folder) {
  const std::string path = folder + kTokenizerConfig;
  return base::exists(path) ? base::read_json_file(path, kMaxConfigBytes) : base::Json::object();
}

TemplateSource find_template(const std::string& folder, const base::Json& config) {
  const std::string jinja = folder + "/chat_template.jinja";
  const std::string json = folder + "/chat_template.json";
  if (base::exists(jinja)) return {base::read_file(jinja, kMaxTemplateBytes), jinja};
  if (base::exists(json))
    return {template_of_tokenizer_config(base::read_json_file(json, kMaxTemplateBytes), json),
            json};
  const std::string path = folder + kTokenizerConfig;
  return {template_of_tokenizer_config(config, path), path};
}

}  // namespace

TemplateSource folder_template(const std::string& folder) {
  return find_template(folder, tokenizer_config(folder));
}

void TextModel::open_folder() {
  name_ = file_name(path_);
  if (text::has_tokenizer(path_)) tokenizer_.emplace(text::load_tokenizer_folder(path_));
  const base::Json config = tokenizer_config(path_);
  read_template_variables(config);
  template_ = find_template(path_, config);
  if (!tokenizer_ && !has_chat_template())
    throw base::Error("completion.no_tokenizer", path_, kTokenizerFiles);
  const std::string generation = path_ + "/generation_config.json";
  if (base::exists(generation))
    generation_config_ =
        parse_generation_config(base::read_json_file(generation, kMaxConfigBytes), generation);
}

// Special tokens are written as a text, or as an object with "content".
void TextModel::read_template_variables(const base::Json& config) {
  for (const char* name : kTokenVariables) {
    const auto found = config.find(name);
    if (found == config.end()) continue;
    const bool has_content = found->is_object() && found->contains("content");
    const base::Json& value = has_content ? (*found)["content"] : *found;
    if (value.is_string()) (*variables_)[name] = value;
  }
}

void TextModel::open_gguf() {
  const auto file = base::MappedFile::open(path_);
  const checkpoint::GgufFile gguf = checkpoint::parse_gguf(file->data(), path_);
  is_gguf_ = true;
  name_ = gguf.metadata.string("general.name", file_name(path_));
  tokenizer_.emplace(gguf_tokenizer_data(gguf.metadata));
  template_ = {gguf.metadata.string("tokenizer.chat_template", ""),
               path_ + ": tokenizer.chat_template"};
  const auto add_variable = [&](const char* name, std::optional<int32_t> id) {
    if (id) (*variables_)[name] = std::string(tokenizer_->token_bytes(*id));
  };
  add_variable("bos_token", tokenizer_->bos());
  add_variable("eos_token", tokenizer_->eos());
  add_variable("pad_token", tokenizer_->pad());
  const size_t num_tokens = static_cast<size_t>(tokenizer_->num_tokens());
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    if (const auto id = optional_id(gguf.metadata, key, num_tokens))
      add_unique(gguf_stop_tokens_, *id);
  }
  file->check_unchanged();
}

void TextModel::find_think_tokens() {
  if (!tokenizer_) return;
  for (const text::AddedToken& token : tokenizer_->added_tokens()) {
    if (token.content == "<think>") think_begin_ = token.id;
    if (token.content == "</think>") think_end_ = token.id;
  }
  if (!think_begin_ || !think_end_) think_begin_ = think_end_ = std::nullopt;
}

text::ChatTemplate TextModel::chat_template() const {
  if (!has_chat_template()) throw base::Error("completion.no_template", path_);
  return text::ChatTemplate::parse(template_.text, template_.name);
}

engine::SamplingParams TextModel::sampling(const model::ModelConfig& config, bool thinking) const {
  const ModelCard card = {config.model_type, config.hidden_size, name_};
  return default_sampling(generation_config_, card, thinking);
}

std::vector<int32_t> TextModel::stop_tokens(const model::ModelConfig& config) const {
  std::vector<int32_t> ids;
  for (const int32_t id : generation_config_.eos_token_ids) add_unique(ids, id);
  for (const int32_t id : config.eos_token_ids) add_unique(ids, id);
  for (const int32_t id : gguf_stop_tokens_) add_unique(ids, id);
  if (const auto id = tokenizer().eos()) add_unique(ids, *id);
  for (const text::AddedToken& token : tokenizer().added_tokens()) {
    const auto is_token = [&](std::string_view name) { return token.content == name; };
    if (std::any_of(kEndTokens.begin(), kEndTokens.end(), is_token) ||
        (is_gguf_ && std::any_of(kGgufEndTokens.begin(), kGgufEndTokens.end(), is_token)))
      add_unique(ids, token.id);
  }
  return ids;
}

}  // namespace tulou::completion
