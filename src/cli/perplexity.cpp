// tulou perplexity: how well a model predicts a text, and how far two runs differ.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/forward_rows.h"
#include "cli/interrupt.h"
#include "cli/logit_file.h"
#include "cli/model_options.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/text_input.h"

namespace tulou::cli {

namespace {

// log softmax in double precision.
void log_softmax(std::span<const float> logits, std::vector<double>& out) {
  const double largest = double{*std::max_element(logits.begin(), logits.end())};
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  const double shift = largest + std::log(sum);
  out.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) out[i] = double{logits[i]} - shift;
}

// Sums over all scored positions.
struct Score {
  uint64_t num_positions = 0;
  double nll = 0, nll_squared = 0;
  double divergence = 0, largest_divergence = 0;
  uint64_t num_same_top = 0;
};

// Takes the rows of the windows in order and scores those that have a next token.
class Scorer {
 public:
  Scorer(size_t vocab_size, LogitFileWriter* writer, LogitFileReader* reader)
      : vocab_size_(vocab_size), writer_(writer), reader_(reader) {}

  void begin_window(std::span<const int32_t> ids) {
    ids_ = ids;
    row_ = 0;
  }

  void add(std::span<const float> rows) {
    for (size_t i = 0; i < rows.size(); i += vocab_size_, ++row_) {
      if (row_ + 1 < ids_.size()) score(rows.subspan(i, vocab_size_), ids_[row_ + 1]);
    }
  }

  const Score& result() const { return score_; }

 private:
  void score(std::span<const float> logits, int32_t next) {
    log_softmax(logits, log_probabilities_);
    const double nll = -log_probabilities_[static_cast<size_t>(next)];
    ++score_.num_positions;
    score_.nll += nll;
    score_.nll_squared += nll * nll;
    if (writer_ != nullptr) writer_->append(top_of(log_probabilities_));
    if (reader_ == nullptr) return;
    const Prediction saved = reader_->next();
    const double kl = divergence(saved, log_probabilities_);
    score_.divergence += kl;
    score_.largest_divergence = std::max(score_.largest_divergence, kl);
    score_.num_same_top += engine::Sampler::greedy(logits) == saved.tokens.front();
  }

  size_t vocab_size_;
  LogitFileWriter* writer_;
  LogitFileReader* reader_;
  std::span<const int32_t> ids_;
  size_t row_ = 0;
  std::vector<double> log_probabilities_;
  Score score_;
};

class PerplexityCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    arguments.positional("FILE", file_, "The text; - is standard input", Need::kRequired);
    arguments.flag("--json", json_, "As one JSON object");
    arguments.text("--save-logits", "FILE", save_, "Write the predictions, for --against");
    arguments.text("--against", "FILE", against_,
                   "Compare with the predictions that another run has saved");
    arguments.exclusive("--against", "--save-logits");
    arguments.flag("--lossy", lossy_, "Replace what is not UTF-8 instead of refusing it");
    options_.declare(arguments);
    arguments.examples(
        "The text is cut into windows of --context tokens (512); each token of a window but the\n"
        "first is predicted from those before it. Perplexity = exp(mean of -log p).\n\n"
        "Example:\n"
        "  tulou perplexity exact.gguf text.txt --save-logits base.bin\n"
        "  tulou perplexity small.gguf text.txt --against base.bin\n");
  }

  int run(Output& out) override {
    const ModelSettings settings = options_.resolve();
    const std::string path = resolve_model(model_);
    const std::vector<int32_t> ids =
        read_tokens(path, file_, lossy_ ? Invalid::kReplace : Invalid::kRefuse);
    ProgressBar progress;
    Session session(path, settings, Precision::kDefault, progress);
    const int64_t window = session.window();
    const std::vector<std::vector<int32_t>> windows = cut(ids, window);
    check_sequences(session, windows, shown_source(file_));
    LogitFileHeader header;
    header.vocab_size = static_cast<uint32_t>(session.config().vocab_size);
    header.window = static_cast<uint32_t>(window);
    header.text_hash = hash_of(ids);
    for (const std::vector<int32_t>& part : windows) header.num_positions += part.size() - 1;
    const Score score = run_windows(session, windows, header, progress);
    print(score, window, windows.size(), out);
    return kExitOk;
  }

 private:
  // Windows of `window` tokens; a last one of a single token predicts nothing and is left out.
  std::vector<std::vector<int32_t>> cut(const std::vector<int32_t>& ids, int64_t window) const {
    std::vector<std::vector<int32_t>> windows;
    const size_t size = static_cast<size_t>(window);
    for (size_t begin = 0; begin + 1 < ids.size(); begin += size) {
      const auto first = ids.begin() + static_cast<ptrdiff_t>(begin);
      windows.emplace_back(first,
                           first + static_cast<ptrdiff_t>(std::min(size, ids.size() - begin)));
    }
    if (windows.empty() || window < 2)
      throw base::Error("cli.text_too_short", shown_source(file_), ids.size(), window);
    return windows;
  }

  Score run_windows(Session& session, std::span<const std::vector<int32_t>> windows,
                    const LogitFileHeader& header, base::Progress& progress) const {
    std::optional<LogitFileWriter> writer;
    std::optional<LogitFileReader> reader;
    if (!save_.empty()) writer.emplace(save_, header);
    if (!against_.empty()) reader.emplace(against_, header);
    Scorer scorer(header.vocab_size, writer ? &*writer : nullptr, reader ? &*reader : nullptr);
    const InterruptScope interrupt;
    ForwardRows rows(session, interrupt.flag(), progress);
    size_t next_window = 0;
    size_t rows_left = 0;
    rows.logits(windows, 0, [&](std::span<const float> values) {
      if (rows_left == 0) {
        scorer.begin_window(windows[next_window]);
        rows_left = windows[next_window++].size();
      }
      rows_left -= values.size() / header.vocab_size;
      scorer.add(values);
    });
    if (writer) writer->commit();
    return scorer.result();
  }

  void print(const Score& score, int64_t window, size_t num_windows, Output& out) const {
    const double count = static_cast<double>(score.num_positions);
    const double mean = score.nll / count;
    const double variance = std::max(0.0, score.nll_squared / count - mean * mean);
    const double perplexity = std::exp(mean);
    const double error = perplexity * std::sqrt(variance / count);
    base::Json report = {{"perplexity", perplexity}, {"standard_error", error},
                         {"mean_nll", mean},         {"positions", score.num_positions},
                         {"windows", num_windows},   {"window", window}};
    if (!against_.empty()) {
      report["mean_kl"] = score.divergence / count;
      report["largest_kl"] = score.largest_divergence;
      report["same_top"] = static_cast<double>(score.num_same_top) / count;
    }
    if (json_) return out.write(base::to_json_text(report) + "\n");
    out.write("perplexity " + base::fixed(perplexity, 4) + " +- " + base::fixed(error, 4) +
              " over " + base::to_text(score.num_positions) + " positions in windows of " +
              base::to_text(window) + "\n");
    if (against_.empty()) return;
    out.write("mean KL divergence " + base::to_text(score.divergence / count) + ", largest " +
              base::to_text(score.largest_divergence) + "\n");
    out.write("same most probable token " +
              base::fixed(100 * static_cast<double>(score.num_same_top) / count, 2) + " %\n");
  }

  std::string model_, file_, save_, against_;
  bool json_ = false, lossy_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_perplexity() { return std::make_unique<PerplexityCommand>(); }

}  // namespace tulou::cli
