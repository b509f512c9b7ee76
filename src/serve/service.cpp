#include "serve/service.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"

namespace tulou::serve {
namespace {

constexpr std::chrono::seconds kSilence{15};  // then a stream says that it is alive

std::string words_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace

Service::Service(ModelPool& pool, std::unique_ptr<ApiKeys> keys, std::string version)
    : pool_(pool),
      keys_(std::move(keys)),
      version_(std::move(version)),
      pinger_([this] { ping(); }) {}

Service::~Service() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  pinger_.join();
}

std::shared_ptr<LoadedModel> Service::model(std::string_view name) const {
  const size_t index = pool_.index(name);
  if (auto model = pool_.acquire(index)) return model;
  throw ModelNotLoaded{index};
}

void Service::when_loaded(size_t index, const std::shared_ptr<net::HttpExchange>& exchange,
                          std::function<void()> again) {
  if (stopping_) throw base::Error("serve.stopping");
  pool_.load(index, [this, exchange, again = std::move(again)](std::shared_ptr<const void> hold,
                                                               const std::exception_ptr& error) {
    if (exchange->gone()) return;
    if (error) return reply_failure(exchange, error);
    post_([again, hold = std::move(hold)] { again(); });
  });
}

void Service::reply_failure(const std::shared_ptr<net::HttpExchange>& exchange,
                            const std::exception_ptr& error) const {
  const ApiError told = api_error(error);
  if (told.status == 500) log_("error: " + words_of(error));
  reply_error(exchange, told);
}

int Service::authorize(net::HttpRequest& request) {
  if (!keys_) return 0;
  std::string_view key = bearer_key(request.header("authorization"));
  if (key.empty()) key = request.header("x-api-key");
  const auto found = keys_->find(key);
  if (!found) {
    metrics_.rejected_unauthorized.add();
    return 401;
  }
  request.identity = found->id;
  return 0;
}

Caller Service::caller(const net::HttpRequest& request) const {
  Caller caller;
  caller.tenant = request.identity;
  if (!keys_) return caller;
  if (const auto key = keys_->by_id(request.identity)) {
    caller.priority = key->priority;
    caller.budget.max_answers = key->limits.max_answers.value_or(caller.budget.max_answers);
    caller.budget.max_answer_tokens =
        key->limits.max_answer_tokens.value_or(caller.budget.max_answer_tokens);
    caller.max_streams = key->limits.max_streams;
  }
  return caller;
}

bool Service::may_administer(const net::HttpRequest& request) const {
  if (!keys_) return request.peer == "unix" || net::is_loopback(request.peer);
  const auto key = keys_->by_id(request.identity);
  return key && key->role == KeyRole::kAdmin;
}

double Service::uptime_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

void Service::keep(const std::shared_ptr<Generation>& generation, const Caller& caller) {
  const std::lock_guard lock(mutex_);
  std::erase_if(running_, [](const Running& one) {
    const auto alive = one.generation.lock();
    return !alive || alive->finished();
  });
  const auto mine = std::ranges::count(running_, caller.tenant, &Running::tenant);
  if (caller.max_streams && mine >= *caller.max_streams)
    throw base::Error("serve.key_limit", *caller.max_streams);
  running_.push_back({generation, caller.tenant});
}

void Service::run(GenerationPlan plan, std::unique_ptr<AnswerSink> sink,
                  const std::shared_ptr<net::HttpExchange>& exchange) {
  if (stopping_) throw base::Error("serve.stopping");
  ModelMetrics& metrics = metrics_.model(plan.model->names.front());
  const auto generation =
      std::make_shared<Generation>(std::move(plan), std::move(sink), metrics, post_);
  keep(generation, caller(exchange->request()));
  generation->start();
  // The exchange keeps the request alive until it is answered.
  exchange->on_gone([generation, this] {
    metrics_.disconnects.add();
    generation->cancel();
  });
}

std::vector<std::shared_ptr<Generation>> Service::alive() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Generation>> result;
  for (const Running& one : running_) {
    auto alive = one.generation.lock();
    if (alive && !alive->finished()) result.push_back(std::move(alive));
  }
  return result;
}

