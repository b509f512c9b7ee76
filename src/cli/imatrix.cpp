// tulou imatrix: a model reads a text, and the mean squares of what its matrices are multiplied
// with become an importance matrix for tulou quantize.
#include <algorithm>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/forward_rows.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/text_input.h"
#include "quantize/input_statistics.h"
#include "quantize/quantizer.h"

namespace tulou::cli {

namespace {

class ImatrixCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    arguments.positional("TEXT", file_, "The text; - is standard input", Need::kRequired);
    arguments.text("--out", "FILE", out_, "The file to write (imatrix.gguf)");
    arguments.integer("--chunks", max_chunks_, 1, int64_t{1} << 30,
                      "Read at most so many chunks of --context tokens (512)");
    arguments.flag("--force", replaces_, "Replace the file if it is there");
    arguments.flag("--json", json_, "The summary as one JSON object");
    arguments.flag("--lossy", lossy_, "Replace what is not UTF-8 instead of refusing it");
    options_.declare(arguments);
    arguments.examples(
        "Example:\n"
        "  tulou imatrix ./Qwen3.5-0.8B text.txt --out imatrix.gguf\n"
        "  tulou quantize ./Qwen3.5-0.8B small.gguf --type Q4_0 --imatrix imatrix.gguf\n");
  }

  int run(Output& out) override {
    const ModelSettings settings = options_.resolve();
    const std::string path = resolve_model(model_);
    quantize::check_output(out_, {path, file_}, replaces_);
    const std::vector<int32_t> ids =
        read_tokens(path, file_, lossy_ ? Invalid::kReplace : Invalid::kRefuse);
    ProgressBar progress;
    Session session(path, settings, Precision::kDefault, progress);
    const int64_t chunk = session.window();
    const std::vector<std::vector<int32_t>> chunks = cut(ids, static_cast<size_t>(chunk));
    check_sequences(session, chunks, shown_source(file_));
    quantize::InputCollector collector(session.model());
    const InterruptScope interrupt;
    ForwardRows rows(session, interrupt.flag(), progress);
    rows.set_observer(&collector);
    rows.last_hidden(chunks);
    const quantize::InputStatistics statistics = collector.statistics();
    quantize::write_importance(out_, statistics, shown_source(file_),
                               static_cast<uint32_t>(chunks.size()), static_cast<uint32_t>(chunk));
    print(statistics, chunks, out);
    return kExitOk;
  }

 private:
  std::vector<std::vector<int32_t>> cut(const std::vector<int32_t>& ids, size_t size) const {
    if (ids.empty()) throw base::Error("cli.text_too_short", shown_source(file_), 0, size);
    std::vector<std::vector<int32_t>> chunks;
    for (size_t begin = 0; begin < ids.size(); begin += size) {
      if (max_chunks_ && static_cast<int64_t>(chunks.size()) == *max_chunks_) break;
      const auto first = ids.begin() + static_cast<ptrdiff_t>(begin);
      chunks.emplace_back(first,
                          first + static_cast<ptrdiff_t>(std::min(size, ids.size() - begin)));
    }
    return chunks;
  }

  void print(const quantize::InputStatistics& statistics,
             const std::vector<std::vector<int32_t>>& chunks, Output& out) const {
    size_t num_tokens = 0, num_unseen = 0;
    for (const auto& chunk : chunks) num_tokens += chunk.size();
    for (const auto& [name, squares] : statistics)
      num_unseen += static_cast<size_t>(
          std::count(squares.counts.begin(), squares.counts.end(), uint64_t{0}));
    if (json_) {
      const base::Json report = {{"file", out_},
                                 {"tokens", num_tokens},
                                 {"chunks", chunks.size()},
                                 {"tensors", statistics.size()},
                                 {"unseen_experts", num_unseen}};
      return out.write(base::to_json_text(report) + "\n");
    }
    out.write(base::printable(out_) + ": " + base::to_text(statistics.size()) + " tensors, " +
              base::to_text(num_tokens) + " tokens in " + base::to_text(chunks.size()) +
              " chunks\n");
    if (num_unseen > 0)
      message("note: " + base::to_text(num_unseen) +
              " matrices of experts were never chosen; a longer text would help");
  }

  std::string model_, file_, out_ = "imatrix.gguf";
  std::optional<int64_t> max_chunks_;
  bool replaces_ = false, json_ = false, lossy_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_imatrix() { return std::make_unique<ImatrixCommand>(); }

}  // namespace tulou::cli
