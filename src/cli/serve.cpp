// tulou serve: models over HTTP, for any OpenAI client.
#include <csignal>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/progress_bar.h"
#include "cli/served_models.h"
#include "cli/session.h"
#include "cli/signal_pipe.h"
#include "engine/engine_thread.h"
#include "net/http_server.h"
#include "serve/service.h"

namespace tulou::cli {

namespace {

constexpr int64_t kDefaultPort = 11435;
constexpr uint64_t kMib = 1u << 20;

// "8GiB", "512MiB", "2G": bytes. Error cli.bad_value.
uint64_t bytes_value(const std::string& what, const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  const auto number = base::parse_uint(text.substr(0, digits));
  const bool gib = unit == "GiB" || unit == "G", mib = unit == "MiB" || unit == "M";
  if (!number || *number == 0 || *number > (uint64_t{1} << 20) || (!gib && !mib))
    throw base::Error("cli.bad_value", what, text, "a size such as 8GiB or 512MiB");
  return *number * (gib ? 1024 * kMib : kMib);
}

class ServeCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positionals("MODEL", models_, "A checkpoint folder or a GGUF file; several may be");
    arguments.texts("--name", names_, "Another name for the model that requests may use");
    arguments.text("--host", "ADDRESS", http_.host, "Where to listen (127.0.0.1)");
    arguments.integer("--port", port_, 0, 65535, "Port (11435; 0: any free one)");
    arguments.text("--unix", "PATH", http_.unix_path, "A Unix socket in place of a port");
    arguments.value("--memory", "SIZE",
                    "For weights and caches together (8GiB; half of what is free)",
                    [this](const std::string& text) { memory_ = bytes_value("--memory", text); });
    arguments.integer("--parallel", parallel_, 1, 1024, "Answers at once; more wait (16)");
    arguments.integer("--queue", queue_, 1, 1 << 20, "How many may wait; more are refused (1024)");
    arguments.text("--api-keys", "FILE", keys_, "Only who has a key of this file (tulou keys)");
    arguments.text("--tls-cert", "FILE", http_.tls_cert, "Certificate chain, PEM");
    arguments.text("--tls-key", "FILE", http_.tls_key,
                   "Its private key, PEM, readable by you alone");
    arguments.texts("--cors", http_.cors_origins,
                    "An origin whose pages may call, as https://a.org");
    arguments.texts("--allow-host", http_.allowed_hosts, "A host name that is answered to");
    arguments.flag("--insecure-no-keys", http_.allow_open,
                   "Listen beyond this machine without keys");
    arguments.flag("--insecure-no-tls", http_.allow_unencrypted,
                   "Listen beyond this machine without TLS");
    options_.declare(arguments);
    arguments.examples(
        "Examples:\n"
        "  tulou serve ./Qwen3.5-0.8B\n"
        "  tulou serve model.gguf --name qwen --port 8080 --memory 8GiB\n");
  }

  int run(Output& out) override {
    const ModelSettings settings = options_.resolve();
    http_.port = static_cast<uint16_t>(port_.value_or(kDefaultPort));
    auto keys = keys_.empty() ? nullptr : std::make_unique<serve::ApiKeys>(keys_);
    // Before the first thread: it is a copy of this process.
    const auto helper = std::make_shared<grammar::Helper>();
    auto models = load(settings, helper);
    serve::Service service(models, std::move(keys), TULOU_VERSION);
    engine::EngineThread engines([](const std::string& what) { message("error: " + what); });
    configure(service);
    net::HttpServer server(http_, serve::make_routes(service));
    service.set_post([&server](std::function<void()> job) { server.post(std::move(job)); });
    SignalPipe signals;
    server.start();
    for (const auto& model : models) engines.add(*model->engine);
    introduce(out, models, server);
    serve_until_stopped(signals, service, server);
    for (const auto& model : models) engines.remove(*model->engine);
    return kExitOk;
  }

