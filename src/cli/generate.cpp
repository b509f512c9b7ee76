// tulou generate: token ids to the most probable next ids, without text and without an end.
#include <algorithm>

#include "base/error.h"
#include "checkpoint/ids_json.h"
#include "cli/command.h"
#include "cli/forward_rows.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/option_value.h"
#include "cli/progress_bar.h"
#include "cli/session.h"

namespace tulou::cli {

namespace {

// Each prompt becomes its answer. No more sequences than the engine lets wait.
void generate_all(engine::Engine& engine, std::span<std::vector<int32_t>> sequences,
                  int64_t max_tokens, const InterruptScope& interrupt) {
  std::vector<std::shared_ptr<engine::TokenStream>> streams;
  for (const std::vector<int32_t>& prompt : sequences) {
    engine::Request request;
    request.prompt = prompt;
    request.max_tokens = max_tokens;
    request.greedy = true;
    streams.push_back(engine.submit(std::move(request)));
  }
  while (engine.step()) {
    if (interrupt.pending()) throw base::Error("run.cancelled");
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i]->finish_reason() == engine::FinishReason::kCancelled)
      throw base::Error("run.cancelled");
    sequences[i].clear();
    while (const auto token = streams[i]->next()) sequences[i].push_back(token->token);
  }
}

class GenerateCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    arguments.positional("IDS", ids_, "JSON: an array of ids, or an array of arrays",
                         Need::kRequired);
    arguments.integer("-n,--max-tokens", max_tokens_, 1, int64_t{1} << 30,
                      "How many ids to generate for each sequence (16)");
    arguments.flag("--batch", batch_, "All sequences at once");
    options_.declare(arguments);
    arguments.examples("Example:\n  tulou generate ./Qwen3.5-0.8B ids.json -n 48\n");
  }

  int run(Output& out) override {
    const ModelSettings settings = options_.resolve();
    checkpoint::IdSequences ids = checkpoint::read_ids(ids_);
    ProgressBar progress;
    Session session(resolve_model(model_), settings, Precision::kExact, progress);
    check_sequences(session, ids.sequences, ids_);
    const int64_t max_tokens = max_tokens_.value_or(16);
    int64_t context = 1;
    for (const auto& prompt : ids.sequences)
      context = std::max(context, static_cast<int64_t>(prompt.size()) + max_tokens);
    if (context > session.longest_sequence())
      throw base::Error("cli.sequence_too_long", ids_, context, session.longest_sequence());
    const size_t group = batch_ ? engine::EngineOptions{}.max_waiting : 1;
    const size_t num_at_once = std::clamp<size_t>(ids.sequences.size(), 1, group);
    const auto engine = session.make_engine(static_cast<int64_t>(num_at_once), context);
    const InterruptScope interrupt(engine.get());
    const std::span<std::vector<int32_t>> sequences(ids.sequences);
    for (size_t begin = 0; begin < sequences.size(); begin += group)
      generate_all(*engine, sequences.subspan(begin, std::min(group, sequences.size() - begin)),
                   max_tokens, interrupt);
    out.write(checkpoint::ids_text(ids) + "\n");
    return kExitOk;
  }

 private:
  std::string model_, ids_;
  std::optional<int64_t> max_tokens_;
  bool batch_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_generate() { return std::make_unique<GenerateCommand>(); }

}  // namespace tulou::cli
