// model_pool.cpp, admin_routes.cpp, stop_request.cpp.
#include "serve/model_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "serve/error_test.h"
#include "serve/test_server.h"

namespace tulou::serve {
namespace {

using base::Json;
using std::chrono::milliseconds;

Json request(const std::string& model) {
  return {{"model", model}, {"prompt", "Hello"}, {"temperature", 0}, {"max_tokens", 8}};
}

// The states of all models, "loaded unloaded".
std::string states(ModelPool& pool) {
  std::string text;
  for (const PoolEntry& entry : pool.entries())
    text += (text.empty() ? "" : " ") + std::string(model_state_name(entry.state));
  return text;
}

bool becomes(ModelPool& pool, const std::string& wanted) {
  for (int i = 0; i < 5000 && states(pool) != wanted; ++i)
    std::this_thread::sleep_for(milliseconds(1));
  return states(pool) == wanted;
}

TEST(ModelPool, ModelsAreLoadedWhenAskedForAndMakeRoom) {
  TestServerOptions options;
  options.num_models = 3;
  options.num_loaded = 2;
  TestServer server(options);
  EXPECT_EQ(states(server.pool()), "loaded unloaded unloaded");
  const Json first = server.ask("/v1/completions", request("tiny"))["choices"];
  EXPECT_EQ(server.ask("/v1/completions", request("tiny-1"))["choices"], first);
  EXPECT_EQ(states(server.pool()), "loaded loaded unloaded");
  // The one that was used longest ago goes.
  EXPECT_EQ(server.ask("/v1/completions", request("tiny-2"))["choices"], first);
  EXPECT_EQ(states(server.pool()), "unloaded loaded loaded");
  EXPECT_EQ(server.ask("/v1/completions", request("other-name"))["choices"], first);
  EXPECT_EQ(states(server.pool()), "loaded unloaded loaded");
  EXPECT_EQ(server.post("/v1/completions", request("tiny-3")).status, 404);
}

TEST(ModelPool, WhoHoldsAModelKeepsIt) {
  TestServerOptions options;
  options.num_models = 2;
  TestServer server(options);
  auto held = server.pool().acquire(0);
  ASSERT_TRUE(held);
  std::atomic<bool> answered = false;
  std::thread other([&] {
    server.ask("/v1/completions", request("tiny-1"));
    answered = true;
  });
  ASSERT_TRUE(becomes(server.pool(), "unloading unloaded"));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(answered);
  EXPECT_FALSE(server.pool().acquire(0));  // the other's turn has come
  EXPECT_EQ(held->engine->options().context, 256);
  held.reset();
  other.join();
  EXPECT_EQ(states(server.pool()), "unloaded loaded");
}

TEST(ModelPool, WhatIsIdleIsUnloaded) {
  TestServer server;
  engine::EngineThread engines;
  PooledModel model;
  model.names = {"a"};
  int num_loads = 0;
  model.load = [&]() -> std::shared_ptr<LoadedModel> {
    if (++num_loads == 2) throw base::Error("serve.no_memory");
    return server.make_model("a");
  };
  PoolOptions options;
  options.idle = milliseconds(30);
  ModelPool pool({model}, options, engines);
  const auto load = [&] {
    std::promise<std::string> told;
    pool.load(0, [&](const auto&, const std::exception_ptr& error) {
      told.set_value(error ? failure_of([&] { std::rethrow_exception(error); }).id : "");
    });
    return told.get_future().get();
  };
  EXPECT_EQ(load(), "");
  EXPECT_TRUE(becomes(pool, "unloaded"));
  EXPECT_EQ(load(), "serve.no_memory");
  EXPECT_EQ(states(pool), "unloaded");
  EXPECT_EQ(load(), "");
  const auto held = pool.acquire(0);
  ASSERT_TRUE(held);
  std::this_thread::sleep_for(milliseconds(80));
  EXPECT_EQ(states(pool), "loaded");
}

TEST(ModelPool, WaitingHasABound) {
  engine::EngineThread engines;
  std::promise<void> go;
  PooledModel model;
  model.names = {"a"};
  model.load = [&]() -> std::shared_ptr<LoadedModel> {
    go.get_future().wait();
    throw base::Error("serve.no_memory");
  };
  PoolOptions options;
  options.max_waiting = 3;
  std::atomic<int> told = 0;
  {
    ModelPool pool({model}, options, engines);
    const auto count = [&](const auto&, const std::exception_ptr& error) { told += error ? 1 : 0; };
    for (int i = 0; i < 3; ++i) pool.load(0, count);
    EXPECT_EQ(failure_of([&] { pool.load(0, count); }).id, "serve.loading");
    ASSERT_TRUE(becomes(pool, "loading"));
    EXPECT_EQ(failure_of([&] { pool.unload(0); }).id, "serve.conflict");
    go.set_value();
  }
  EXPECT_EQ(told, 3);
}

// 200 times and more models come and go while clients ask for all of them.
TEST(ModelPool, TrafficWhileModelsComeAndGo) {
  TestServerOptions options;
  options.num_models = 3;
  TestServer server(options);
  const Json expected = server.ask("/v1/completions", request("tiny"))["choices"];
  std::vector<std::thread> clients;
  std::atomic<int> answers = 0;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 40; ++i) {
        const int model = (client + i) % 3;
        const std::string name = model == 0 ? "tiny" : "tiny-" + std::to_string(model);
        if (server.ask("/v1/completions", request(name))["choices"] == expected) ++answers;
      }
    });
  }
  std::thread stopping([&] {
    for (int i = 0; i < 100; ++i) {
      try {
        server.pool().unload(static_cast<size_t>(i % 3));
      } catch (const base::Error& error) {
        EXPECT_EQ(error.id(), "serve.conflict");
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
  });
  for (std::thread& client : clients) client.join();
  stopping.join();
  EXPECT_EQ(answers, 240);
}

TEST(Admin, PsAndStop) {
  TestServerOptions options;
  options.num_models = 2;
  TestServer server(options);
  std::atomic<int> ended = 0;
  server.service().set_end([&] { ++ended; });
  server.ask("/v1/completions", request("tiny"));
  net::HttpClient client(server.address());
  const Json running = base::parse_json(client.send("GET", "/tulou/ps", {}, "").body, "ps");
  EXPECT_EQ(running["version"], "test");
  ASSERT_EQ(running["models"].size(), 2u);
  EXPECT_EQ(running["models"][0]["names"], Json({"tiny", "other-name"}));
  EXPECT_EQ(running["models"][0]["state"], "loaded");
  EXPECT_EQ(running["models"][0]["generated_tokens"], 8);
  EXPECT_GT(running["models"][0]["cache_bytes"], 0);
  EXPECT_EQ(running["models"][1]["state"], "unloaded");
  EXPECT_EQ(server.post("/tulou/stop", {{"model", 1}}).status, 400);
  EXPECT_EQ(server.post("/tulou/stop", {{"model", "other"}}).status, 404);
  EXPECT_EQ(server.ask("/tulou/stop", {{"model", "tiny"}})["status"], "unloading");
  EXPECT_TRUE(becomes(server.pool(), "unloaded unloaded"));
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(server.ask("/tulou/stop", Json::object())["status"], "stopping");
  for (int i = 0; i < 1000 && ended == 0; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace tulou::serve
