// The text side of a model: tokenizer, chat template, sampling defaults and stop tokens, from a
// checkpoint folder (also one that holds only tokenizer files) or a GGUF file. No weights are read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/gguf_metadata.h"
#include "completion/generation_defaults.h"
#include "model/model_config.h"
#include "text/template.h"
#include "text/tokenizer.h"

namespace tulou::completion {

// A chat template's text and where it stands.
struct TemplateSource {
  std::string text, name;
};

// The template of a checkpoint folder; an empty text if it has none. Of chat_template.jinja,
// chat_template.json and tokenizer_config.json the first counts. Error json.*, file.*.
TemplateSource folder_template(const std::string& folder);

// Immutable and shareable once it is open.
class TextModel {
 public:
  // Error file.not_found, completion.no_tokenizer (if there is no template either), tokenizer.*,
  // gguf.*, json.*.
  static TextModel open(const std::string& path);

  const std::string& path() const { return path_; }
  // Error completion.no_tokenizer if the folder has only a template.
  const text::Tokenizer& tokenizer() const;

  // The template's text and where it stands; empty if the model has none. Sources in order:
  // chat_template.jinja, chat_template.json, tokenizer_config.json, the GGUF's metadata.
  bool has_chat_template() const { return !template_.text.empty(); }
  const std::string& chat_template_source() const { return template_.text; }
  const std::string& chat_template_name() const { return template_.name; }
  // Error completion.no_template, template.*.
  text::ChatTemplate chat_template() const;

  // The variables that every template sees: bos_token, eos_token, ... as far as they exist.
  const base::Json& template_variables() const { return *variables_; }

  const GenerationConfig& generation_config() const { return generation_config_; }
  // Sampling for this model when the user says nothing.
  engine::SamplingParams sampling(const model::ModelConfig& config, bool thinking) const;

  // Ids that end an answer: what generation_config.json, config.json and the tokenizer name, and
  // the vocabulary's tokens for the end of a turn or a text.
  std::vector<int32_t> stop_tokens(const model::ModelConfig& config) const;

  // The ids of <think> and </think>, if the vocabulary has both as added tokens.
  std::optional<int32_t> think_begin() const { return think_begin_; }
  std::optional<int32_t> think_end() const { return think_end_; }

 private:
  TextModel();
  void open_folder();
  void open_gguf();
  void read_template_variables(const base::Json& config);
  void find_think_tokens();

  std::string path_;
  std::string name_;  // for people: general.name or the folder's name
  std::optional<text::Tokenizer> tokenizer_;
  TemplateSource template_;
  std::shared_ptr<base::Json> variables_;  // an object; not changed once open
  GenerationConfig generation_config_;
  std::vector<int32_t> gguf_stop_tokens_;
  std::optional<int32_t> think_begin_, think_end_;
  bool is_gguf_ = false;
};

// The tokenizer in a GGUF file's metadata. Error completion.no_tokenizer,
// completion.unsupported_tokenizer, gguf.*.
text::TokenizerData gguf_tokenizer_data(const checkpoint::GgufMetadata& metadata);

// The "chat_template" of a tokenizer_config.json: a text, or a list of named ones of which
// "default" counts; empty if there is none.
std::string template_of_tokenizer_config(const base::Json& config, const std::string& source);

}  // namespace tulou::completion
