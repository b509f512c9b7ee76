// tulou bench: how fast a model runs on this machine.
#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/bench_report.h"
#include "cli/bench_runner.h"
#include "cli/bench_svg.h"
#include "cli/bench_weights.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/option_value.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "hardware/bandwidth.h"
#include "hardware/cpu_features.h"
#include "hardware/load.h"

namespace tulou::cli {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxBatch = 256;
constexpr int64_t kMaxRepeat = 1000;
constexpr size_t kMaxDepths = 32;
constexpr int64_t kFirstTokenPrompt = 32;
constexpr int kBandwidthRounds = 20;
// How long the machine is watched before anything starts.
constexpr std::chrono::milliseconds kWatch(200);

class BenchCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_model(arguments, model_);
    const auto number = [&](const char* name, int64_t& target, int64_t min, int64_t max,
                            const char* description) {
      arguments.value(name, "N", description, [=, &target](const std::string& text) {
        target = integer_value(name, text, min, max);
      });
    };
    number("-p", prompt_, 0, kMaxTokens, "Tokens of the prompt to read (512); 0: none");
    number("-n", answer_, 0, kMaxTokens, "Tokens to decode (64); 0: none");
    arguments.value("--depth", "N,...", "Tokens that lie before the decoded ones (0)",
                    [this](const std::string& text) {
                      depths_ = integer_list("--depth", text, 0, kMaxTokens, kMaxDepths);
                    });
    arguments.value("--batch", "N,...", "Sequences that are decoded at once (1)",
                    [this](const std::string& text) {
                      batches_ = integer_list("--batch", text, 1, kMaxBatch,
                                              static_cast<size_t>(kMaxBatch));
                    });
    number("--repeat", repeat_, 1, kMaxRepeat, "Samples of each measurement (5)");
    arguments.flag("--json", json_, "As one JSON object, with each sample");
    arguments.text("--svg", "FILE", svg_, "Also writes a picture");
    options_.declare(arguments);
    arguments.examples(
        "Examples:\n"
        "  tulou bench ./Qwen3.5-0.8B\n"
        "  tulou bench ./Qwen3.5-0.8B -p 0 -n 64 --depth 0,4096 --batch 1,2,4,8,16,32\n");
  }

  int run(Output& out) override {
    if (prompt_ == 0 && answer_ == 0)
      throw base::Error("cli.usage", "-p 0 and -n 0 together leave nothing to measure", "bench");
    const ModelSettings settings = options_.resolve();
    BenchReport report;
    report.model = model_;
    report.others_before = watch();
    ProgressBar progress;
    const hardware::LoadMoment begin = hardware::load_now();
    Session session(resolve_model(model_), settings, Precision::kDefault, progress);
    report.load_seconds = hardware::load_now().clock - begin.clock;
    check_context(session);
    // Opened now, so that a place that cannot be written is known before the work is done.
    std::optional<base::DurableFile> picture;
    if (!svg_.empty()) picture.emplace(svg_);
    if (is_busy(report.others_before))
      message("warning: the machine is busy: others use " + base::fixed(*report.others_before, 2) +
              " processors");
    const InterruptScope interrupt;
    BenchRunner runner(session, interrupt.flag(), progress);
    report.first_token_prompt = std::min(kFirstTokenPrompt, session.longest_sequence());
    runner.first_token(report.first_token_prompt);
    report.first_token_seconds = hardware::load_now().clock - begin.clock;
    describe(session, report);
    measure(session, runner, out, report);
    report.peak_memory_bytes = hardware::peak_memory();
    measure_bandwidth(session, report);
    show(out, report);
    if (picture) {
      picture->write(bench_svg(report));
      picture->commit();
    }
    return kExitOk;
  }

 private:
  // How busy the machine is before anything is done.
  static std::optional<double> watch() {
    const hardware::LoadMoment begin = hardware::load_now();
    std::this_thread::sleep_for(kWatch);
    return hardware::others_between(begin, hardware::load_now());
  }

  static bool is_busy(const std::optional<double>& others) {
    return others && *others > kBusyProcessors;
  }

  // The bounds that only the model knows.
  void check_context(const Session& session) const {
    const int64_t context = session.longest_sequence();
    const auto expected = [](int64_t most) {
      return "at most " + base::to_text(most) + " (what the context leaves)";
    };
    if (prompt_ > context) throw base::Error("cli.bad_value", "-p", prompt_, expected(context));
    if (answer_ > context) throw base::Error("cli.bad_value", "-n", answer_, expected(context));
    for (const int64_t depth : depths_) {
      if (answer_ > 0 && depth > context - answer_)
        throw base::Error("cli.bad_value", "--depth", depth, expected(context - answer_));
    }
  }

  static void describe(Session& session, BenchReport& report) {
    const model::CachePlan sequence = session.plan(1, 1);
    report.family = session.config().model_type;
    report.processor = hardware::processor_name();
    report.processors = base::usable_processors();
    report.memory_bytes = hardware::total_memory();
    report.level = hardware::name(session.kernels().level);
    report.threads = session.threads().num_threads();
    report.precision = session.precision();
    report.cache_bytes_per_token =
        sequence.block_bytes / static_cast<uint64_t>(model::kKvBlockTokens);
    report.state_bytes = sequence.slot_bytes;
    report.groups = weight_groups(session.model(), session.kernels(), session.precision());
  }

  void measure(Session& session, BenchRunner& runner, Output& out, BenchReport& report) const {
    const hardware::LoadMoment begin = hardware::load_now();
    const auto add = [&](const Measurement& measurement) {
      report.measurements.push_back(measurement);
      if (json_ || out.is_terminal()) return;
      out.write(measurement_line(measurement) + "\n");
      out.flush();
    };
    if (prompt_ > 0) add(runner.prefill(prompt_, repeat_));
    for (const int64_t depth : answer_ > 0 ? depths_ : std::vector<int64_t>()) {
      for (const int64_t batch : batches_) {
        Measurement measurement = runner.decode(answer_, depth, batch, repeat_);
        // On average half of the decoded tokens lie before the current one.
        if (batch == 1)
          measurement.bytes_per_token =
              decode_bytes(report.groups, session.plan(1, 1), depth + answer_ / 2);
        add(measurement);
      }
    }
    report.others_during = hardware::others_between(begin, hardware::load_now());
    if (is_busy(report.others_during))
      message("warning: others used " + base::fixed(*report.others_during, 2) +
              " processors meanwhile: the figures are too low");
  }

  static void measure_bandwidth(Session& session, BenchReport& report) {
    if (base::available_memory() < 2 * hardware::kBandwidthBytes) return;
    const base::ThreadPool::Lease lease(session.threads());
    report.bandwidth = hardware::read_bandwidth(lease, hardware::kBandwidthBytes, kBandwidthRounds);
  }

  void show(Output& out, const BenchReport& report) const {
    if (json_) {
      out.write(base::to_json_text(bench_json(report)) + "\n");
    } else if (out.is_terminal()) {
      out.write(bench_table(report));
    } else {
      std::string notes = bench_notes(report);
      notes.pop_back();
      message(notes);
    }
  }

  std::string model_, svg_;
  int64_t prompt_ = 512, answer_ = 64, repeat_ = 5;
  std::vector<int64_t> depths_ = {0}, batches_ = {1};
  bool json_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<BenchCommand>(); }

}  // namespace tulou::cli