 private:
  void configure(serve::Service& service) {
    if (service.keys() != nullptr)
      http_.authorize = [&service](net::HttpRequest& request) {
        return service.authorize(request);
      };
    http_.error_body = [](int status, std::string_view id, std::string_view text) {
      serve::ApiError error;
      error.status = status;
      error.type = status >= 500 ? "server_error" : "invalid_request_error";
      if (status == 401) error.type = "authentication_error";
      error.code = id;
      error.message = text;
      return base::to_json_text(error.body());
    };
  }

  std::vector<std::shared_ptr<serve::LoadedModel>> load(
      const ModelSettings& settings, const std::shared_ptr<grammar::Helper>& helper) {
    uint64_t weights = 0;
    for (std::string& model : models_) weights += weights_bytes(model = resolve_model(model));
    const uint64_t free = base::available_memory();
    const uint64_t budget = memory_.value_or(weights + (free > weights ? free - weights : 0) / 2);
    if (budget <= weights)
      throw base::Error("cli.model_does_not_fit", base::human_bytes(weights),
                        base::human_bytes(budget));
    std::vector<std::shared_ptr<serve::LoadedModel>> loaded;
    ProgressBar progress;
    for (const std::string& path : models_) {
      ServedModelSettings served;
      served.path = path;
      served.names = {suggested_name(path)};
      if (loaded.empty()) served.names.insert(served.names.begin(), names_.begin(), names_.end());
      served.parallel = parallel_.value_or(16);
      served.max_waiting = static_cast<size_t>(queue_.value_or(1024));
      served.cache_bytes = (budget - weights) / models_.size();
      loaded.push_back(load_served_model(served, settings, helper, progress));
    }
    return loaded;
  }

  void introduce(Output& out, const std::vector<std::shared_ptr<serve::LoadedModel>>& models,
                 const net::HttpServer& server) const {
    for (const auto& model : models) {
      const engine::EngineOptions& options = model->engine->options();
      out.write("serving " + model->names.front() + ": weights " +
                base::human_bytes(static_cast<uint64_t>(model->info.size_bytes)) + ", cache " +
                base::human_bytes(model->engine->cache().plan().bytes()) + ", context " +
                base::to_text(options.context) + " tokens, " +
                base::to_text(options.num_sequences) + " answers at once\n");
    }
    const std::string address = server.address();
    out.write("listening on " + address + "\n");
    if (http_.unix_path.empty()) {
      out.write("for clients: OPENAI_BASE_URL=" + address +
                "/v1 OPENAI_API_KEY=" + (keys_.empty() ? "none" : "your-key") + " model " +
                models.front()->names.front() + "\n");
    }
    out.write("Ctrl-C lets running answers finish and ends\n");
    out.flush();
  }

  // The first SIGINT or SIGTERM lets answers finish for up to 30 s, the second one cuts them.
  void serve_until_stopped(SignalPipe& signals, serve::Service& service, net::HttpServer& server) {
    int number = signals.wait();
    while (number == SIGHUP) {
      reload(service, server);
      number = signals.wait();
    }
    message("stopping: running answers may finish for 30 s; again Ctrl-C cuts them");
    service.begin_stopping();
    for (int second = 0; second < 300 && service.num_running() > 0; ++second) {
      const int again = signals.wait_ms(100);
      if (again == SIGINT || again == SIGTERM) break;
    }
    service.stop_running();
    server.drain(std::chrono::milliseconds(1000));
    server.stop();
  }

  void reload(serve::Service& service, net::HttpServer& server) const {
    if (service.keys() != nullptr) {
      const auto problem = service.keys()->reload();
      message(problem ? "keys: the old ones stay: " + *problem : "keys: read again");
    }
    if (http_.tls_cert.empty()) return;
    try {
      server.reload_tls();
      message("TLS: certificate read again");
    } catch (const base::Error& error) {
      message("TLS: the old certificate stays: " + std::string(error.what()));
    }
  }

  std::vector<std::string> models_, names_;
  std::string keys_;
  std::optional<int64_t> port_, parallel_, queue_;
  std::optional<uint64_t> memory_;
  net::ServerOptions http_;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_serve() { return std::make_unique<ServeCommand>(); }

}  // namespace tulou::cli
