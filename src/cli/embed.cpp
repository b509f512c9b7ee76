// tulou embed: token ids to one embedding each, as a .npy file.
#include <cmath>

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

// Appends the first `dimensions` values, scaled to length 1; zeros stay zeros.
void append_normalised(std::span<const float> hidden, size_t dimensions, std::vector<float>& out) {
  double sum = 0;
  for (size_t i = 0; i < dimensions; ++i) sum += double{hidden[i]} * double{hidden[i]};
  const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
  for (size_t i = 0; i < dimensions; ++i) out.push_back(static_cast<float>(hidden[i] * scale));
}

class EmbedCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    arguments.positional("IDS", ids_, "JSON: an array of ids, or an array of arrays",
                         Need::kRequired);
    arguments.text("--out", "FILE", out_, "The .npy file to write: float32 [sequences, dimensions]",
                   Need::kRequired);
    arguments.integer("--dimensions", dimensions_, 1, int64_t{1} << 20,
                      "Keep the first D values and scale them to length 1 again");
    options_.declare(arguments);
    arguments.examples(
        "Example:\n  tulou embed ./Qwen3-Embedding-0.6B ids.json --out embedding.npy\n");
  }

  int run(Output&) override {
    const ModelSettings settings = options_.resolve();
    const checkpoint::IdSequences ids = checkpoint::read_ids(ids_);
    ProgressBar progress;
    Session session(resolve_model(model_), settings, Precision::kExact, progress);
    check_sequences(session, ids.sequences, ids_);
    const int64_t hidden_size = session.config().hidden_size;
    const int64_t dimensions = dimensions_.value_or(hidden_size);
    if (dimensions > hidden_size)
      throw base::Error("cli.bad_value", "--dimensions", dimensions,
                        "a whole number from 1 to " + base::to_text(hidden_size));
    const InterruptScope interrupt;
    ForwardRows rows(session, interrupt.flag(), progress);
    const std::vector<float> hidden = rows.last_hidden(ids.sequences);
    std::vector<float> embeddings;
    const size_t width = static_cast<size_t>(hidden_size);
    for (size_t i = 0; i < ids.sequences.size(); ++i)
      append_normalised(std::span(hidden).subspan(i * width, width),
                        static_cast<size_t>(dimensions), embeddings);
    checkpoint::write_npy(out_, ids.sequences.size(), static_cast<uint64_t>(dimensions),
                          embeddings);
    return kExitOk;
  }

 private:
  std::string model_, ids_, out_;
  std::optional<int64_t> dimensions_;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_embed() { return std::make_unique<EmbedCommand>(); }

}  // namespace tulou::cli
