// tulou ps: what a running server serves.
#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/remote_server.h"

namespace tulou::cli {

namespace {

constexpr int64_t kMost = int64_t{1} << 60;

std::string model_line(const base::JsonObject& model) {
  const base::Json& names = model.get("names");
  std::string line;
  for (const base::Json& name : names)
    line += (line.empty() ? "" : ", ") + (name.is_string() ? name.get<std::string>() : "?");
  const auto number = [&](const char* key) { return model.integer(key, 0, kMost, 0); };
  const auto bytes = [&](const char* key) {
    return base::human_bytes(static_cast<uint64_t>(number(key)));
  };
  line += ": " + model.string("state") + ", weights " + bytes("weights_bytes");
  if (model.has("context")) {
    line += ", cache " + bytes("cache_bytes") + ", context " + base::to_text(number("context")) +
            " tokens, " + base::to_text(number("running")) + " running, " +
            base::to_text(number("waiting")) + " waiting, " +
            base::to_text(number("generated_tokens")) + " tokens made (" +
            base::fixed(model.number("tokens_per_second", 0), 1) + " tokens/s since the start)";
  }
  return base::printable(line);
}

class PsCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_server(arguments, url_, "The server (http://127.0.0.1:11435), or unix:/PATH");
    arguments.flag("--json", json_, "As one JSON object");
    arguments.examples(
        "Examples:\n"
        "  tulou ps\n"
        "  tulou ps --server http://127.0.0.1:8080 --json\n");
  }

  int run(Output& out) override {
    const base::Json report = RemoteServer(url_).get("/tulou/ps");
    if (json_) {
      out.write(base::to_json_text(report) + "\n");
      return kExitOk;
    }
    const base::Json& models = base::JsonObject(report, url_).get("models");
    for (const base::Json& model : models)
      out.write(model_line(base::JsonObject(model, url_)) + "\n");
    return kExitOk;
  }

 private:
  std::string url_ = kDefaultServer;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_ps() { return std::make_unique<PsCommand>(); }

}  // namespace tulou::cli
