// tulou quantize: a checkpoint folder or a GGUF file to a GGUF file of another type.
#include "quantize/quantizer.h"

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/gguf_vocabulary.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "cli/session.h"

namespace tulou::cli {

namespace {

class QuantizeCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("IN", in_, "Checkpoint folder or .gguf file", Need::kRequired);
    arguments.positional("OUT", out_, "The .gguf file to write", Need::kRequired);
    arguments.value("--type", "TYPE", "One of " + quantize::file_type_names(),
                    [this](const std::string& name) { set_type(name); });
    arguments.text("--imatrix", "FILE", importance_, "An importance matrix of this model");
    arguments.flag("--force", replaces_, "Replace OUT if it is there");
    arguments.integer("--threads", threads_, 1, 1024, "Threads that compute");
    arguments.flag("--json", json_, "The summary as one JSON object");
    arguments.examples(
        "Example:\n"
        "  tulou quantize ./Qwen3.5-0.8B Qwen3.5-0.8B.Q4_K_M.gguf --type Q4_K_M\n");
  }

  int run(Output& out) override {
    if (type_ == nullptr) throw base::Error("cli.usage", "--type is required", "quantize");
    const std::string path = resolve_model(in_);
    const auto source = checkpoint::Checkpoint::open(path);
    std::optional<quantize::ImportanceMatrix> importance;
    if (!importance_.empty()) importance = quantize::ImportanceMatrix::read(importance_);
    std::optional<quantize::Vocabulary> vocabulary;
    if (source->format() == checkpoint::Format::kSafetensors) vocabulary = read_vocabulary(path);
    base::ThreadPool pool(threads_ ? static_cast<size_t>(*threads_) : base::usable_processors());
    ProgressBar progress;
    const InterruptScope interrupt;
    quantize::QuantizeOptions options;
    options.type = type_;
    options.importance = importance ? &*importance : nullptr;
    options.vocabulary = vocabulary ? &*vocabulary : nullptr;
    options.replaces = replaces_;
    options.cancel = &interrupt.flag();
    const auto report = quantize::quantize(*source, out_, options, pool, progress);
    print(report, out);
    return kExitOk;
  }

 private:
  void set_type(const std::string& name) {
    type_ = quantize::find_file_type(name);
    if (type_ == nullptr)
      throw base::Error("cli.bad_value", "--type", base::printable(name),
                        "one of " + quantize::file_type_names());
  }

  void print(const quantize::QuantizeReport& report, Output& out) const {
    if (json_) return out.write(base::to_json_text(json(report)) + "\n");
    std::string types;
    for (const auto& [name, count] : report.types)
      types += (types.empty() ? "" : ", ") + base::to_text(count) + " " + std::string(name);
    out.write(base::printable(out_) + ": " + base::human_bytes(report.file_bytes) + ", " +
              base::fixed(report.bits_per_weight(), 2) +
              " bits a weight (before: " + base::human_bytes(report.stored_bytes) + ")\n");
    out.write("tensors: " + types + "\n");
    if (report.num_fallbacks > 0)
      out.write(base::to_text(report.num_fallbacks) +
                " matrices have rows that do not fit the type, and took another\n");
    if (!importance_.empty())
      out.write(base::to_text(report.num_weighted) + " matrices with importance\n");
    if (report.source_is_quantized)
      message("note: the source is quantised itself, so errors add up");
  }

  base::Json json(const quantize::QuantizeReport& report) const {
    base::Json types = base::Json::object();
    for (const auto& [name, count] : report.types) types[std::string(name)] = count;
    return {{"file", out_},
            {"type", type_->name},
            {"file_bytes", report.file_bytes},
            {"tensor_bytes", report.tensor_bytes},
            {"source_bytes", report.stored_bytes},
            {"values", report.num_values},
            {"bits_per_weight", report.bits_per_weight()},
            {"types", types},
            {"fallbacks", report.num_fallbacks},
            {"with_importance", report.num_weighted},
            {"source_is_quantized", report.source_is_quantized}};
  }

  std::string in_, out_, importance_;
  const quantize::FileType* type_ = nullptr;
  std::optional<int64_t> threads_;
  bool replaces_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_quantize() { return std::make_unique<QuantizeCommand>(); }

}  // namespace tulou::cli
