// What the routes share: models, keys, metrics, and the requests that are under way.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/http_server.h"
#include "serve/api_error.h"
#include "serve/api_keys.h"
#include "serve/generation.h"
#include "serve/generation_plan.h"
#include "serve/loaded_model.h"
#include "serve/metrics.h"
#include "serve/model_pool.h"

namespace tulou::serve {

// The model of a request has to be loaded first.
struct ModelNotLoaded {
  size_t index = 0;  // in the pool
};

class Service {
 public:
  // `pool` must outlive it. `keys` may be null: everyone may ask.
  Service(ModelPool& pool, std::unique_ptr<ApiKeys> keys, std::string version);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // The model of a request, which stays while the pointer lives; an empty name is the first one.
  // Error serve.model_not_found; ModelNotLoaded, upon which the handler is to be called again when
  // it is.
  std::shared_ptr<LoadedModel> model(std::string_view name) const;
  ModelPool& pool() const { return pool_; }
  // Has a model loaded and then calls `again` on the pool of the handlers; the client is told if
  // that fails. Error serve.loading, serve.stopping.
  void when_loaded(size_t index, const std::shared_ptr<net::HttpExchange>& exchange,
                   std::function<void()> again);
  const std::string& version() const { return version_; }
  Metrics& metrics() { return metrics_; }
  ApiKeys* keys() { return keys_.get(); }

  // Who asks, by the identity that authorize() set.
  Caller caller(const net::HttpRequest& request) const;
  // For net::ServerOptions: 0, or 401; sets the identity.
  int authorize(net::HttpRequest& request);

  // Runs a plan whose results go to `sink`, until the client goes. Errors of plan and engine.
  // Error serve.stopping, serve.key_limit.
  void run(GenerationPlan plan, std::unique_ptr<AnswerSink> sink,
           const std::shared_ptr<net::HttpExchange>& exchange);

  // Whether who asks may change the server: with an admin key, or, where no keys are needed, from
  // this machine.
  bool may_administer(const net::HttpRequest& request) const;
  // What ends the server; set before the first request. Must be quick.
  void set_end(std::function<void()> end) { end_server_ = std::move(end); }
  void end_server() const { end_server_(); }
  double uptime_seconds() const;

  // Who hears of failures that clients are told of in general words; set before the first request.
  void set_log(std::function<void(const std::string&)> log) { log_ = std::move(log); }
  // Answers with an error, and logs one of the server's own.
  void reply_failure(const std::shared_ptr<net::HttpExchange>& exchange,
                     const std::exception_ptr& error) const;

  // How jobs are run; set before the first request.
  void set_post(Generation::Post post) { post_ = std::move(post); }
  const Generation::Post& post() const { return post_; }
  // Nothing new is taken; what runs goes on.
  void begin_stopping() { stopping_ = true; }
  bool stopping() const { return stopping_.load(); }
  // Ends what still runs with an error that says so.
  void stop_running();
  size_t num_running();
  // Brings the gauges up to date and returns the text.
  std::string metrics_text();

 private:
  // A request under way, and whose it is.
  struct Running {
    std::weak_ptr<Generation> generation;
    std::string tenant;
  };
  void keep(const std::shared_ptr<Generation>& generation, const Caller& caller);
  std::vector<std::shared_ptr<Generation>> alive();
  void ping();
  void show_disk(const engine::DiskTierStats& disk, ModelMetrics& metrics);

  ModelPool& pool_;
  std::unique_ptr<ApiKeys> keys_;
  std::string version_;
  Metrics metrics_;
  Generation::Post post_;
  std::function<void()> end_server_;
  std::function<void(const std::string&)> log_ = [](const std::string&) {};
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<Running> running_;
  std::condition_variable changed_;
  bool end_ = false;
  std::thread pinger_;  // last: it uses the others
};

// Calls `handler` and answers what it throws.
void guarded(Service& service, const std::shared_ptr<net::HttpExchange>& exchange,
             const std::function<void()>& handler);
// The headers and X-Request-Id: the client's own, which is used for nothing else, or a new one.
net::Headers with_request_id(const std::shared_ptr<net::HttpExchange>& exchange,
                             net::Headers headers);
void reply_json(const std::shared_ptr<net::HttpExchange>& exchange, int status,
                const base::Json& body);
void reply_error(const std::shared_ptr<net::HttpExchange>& exchange, const ApiError& error);

// The routes of all APIs.
std::vector<net::Route> make_routes(Service& service);

}  // namespace tulou::serve
