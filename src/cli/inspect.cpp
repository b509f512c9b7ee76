// tulou inspect: everything about a model, or about what this processor can run.
#include "base/error.h"
#include "base/json_value.h"
#include "cli/command.h"
#include "cli/inspect_report.h"
#include "cli/model_options.h"
#include "cli/session.h"

namespace tulou::cli {

namespace {

class InspectCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("MODEL", model_, "Checkpoint folder or .gguf file", Need::kOptional);
    arguments.flag("--json", json_, "As one JSON object");
    arguments.flag("--kernels", kernels_,
                   "Only the processor and its kernel levels; MODEL may be left out");
    options_.declare(arguments);
    arguments.examples(
        "Examples:\n"
        "  tulou inspect ./Qwen3.5-0.8B\n"
        "  tulou inspect --kernels --json\n");
  }

  int run(Output& out) override {
    const std::string isa = options_.resolve().isa;
    if (kernels_) {
      const base::Json report = inspect_kernels(isa);
      out.write(json_ ? base::to_json_text(report) + "\n" : kernels_text(report));
      return kExitOk;
    }
    if (model_.empty()) throw base::Error("cli.usage", "MODEL is required", "inspect");
    const base::Json report = inspect_model(resolve_model(model_), isa);
    out.write(json_ ? base::to_json_text(report) + "\n" : report_text(report));
    return kExitOk;
  }

 private:
  std::string model_;
  bool json_ = false, kernels_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_inspect() { return std::make_unique<InspectCommand>(); }

}  // namespace tulou::cli
