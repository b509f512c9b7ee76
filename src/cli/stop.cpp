// tulou stop: ends a running server, or has it unload a model.
#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/remote_server.h"

namespace tulou::cli {

namespace {

class StopCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("MODEL", model_,
                         "Only unload this model; it is loaded again when it is asked for");
    declare_server(arguments, url_, "The server (http://127.0.0.1:11435), or unix:/PATH");
    arguments.flag("--json", json_, "As one JSON object");
    arguments.examples(
        "Examples:\n"
        "  tulou stop\n"
        "  tulou stop Qwen3.5-0.8B --server http://127.0.0.1:8080\n");
  }

  int run(Output& out) override {
    base::Json body = base::Json::object();
    if (model_) body["model"] = *model_;
    const base::Json report = RemoteServer(url_).post("/tulou/stop", body);
    if (json_) {
      out.write(base::to_json_text(report) + "\n");
    } else {
      const std::string status = base::JsonObject(report, url_).string("status");
      out.write(base::printable((model_ ? *model_ : url_) + ": " + status) + "\n");
    }
    return kExitOk;
  }

 private:
  std::string url_ = kDefaultServer;
  std::optional<std::string> model_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_stop() { return std::make_unique<StopCommand>(); }

}  // namespace tulou::cli
