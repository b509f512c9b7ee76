// A whole server in the test's process: a small random model with a byte tokenizer, on a free port.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "completion/tiny_text_model.h"
#include "engine/engine_thread.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "serve/service.h"

namespace tulou::serve {

struct TestServerOptions {
  int64_t parallel = 4, context = 256, slots = 24;
  size_t max_prefixes = 64, max_waiting = 1024;
  std::shared_ptr<grammar::Helper> helper;  // null: no structured output
  size_t num_models = 1;                    // "tiny", "tiny-1", ...; the first one is loaded
  size_t num_loaded = 1;                    // for so many there is room
  std::string broken;                       // a model that cannot be loaded
};

class TestServer {
 public:
  explicit TestServer(const TestServerOptions& options = {}) {
    folder_.copy_from("tests/golden/cases/qwen3_5_tied_r1/model");
    folder_.write("generation_config.json", R"({"eos_token_id":[256]})");
    folder_.write("chat_template.jinja", completion::kTinyTemplate);
    make_pool(options);
    service_ = std::make_unique<Service>(*pool_, nullptr, "test");
    net::ServerOptions http;
    http.workers = 2;
    // What a client of these tests asks for: tenants come by a header in place of keys.
    http.authorize = [](net::HttpRequest& request) {
      request.identity = request.header("x-tenant");
      return 0;
    };
    server_ = std::make_unique<net::HttpServer>(http, make_routes(*service_));
    service_->set_post([this](std::function<void()> job) { server_->post(std::move(job)); });
    server_->start();
  }
  ~TestServer() {
    service_->stop_running();
    server_->stop();
    for (const PoolEntry& entry : pool_->entries()) {
      if (!entry.model) continue;
      engines_.remove(*entry.model->engine);
      entry.model->engine->check_integrity();
    }
  }

  net::ClientOptions address() const {
    net::ClientOptions options;
    options.port = server_->port();
    return options;
  }
  net::ClientResponse post(const std::string& path, const base::Json& body,
                           const std::string& tenant = "") const {
    net::HttpClient client(address());
    return client.send("POST", path, {{"content-type", "application/json"}, {"x-tenant", tenant}},
                       base::to_json_text(body));
  }
  // The body of a 200.
  base::Json ask(const std::string& path, const base::Json& body,
                 const std::string& tenant = "") const {
    const net::ClientResponse response = post(path, body, tenant);
    EXPECT_EQ(response.status, 200) << response.body;
    return base::parse_json(response.body, "response");
  }
  // The data of each event; the last one is [DONE].
  std::vector<std::string> events(const std::string& path, const base::Json& body,
                                  const std::string& tenant = "") const {
    std::vector<std::string> events;
    const std::string text = post(path, body, tenant).body;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find("\n\n", begin);
      EXPECT_NE(end, std::string::npos) << text;
      if (end == std::string::npos) break;
      EXPECT_EQ(text.substr(begin, 6), "data: ");
      events.push_back(text.substr(begin + 6, end - begin - 6));
      begin = end + 2;
    }
    return events;
  }

  // Of the first model, which must be loaded.
  engine::Engine& engine() { return *pool_->entries().front().model->engine; }
  ModelPool& pool() { return *pool_; }
  Service& service() { return *service_; }
  net::HttpServer& http() { return *server_; }

  // Another model of the same kind.
  std::shared_ptr<LoadedModel> make_model(const std::string& name) { return load({}, {name}); }

 private:
  void make_pool(const TestServerOptions& options) {
    std::vector<PooledModel> models;
    for (size_t i = 0; i < options.num_models; ++i) {
      PooledModel& model = models.emplace_back();
      model.names = {i == 0 ? "tiny" : "tiny-" + std::to_string(i)};
      if (i == 0) model.names.emplace_back("other-name");
      model.info.id = model.names.front();
      model.bytes = 1;
      model.load = [this, options, names = model.names] {
        if (names.front() == options.broken) throw std::runtime_error("/secret");
        return load(options, names);
      };
    }
    PoolOptions pool;
    pool.budget = options.num_loaded;
    pool_ = std::make_unique<ModelPool>(std::move(models), pool, engines_);
    std::promise<void> loaded;
    pool_->load(0, [&](const auto&, const auto&) { loaded.set_value(); });
    loaded.get_future().wait();
  }

  std::shared_ptr<LoadedModel> load(const TestServerOptions& options,
                                    const std::vector<std::string>& names) {
    base::NoProgress progress;
    const std::shared_ptr<const model::Model> weights =
        model::Model::load(*checkpoint::Checkpoint::open(folder_.path()), progress);
    completion::TextModel text = completion::TextModel::open(folder_.path());
    engine::EngineOptions engine;
    engine.context = options.context;
    engine.num_sequences = options.parallel;
    engine.tokens_per_step = 64;
    engine.max_waiting = options.max_waiting;
    engine.max_prefixes = options.max_prefixes;
    engine.cache = model::plan_cache(weights->config(), engine.cache_type, options.parallel + 2,
                                     options.context);
    engine.cache->num_slots = options.slots;
    auto chat_template = text.chat_template();
    auto thinking = completion::thinking_tokens(text);
    std::unique_ptr<grammar::GrammarCompiler> grammars;
    if (options.helper) {
      grammar::VocabularyData data;
      data.vocab_size = static_cast<int32_t>(weights->config().vocab_size);
      data.stop_tokens = {completion::kTinyEnd};
      for (int byte = 0; byte < 256; ++byte) data.tokens.emplace_back(1, static_cast<char>(byte));
      data.tokens.resize(261);  // special ones have no text
      grammars = std::make_unique<grammar::GrammarCompiler>(data, options.helper);
    }
    ServedModel info;
    info.id = names.front();
    info.loaded = true;
    info.max_model_len = options.context;
    auto made =
        std::make_unique<engine::Engine>(*weights, kernels::select_kernels(""), threads_, engine);
    return std::make_shared<LoadedModel>(LoadedModel{
        names, weights, std::move(text), std::move(chat_template), text::ToolCallFormat::kHermes,
        std::move(thinking), std::move(grammars), std::move(info), "", std::move(made)});
  }

  completion::TinyFolder folder_;
  base::ThreadPool threads_{2};
  engine::EngineThread engines_;
  std::unique_ptr<ModelPool> pool_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace tulou::serve
