#include "cli/served_models.h"

#include <ctime>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "cli/model_digest.h"
#include "cli/session.h"
#include "model/load_weights.h"

namespace tulou::cli {
namespace {

std::unique_ptr<grammar::GrammarCompiler> make_grammars(
    const completion::TextModel& text, const model::ModelConfig& config,
    const std::shared_ptr<grammar::Helper>& helper) {
  const text::Tokenizer& tokenizer = text.tokenizer();
  grammar::VocabularyData data;
  data.vocab_size = static_cast<int32_t>(config.vocab_size);
  data.stop_tokens = text.stop_tokens(config);
  const int64_t size = std::min<int64_t>(tokenizer.num_tokens(), config.vocab_size);
  for (int32_t id = 0; id < size; ++id) {
    const bool shown = !tokenizer.is_special(id);
    data.tokens.emplace_back(shown ? tokenizer.token_bytes(id) : std::string_view());
  }
  // Of the added tokens only those of tool calls are text of an answer: not <think>, for one.
  for (const text::AddedToken& token : tokenizer.added_tokens()) {
    const bool call = token.content == "<tool_call>" || token.content == "</tool_call>";
    if (token.id >= 0 && token.id < size && !call)
      data.tokens[static_cast<size_t>(token.id)].clear();
  }
  return std::make_unique<grammar::GrammarCompiler>(data, helper);
}

}  // namespace

std::string suggested_name(const std::string& path) {
  std::filesystem::path file = std::filesystem::weakly_canonical(path);
  if (file.extension() == ".gguf") file.replace_extension();
  const std::string name = file.filename().string();
  return name.empty() ? "model" : name;
}

WeightsSummary weights_summary(const std::string& path) {
  const auto checkpoint = checkpoint::Checkpoint::open(path);
  const model::ModelConfig config = model::read_model_config(*checkpoint);
  const model::WeightPlan plan = model::plan_weights(*checkpoint, config, false);
  return {plan.bytes, plan.parameters, config.max_position_embeddings, config.vocab_size,
          config.hidden_size};
}

serve::ServedModel unloaded_model(const std::string& name, const WeightsSummary& weights) {
  serve::ServedModel info;
  info.id = name;
  info.created = std::time(nullptr);
  info.trained_context = weights.trained_context;
  info.vocab_size = weights.vocab_size;
  info.num_parameters = static_cast<int64_t>(weights.parameters);
  info.size_bytes = static_cast<int64_t>(weights.bytes);
  info.embedding_size = weights.embedding_size;
  return info;
}

std::shared_ptr<serve::LoadedModel> load_served_model(
    const ServedModelSettings& settings, const ModelSettings& model_settings,
    const std::shared_ptr<grammar::Helper>& helper, base::Progress& progress) {
  auto text = completion::TextModel::open(settings.path);
  text.tokenizer();  // Error completion.no_tokenizer before the weights are read
  const auto session =
      std::make_shared<Session>(settings.path, model_settings, Precision::kDefault, progress);
  StateFolder folder;
  if (settings.store)
    folder = {
        settings.store,
        state_identity(model_digest(settings.path, settings.store_folder, progress), *session)};
  auto engine = session->make_shared_engine(settings.parallel, settings.max_waiting,
                                            settings.cache_bytes, std::move(folder));
  auto thinking = completion::thinking_tokens(text);
  std::optional<text::ChatTemplate> chat_template;
  if (text.has_chat_template()) chat_template = text.chat_template();
  auto grammars = make_grammars(text, session->config(), helper);
  serve::ServedModel info = settings.info;
  info.created = std::time(nullptr);
  info.max_model_len = engine->options().context;
  info.size_bytes = static_cast<int64_t>(session->model().weights().bytes());
  info.loaded = true;
  const auto format = text::tool_call_format(text.chat_template_source());
  return std::make_shared<serve::LoadedModel>(serve::LoadedModel{
      settings.names, session, std::move(text), std::move(chat_template), format,
      std::move(thinking), std::move(grammars), std::move(info), "", std::move(engine)});
}

}  // namespace tulou::cli
