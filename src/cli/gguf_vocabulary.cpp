#include "cli/gguf_vocabulary.h"

#include "base/number.h"
#include "completion/text_model.h"
#include "text/tokenizer_data.h"

namespace tulou::cli {

namespace {

std::optional<uint32_t> to_id(const std::optional<int32_t>& id) {
  return id && *id >= 0 ? std::optional(static_cast<uint32_t>(*id)) : std::nullopt;
}

bool looks_special(std::string_view token) {
  return token.starts_with("<|") && token.ends_with("|>");
}

}  // namespace

std::optional<quantize::Vocabulary> read_vocabulary(const std::string& folder) {
  if (!text::has_tokenizer(folder)) return std::nullopt;
  const text::TokenizerData data = text::load_tokenizer_folder(folder);
  quantize::Vocabulary vocabulary;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    vocabulary.tokens.emplace_back(data.tokens[id]);
    vocabulary.types.push_back(quantize::kNormalToken);
  }
  for (const text::AddedToken& token : data.added) {
    const auto id = static_cast<size_t>(token.id);
    if (id >= vocabulary.tokens.size()) {
      vocabulary.tokens.resize(id + 1);
      vocabulary.types.resize(id + 1, quantize::kNormalToken);
    }
    vocabulary.tokens[id] = token.content;
    const bool is_control = token.special || looks_special(token.content);
    vocabulary.types[id] = is_control ? quantize::kControlToken : quantize::kUserDefinedToken;
  }
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.tokens[id].empty()) continue;
    vocabulary.tokens[id] = "[PAD" + base::to_text(id) + "]";
    vocabulary.types[id] = quantize::kUnusedToken;
  }
  for (size_t i = 0; i < data.merges.size(); ++i) vocabulary.merges.emplace_back(data.merges[i]);
  vocabulary.pre = text::pre_tokenizer_name(data.pre_tokenizer);
  vocabulary.bos = to_id(data.bos);
  vocabulary.eos = to_id(data.eos);
  vocabulary.pad = to_id(data.pad);
  vocabulary.add_bos = data.add_bos;
  vocabulary.add_eos = data.add_eos;
  if (data.prepended.size() == 1) {
    vocabulary.bos = to_id(data.prepended.front());
    vocabulary.add_bos = true;
  }
  // What a post-processor appends is the end of a text; what was it before ends a turn.
  if (data.appended.size() == 1) {
    if (to_id(data.appended.front()) != vocabulary.eos) vocabulary.eot = vocabulary.eos;
    vocabulary.eos = to_id(data.appended.front());
    vocabulary.add_eos = true;
  }
  vocabulary.chat_template = completion::folder_template(folder).text;
  return vocabulary;
}

}  // namespace tulou::cli
