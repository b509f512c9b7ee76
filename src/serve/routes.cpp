// The table of routes, and the small ones.
#include "serve/routes.h"

#include "base/error.h"
#include "base/json_value.h"
#include "serve/list_response.h"
#include "serve/openapi.h"

namespace tulou::serve {
namespace {

using Handler = void (*)(Service&, const Exchange&);

constexpr size_t kMaxBody = size_t{32} << 20;

void models(Service& service, const Exchange& exchange) {
  std::vector<ServedModel> list;
  for (const PoolEntry& entry : service.pool().entries()) {
    for (const std::string& name : entry.names) {
      list.push_back(entry.info);
      list.back().id = name;
    }
  }
  reply_json(exchange, 200, model_list(list));
}

void one_model(Service& service, const Exchange& exchange) {
  const std::string& name = exchange->request().name;
  ServedModel info = service.pool().entries().at(service.pool().index(name)).info;
  info.id = name;
  reply_json(exchange, 200, model_object(info));
}

void alive(Service&, const Exchange& exchange) { reply_json(exchange, 200, {{"status", "ok"}}); }

void ready(Service& service, const Exchange& exchange) {
  if (service.stopping()) throw base::Error("serve.stopping");
  for (const PoolEntry& entry : service.pool().entries()) {
    if (!entry.model) continue;
    const engine::Engine& engine = *entry.model->engine;
    if (engine.stats().waiting >= static_cast<int64_t>(engine.options().max_waiting))
      throw base::Error("serve.queue_full");
  }
  reply_json(exchange, 200, {{"status", "ok"}});
}

void version(Service& service, const Exchange& exchange) {
  reply_json(exchange, 200, version_object(service.version()));
}

void metrics(Service& service, const Exchange& exchange) {
  exchange->reply(200, {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                  service.metrics_text());
}

void openapi_json(Service& service, const Exchange& exchange) {
  reply_json(exchange, 200, openapi(service.version()));
}

// A handler whose model is not there yet starts anew when it is.
void answer(Service& service, Handler handler, const Exchange& exchange) {
  guarded(service, exchange, [&] {
    try {
      handler(service, exchange);
    } catch (const ModelNotLoaded& missing) {
      service.when_loaded(missing.index, exchange,
                          [&service, handler, exchange] { answer(service, handler, exchange); });
    }
  });
}

}  // namespace

net::Headers stream_headers() {
  return {{"content-type", "text/event-stream; charset=utf-8"},
          {"cache-control", "no-cache"},
          {"x-accel-buffering", "no"}};
}

std::vector<net::Route> make_routes(Service& service) {
  std::vector<net::Route> routes;
  const auto add = [&](const char* method, const char* path, net::Access access, Handler handler) {
    net::Route route;
    route.method = method;
    route.path = path;
    route.access = access;
    route.json = route.method == "POST";
    route.max_body = route.json ? kMaxBody : 0;
    route.handler = [&service, handler](const Exchange& exchange) {
      answer(service, handler, exchange);
    };
    // What tells whether the server lives must not wait for those who work.
    route.in_place = handler == alive || handler == ready;
    routes.push_back(std::move(route));
  };
  using enum net::Access;
  add("POST", "/v1/chat/completions", kKey, chat_completions);
  add("POST", "/v1/completions", kKey, completions);
  add("POST", "/v1/embeddings", kKey, embeddings);
  add("POST", "/v1/rerank", kKey, rerank);
  add("POST", "/rerank", kKey, rerank);
  add("GET", "/v1/models", kKey, models);
  add("GET", "/v1/models/{name}", kKey, one_model);
  add("POST", "/tokenize", kKey, tokenize);
  add("POST", "/detokenize", kKey, detokenize);
  add("GET", "/tokenizer_info", kKey, tokenizer_info);
  add("GET", "/tulou/ps", kKey, show_running);
  add("POST", "/tulou/stop", kKey, stop);
  add("GET", "/health", kOpen, ready);
  add("GET", "/livez", kOpen, alive);
  add("GET", "/readyz", kOpen, ready);
  add("GET", "/version", kKey, version);
  add("GET", "/metrics", kKeyOffLoopback, metrics);
  add("GET", "/openapi.json", kKeyOffLoopback, openapi_json);
  return routes;
}

}  // namespace tulou::serve
