// tulou logits: token ids to the logits of every position, as a .npy file.
#include "base/error.h"
#include "checkpoint/ids_json.h"
#include "checkpoint/npy.h"
#include "cli/command.h"
#include "cli/forward_rows.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/option_value.h"
#include "cli/progress_bar.h"
#include "cli/session.h"

namespace tulou::cli {

namespace {

class LogitsCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    arguments.positional("IDS", ids_, "JSON: an array of ids, or an array of arrays",
                         Need::kRequired);
    arguments.text("--out", "FILE", out_, "The .npy file to write: float32 [tokens, vocabulary]",
                   Need::kRequired);
    arguments.integer("--split", split_, 1, int64_t{1} << 30,
                      "Tokens at a time through the cache; 1 is pure decoding");
    arguments.flag("--batch", batch_, "All sequences in one ragged batch");
    options_.declare(arguments);
    arguments.examples(
        "Example:\n  tulou logits ./Qwen3.5-0.8B ids.json --out logits.npy --split 7\n");
  }

  int run(Output&) override {
    const ModelSettings settings = options_.resolve();
    const checkpoint::IdSequences ids = checkpoint::read_ids(ids_);
    ProgressBar progress;
    Session session(resolve_model(model_), settings, Precision::kExact, progress);
    check_sequences(session, ids.sequences, ids_);
    uint64_t num_rows = 0;
    for (const auto& sequence : ids.sequences) num_rows += sequence.size();
    checkpoint::NpyWriter writer(out_, num_rows,
                                 static_cast<uint64_t>(session.config().vocab_size));
    const InterruptScope interrupt;
    ForwardRows rows(session, interrupt.flag(), progress);
    const auto sink = [&](std::span<const float> values) { writer.append(values); };
    if (batch_) {
      rows.logits_batch(ids.sequences, split_.value_or(0), sink);
    } else {
      rows.logits(ids.sequences, split_.value_or(0), sink);
    }
    writer.commit();
    return kExitOk;
  }

 private:
  std::string model_, ids_, out_;
  std::optional<int64_t> split_;
  bool batch_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_logits() { return std::make_unique<LogitsCommand>(); }

}  // namespace tulou::cli