size_t Service::num_running() { return alive().size(); }

void Service::stop_running() {
  for (const auto& one : alive()) one->fail(api_error(base::Error("serve.stopping")));
}

void Service::ping() {
  std::unique_lock lock(mutex_);
  while (!end_) {
    changed_.wait_for(lock, std::chrono::seconds(1));
    lock.unlock();
    for (const auto& one : alive()) one->ping_after(kSilence);
    lock.lock();
  }
}

void Service::show_disk(const engine::DiskTierStats& disk, ModelMetrics& metrics) {
  metrics.disk_hits.set(static_cast<double>(disk.hits));
  metrics.disk_tokens.set(static_cast<double>(disk.tokens_found));
  metrics.disk_writes.set(static_cast<double>(disk.writes));
  metrics.disk_dropped.set(static_cast<double>(disk.dropped));
  metrics_.has_disk = true;
  metrics_.disk_bytes.set(static_cast<double>(disk.store.bytes));
  metrics_.disk_entries.set(static_cast<double>(disk.store.entries));
  metrics_.disk_evictions.set(static_cast<double>(disk.store.evictions));
  metrics_.disk_damaged.set(static_cast<double>(disk.store.damaged));
  metrics_.disk_failures.set(static_cast<double>(disk.store.failures));
}

std::string Service::metrics_text() {
  for (const PoolEntry& entry : pool_.entries()) {
    if (!entry.model) continue;
    const engine::EngineStats stats = entry.model->engine->stats();
    ModelMetrics& metrics = metrics_.model(entry.names.front());
    metrics.requests_running.set(static_cast<double>(stats.running));
    metrics.requests_waiting.set(static_cast<double>(stats.waiting));
    const auto blocks = static_cast<double>(std::max<int64_t>(stats.blocks, 1));
    metrics.cache_usage.set(static_cast<double>(stats.blocks - stats.free_blocks) / blocks);
    metrics.cache_block_size.set(static_cast<double>(model::kKvBlockTokens));
    metrics.cache_num_blocks.set(static_cast<double>(stats.blocks));
    metrics.prefix_queries.set(static_cast<double>(stats.prefixes.tokens_asked));
    metrics.prefix_hits.set(static_cast<double>(stats.prefixes.tokens_found));
    metrics.preemptions.set(static_cast<double>(stats.preemptions));
    if (stats.disk) show_disk(*stats.disk, metrics);
  }
  return metrics_.text();
}

net::Headers with_request_id(const std::shared_ptr<net::HttpExchange>& exchange,
                             net::Headers headers) {
  const std::string_view id = exchange->request().request_id();
  headers.emplace_back("x-request-id", id.empty() ? response_id("req_") : std::string(id));
  return headers;
}

void reply_json(const std::shared_ptr<net::HttpExchange>& exchange, int status,
                const base::Json& body) {
  exchange->reply(status, with_request_id(exchange, {{"content-type", "application/json"}}),
                  base::to_json_text(body));
}

void reply_error(const std::shared_ptr<net::HttpExchange>& exchange, const ApiError& error) {
  net::Headers headers = {{"content-type", "application/json"}};
  if (error.retry_after_s > 0)
    headers.emplace_back("retry-after", std::to_string(error.retry_after_s));
  exchange->reply(error.status, with_request_id(exchange, std::move(headers)),
                  base::to_json_text(error.body()));
}

void guarded(Service& service, const std::shared_ptr<net::HttpExchange>& exchange,
             const std::function<void()>& handler) {
  try {
    handler();
  } catch (...) {
    service.reply_failure(exchange, std::current_exception());
  }
}

}  // namespace tulou::serve
