// GET /tulou/ps and POST /tulou/stop: what `tulou ps` and `tulou stop` ask.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "serve/routes.h"
#include "serve/stop_request.h"

namespace tulou::serve {
namespace {

base::Json entry_json(const PoolEntry& entry, double uptime_seconds) {
  base::Json json = {{"names", entry.names},
                     {"state", model_state_name(entry.state)},
                     {"weights_bytes", entry.info.size_bytes}};
  if (!entry.model) return json;
  const engine::Engine& engine = *entry.model->engine;
  const engine::EngineStats stats = engine.stats();
  json["cache_bytes"] = engine.cache().plan().bytes();
  json["context"] = engine.options().context;
  json["running"] = stats.running;
  json["waiting"] = stats.waiting;
  json["prompt_tokens"] = stats.prompt_tokens;
  json["generated_tokens"] = stats.generated_tokens;
  json["tokens_per_second"] = static_cast<double>(stats.generated_tokens) / uptime_seconds;
  return json;
}

}  // namespace

void show_running(Service& service, const Exchange& exchange) {
  const double seconds = std::max(service.uptime_seconds(), 1e-3);
  base::Json models = base::Json::array();
  for (const PoolEntry& entry : service.pool().entries())
    models.push_back(entry_json(entry, seconds));
  reply_json(
      exchange, 200,
      {{"version", service.version()}, {"uptime_seconds", seconds}, {"models", std::move(models)}});
}

void stop(Service& service, const Exchange& exchange) {
  const StopRequest request = parse_stop_request(exchange->request().body);
  if (!service.may_administer(exchange->request())) throw base::Error("serve.forbidden");
  if (request.model.empty()) {
    reply_json(exchange, 200, {{"status", "stopping"}});
    service.end_server();
    return;
  }
  service.pool().unload(service.pool().index(request.model));
  reply_json(exchange, 200, {{"status", "unloading"}});
}

}  // namespace tulou::serve
