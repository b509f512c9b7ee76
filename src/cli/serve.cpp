// tulou serve: models over HTTP, for any OpenAI client.
#include <algorithm>
#include <csignal>
#include <future>

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
#include "serve/model_pool.h"
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

// "90s", "10m", "2h". Error cli.bad_value.
std::chrono::milliseconds time_value(const std::string& what, const std::string& text) {
  const auto number = text.empty()
                          ? std::nullopt
                          : base::parse_uint(std::string_view(text).substr(0, text.size() - 1));
  const char unit = text.empty() ? ' ' : text.back();
  const int64_t seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
  if (!number || *number == 0 || *number > 1'000'000 || seconds == 0)
    throw base::Error("cli.bad_value", what, text, "a time such as 90s, 10m or 2h");
  return std::chrono::seconds(static_cast<int64_t>(*number) * seconds);
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
    arguments.text("--cache-dir", "FOLDER", cache_folder_,
                   "Keep states of prompts and answers here, for the next start (none)");
    arguments.value(
        "--cache-dir-size", "SIZE", "Bytes of that folder; the least recently used go first (8GiB)",
        [this](const std::string& text) { cache_bytes_ = bytes_value("--cache-dir-size", text); });
    arguments.value("--idle", "TIME",
                    "Unload a model that nobody has used for so long, as 90s, 10m, 2h (never)",
                    [this](const std::string& text) { pool_.idle = time_value("--idle", text); });
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
    ProgressBar progress;
    open_store();
    auto models = plan(settings, helper, progress);
    engine::EngineThread engines([](const std::string& what) { message("error: " + what); });
    serve::ModelPool pool(std::move(models), pool_, engines);
    load_first(pool);
    serve::Service service(pool, std::move(keys), TULOU_VERSION);
    configure(service);
    net::HttpServer server(http_, serve::make_routes(service));
    service.set_post([&server](std::function<void()> job) { server.post(std::move(job)); });
    SignalPipe signals;
    service.set_log([](const std::string& what) { message(what); });
    service.set_end([] { std::raise(SIGTERM); });
    server.start();
    introduce(out, pool, server);
    serve_until_stopped(signals, service, server);
    return kExitOk;
  }

 private:
  void open_store() {
    if (cache_folder_.empty()) {
      if (cache_bytes_)
        throw base::Error("cli.usage", "--cache-dir-size needs --cache-dir", "serve");
      return;
    }
    engine::PrefixStoreOptions options;
    options.folder = cache_folder_;
    options.max_bytes = cache_bytes_.value_or(options.max_bytes);
    options.on_problem = [](const base::Error& problem) { message(problem.what()); };
    store_ = std::make_shared<engine::PrefixStore>(std::move(options));
    const engine::PrefixStoreStats stats = store_->stats();
    if (stats.entries > 0)
      message("cache: " + base::to_text(stats.entries) + " states on disk, " +
              base::human_bytes(stats.bytes));
  }

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

  // What each model takes of the budget. All may be loaded at one time if a tenth of it is left for
  // their caches, which share the rest; else each gets half of what its weights leave.
  std::vector<serve::PooledModel> plan(const ModelSettings& settings,
                                       const std::shared_ptr<grammar::Helper>& helper,
                                       ProgressBar& progress) {
    std::vector<WeightsSummary> weights;
    uint64_t all = 0, largest = 0;
    for (std::string& model : models_) {
      weights.push_back(weights_summary(model = resolve_model(model)));
      all += weights.back().bytes;
      largest = std::max(largest, weights.back().bytes);
    }
    const uint64_t free = base::available_memory();
    const uint64_t least = free > all ? all : largest;
    const uint64_t budget = memory_.value_or(least + (free > least ? free - least : 0) / 2);
    if (budget <= largest)
      throw base::Error("cli.model_does_not_fit", base::human_bytes(largest),
                        base::human_bytes(budget));
    pool_.budget = budget;
    const bool together = models_.size() == 1 || all + budget / 10 <= budget;
    std::vector<serve::PooledModel> pooled;
    for (size_t i = 0; i < models_.size(); ++i) {
      ServedModelSettings served;
      served.path = models_[i];
      served.names = {suggested_name(served.path)};
      if (i == 0) served.names.insert(served.names.begin(), names_.begin(), names_.end());
      served.parallel = parallel_.value_or(16);
      served.store = store_;
      served.store_folder = cache_folder_;
      served.max_waiting = static_cast<size_t>(queue_.value_or(1024));
      served.info = unloaded_model(served.names.front(), weights[i]);
      served.cache_bytes =
          together ? (budget - all) / models_.size() : (budget - weights[i].bytes) / 2;
      serve::PooledModel& model = pooled.emplace_back();
      model.names = served.names;
      model.info = served.info;
      model.bytes = weights[i].bytes + served.cache_bytes;
      model.load = [served, settings, helper, &progress] {
        return load_served_model(served, settings, helper, progress);
      };
    }
    return pooled;
  }

  // The first one at once: whoever starts a server wants to hear what is wrong with it.
  static void load_first(serve::ModelPool& pool) {
    std::promise<void> loaded;
    pool.load(0, [&](const std::shared_ptr<const void>&, const std::exception_ptr& error) {
      error ? loaded.set_exception(error) : loaded.set_value();
    });
    loaded.get_future().get();
  }

  void introduce(Output& out, serve::ModelPool& pool, const net::HttpServer& server) const {
    for (const serve::PoolEntry& entry : pool.entries()) {
      out.write("serving " + entry.names.front() + ": weights " +
                base::human_bytes(static_cast<uint64_t>(entry.info.size_bytes)));
      if (entry.model) {
        const engine::EngineOptions& options = entry.model->engine->options();
        out.write(", cache " + base::human_bytes(entry.model->engine->cache().plan().bytes()) +
                  ", context " + base::to_text(options.context) + " tokens, " +
                  base::to_text(options.num_sequences) + " answers at once\n");
      } else {
        out.write(", loaded when it is asked for\n");
      }
    }
    const std::string address = server.address();
    out.write("listening on " + address + "\n");
    if (http_.unix_path.empty()) {
      out.write("for clients: OPENAI_BASE_URL=" + address +
                "/v1 OPENAI_API_KEY=" + (keys_.empty() ? "none" : "your-key") + " model " +
                pool.entries().front().names.front() + "\n");
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
  std::string keys_, cache_folder_;
  std::optional<uint64_t> cache_bytes_;
  std::shared_ptr<engine::PrefixStore> store_;
  std::optional<int64_t> port_, parallel_, queue_;
  std::optional<uint64_t> memory_;
  net::ServerOptions http_;
  serve::PoolOptions pool_;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_serve() { return std::make_unique<ServeCommand>(); }

}  // namespace tulou::cli
