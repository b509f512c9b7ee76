// remote_server.cpp, remote_answer.cpp, against a server of this test's own, which sends what it is
// told to.
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/json_value.h"
#include "cli/remote_answer.h"
#include "net/http_server.h"

namespace tulou::cli {
namespace {

using base::Json;

class ScriptedServer {
 public:
  explicit ScriptedServer(const std::vector<std::string>& pieces, int status = 200,
                          bool hang = false) {
    const auto handler = [=, this](const std::shared_ptr<net::HttpExchange>& exchange) {
      {
        const std::lock_guard lock(mutex_);
        request_ = exchange->request();
        if (hang) held_.push_back(exchange);
      }
      if (status != 200) return exchange->reply(status, {}, pieces.at(0));
      exchange->begin_stream(200, {{"content-type", "text/event-stream"}});
      for (const std::string& piece : pieces) exchange->write(piece);
      if (!hang) exchange->end_stream();
    };
    std::vector<net::Route> routes;
    for (const char* path : {"/v1/chat/completions", "/v1/completions"}) {
      net::Route route;
      route.method = "POST";
      route.path = path;
      route.access = net::Access::kOpen;
      route.max_body = 1 << 20;
      route.handler = handler;
      routes.push_back(std::move(route));
    }
    server_ = std::make_unique<net::HttpServer>(net::ServerOptions(), std::move(routes));
    server_->start();
  }
  ~ScriptedServer() { server_->stop(); }

  RemoteServer client() const { return RemoteServer(server_->address() + "/v1"); }
  net::HttpRequest request() {
    const std::lock_guard lock(mutex_);
    return request_;
  }

 private:
  std::mutex mutex_;
  net::HttpRequest request_;
  std::vector<std::shared_ptr<net::HttpExchange>> held_;
  std::unique_ptr<net::HttpServer> server_;
};

const std::string kHead = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,";
const std::string kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,"
    "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n";

RemoteAnswer ask(const ScriptedServer& server, const Json& request) {
  const std::atomic<bool> cancel = false;
  return follow_remote(server.client(), request, cancel, nullptr);
}

Json chat_request() {
  AnswerSettings settings;
  settings.temperature = 0;
  settings.stops = {"END"};
  settings.think = false;
  return remote_chat_request("", Json::array({{{"role", "user"}, {"content", "Hi"}}}), settings);
}

TEST(Remote, AnAnswerIsPutTogether) {
  ScriptedServer server(
      {": ping\n\n", kHead + "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
       kHead + "\"delta\":{\"reasoning_content\":\"hm\",\"reasoning\":\"hm\"}}]}\n", "\n",
       kHead + "\"delta\":{\"content\":\"Hel\"}}]}\n\n" + kHead +
           "\"delta\":{\"content\":\"lo\"}}]}\n\n",
       kHead + "\"delta\":{},\"finish_reason\":\"length\"}]}\n\n", kUsage, "data: [DONE]\n\n"});
  setenv("TULOU_API_KEY", "secret", 1);
  const RemoteAnswer answer = ask(server, chat_request());
  unsetenv("TULOU_API_KEY");
  EXPECT_EQ(answer.result.text, "Hello");
  EXPECT_EQ(answer.result.reasoning, "hm");
  EXPECT_EQ(answer.result.finish_reason, engine::FinishReason::kLength);
  EXPECT_EQ(answer.result.prompt_tokens, 9);
  EXPECT_EQ(answer.result.generated_tokens, 3);
  EXPECT_EQ(answer.cached_tokens, 4);
  EXPECT_EQ(answer.model, "m");
  EXPECT_EQ(server.request().header("authorization"), "Bearer secret");
  const Json body = base::parse_json(server.request().body, "body");
  EXPECT_EQ(body, base::parse_json(R"({"stream": true, "stream_options": {"include_usage": true},
      "temperature": 0.0, "stop": ["END"], "messages": [{"role": "user", "content": "Hi"}],
      "enable_thinking": false})",
                                   "expected"));
}

TEST(Remote, ATextIsContinued) {
  ScriptedServer server({kHead + "\"text\":\" is\"}]}\n\n",
                         kHead + "\"text\":\" wet\",\"finish_reason\":\"stop\"}]}\n\n", kUsage,
                         "data: [DONE]\n\n"});
  const RemoteAnswer answer = ask(server, remote_text_request("m", "Rain", {}));
  EXPECT_EQ(answer.result.text, " is wet");
  EXPECT_EQ(answer.result.finish_reason, engine::FinishReason::kStop);
  EXPECT_EQ(server.request().path, "/v1/completions");
  EXPECT_TRUE(server.request().header("authorization").empty());
  EXPECT_EQ(base::parse_json(server.request().body, "body")["max_tokens"], 1 << 30);
}

// The message of the error that an answer ends with.
std::string failure(const std::vector<std::string>& pieces, int status = 200) {
  const ScriptedServer server(pieces, status);
  try {
    ask(server, chat_request());
  } catch (const base::Error& error) {
    return error.id() + " " + error.arguments().back();
  }
  return "";
}

TEST(Remote, WhatTheServerRefusesIsTold) {
  const std::string error = R"({"error": {"message": "too long", "code": "x"}})";
  EXPECT_EQ(failure({error}, 400), "cli.server_refused too long");
  EXPECT_EQ(failure({"<html>"}, 502), "cli.server_refused <html>");
  EXPECT_EQ(failure({""}, 503), "cli.server_refused no message");
  EXPECT_EQ(failure({"data: " + error + "\n\ndata: [DONE]\n\n"}), "cli.server_refused too long");
  EXPECT_TRUE(failure({kUsage}).starts_with("net.closed_early"));
  EXPECT_TRUE(failure({"data: {\n\n"}).starts_with("json.invalid"));
  EXPECT_TRUE(failure({"data: 1\n\n"}).starts_with("net.bad_response"));
  EXPECT_TRUE(failure({"data: {\"choices\":[1]}\n\n"}).starts_with("json.wrong_type"));
}

TEST(Remote, CtrlCKeepsWhatCame) {
  const ScriptedServer server({kHead + "\"delta\":{\"content\":\"Hel\"}}]}\n\n"}, 200, true);
  std::atomic<bool> cancel = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel = true;
  });
  const RemoteAnswer answer = follow_remote(server.client(), chat_request(), cancel, nullptr);
  other.join();
  EXPECT_EQ(answer.result.text, "Hel");
  EXPECT_EQ(answer.result.finish_reason, engine::FinishReason::kCancelled);
}

TEST(Remote, AddressesAndKeysAreChecked) {
  const auto error = [](const std::string& url) -> std::string {
    try {
      const RemoteServer server(url);
    } catch (const base::Error& problem) {
      return problem.id();
    }
    return "";
  };
  EXPECT_EQ(error("https://a.org"), "net.url_scheme");
  EXPECT_EQ(error("a.org"), "net.bad_url");
  EXPECT_EQ(error("unix:/tmp/x"), "");
  setenv("TULOU_API_KEY", "a\r\nX: y", 1);
  EXPECT_EQ(error("http://a.org"), "cli.bad_value");
  unsetenv("TULOU_API_KEY");
}

}  // namespace
}  // namespace tulou::cli
