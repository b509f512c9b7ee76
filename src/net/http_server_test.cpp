// The server over real sockets: http_server.cpp, connection.cpp, stream.cpp, admission.cpp.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "base/file.h"
#include "base/number.h"
#include "net/refusal.h"
#include "net/test_server.h"

namespace tulou::net {
namespace {

constexpr const char* kHello = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string unescaped(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x') {
      const auto digit = [](char d) { return d <= '9' ? d - '0' : d - 'a' + 10; };
      bytes += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else if (c == '(') {
      const size_t colon = text.find(':', i), end = text.find(')', i);
      const auto count = base::parse_uint(text.substr(i + 1, colon - i - 1)).value();
      const std::string part = unescaped(text.substr(colon + 1, end - colon - 1));
      for (uint64_t k = 0; k < count; ++k) bytes += part;
      i = end;
    } else {
      bytes += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
    }
  }
  return bytes;
}

struct BadRequest {
  std::string name;
  int status;
  std::string bytes;
};

std::vector<BadRequest> bad_requests() {
  std::vector<BadRequest> all;
  const std::string text = base::read_file("src/net/data/malformed_requests.txt", 1u << 20);
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    if (line.starts_with('#')) continue;
    const size_t first = line.find(' '), second = line.find(' ', first + 1);
    all.push_back({line.substr(0, first),
                   static_cast<int>(*base::parse_int(line.substr(first + 1, second - first - 1))),
                   unescaped(std::string_view(line).substr(second + 1))});
  }
  return all;
}

ServerOptions with_cors() {
  ServerOptions options;
  options.cors_origins = {"https://app.example.org"};
  return options;
}

TEST(HttpServer, MalformedRequestsAreRefusedAndTheNextOneIsAnswered) {
  const TestServer test(with_cors());
  const auto all = bad_requests();
  ASSERT_GE(all.size(), 120u);
  RawClient other(test.server->port());  // one connection that lives through all of it
  for (const auto& [name, status, bytes] : all) {
    RawClient client(test.server->port());
    client.send(bytes);
    const std::string answer = client.receive_answer();
    EXPECT_EQ(status_of(answer), status) << name << ": " << answer;
    const bool ends = answer.find("Connection: close\r\n") != std::string::npos;
    // Only what was understood to its end may be followed by another request.
    const bool understood = status == 401 || status == 403 || status == 404 || status == 405;
    EXPECT_TRUE(ends || understood || status == 413 || status == 415) << name;
    if (ends) client.receive();
    EXPECT_TRUE(!ends || client.closed()) << name;
    other.send(kHello);
    EXPECT_EQ(body_of(other.receive_answer()), "hello") << name;
  }
  EXPECT_EQ(test.server->counters().refused, all.size());
}

TEST(HttpServer, MalformedRequestsByteByByteGiveTheSame) {
  const TestServer test(with_cors());
  for (const auto& [name, status, bytes] : bad_requests()) {
    if (bytes.size() > 300 || bytes.size() % 4 != 0) continue;  // some of them
    RawClient client(test.server->port());
    for (const char c : bytes)
      if (!client.send({&c, 1})) break;
    EXPECT_EQ(status_of(client.receive_answer()), status) << name;
  }
}

TEST(HttpServer, AnswersWhatIsWellFormed) {
  TestServer test;
  EXPECT_EQ(body_of(test.get("/hello")), "hello");
  EXPECT_EQ(body_of(test.get("/hello?a=b%20c&d[]=%ff")), "hello");
  EXPECT_EQ(body_of(test.get("/%68ello")), "hello");
  EXPECT_EQ(body_of(test.get("/models/a%2Fb%20%C3%A9")), "a/b \xc3\xa9");
  EXPECT_EQ(body_of(test.get("/models/...")), "...");
  EXPECT_EQ(status_of(test.get("/secret")), 401);
  EXPECT_EQ(body_of(test.get("/secret", "Authorization: Bearer right\r\n")), "somebody");
  EXPECT_EQ(body_of(test.get("/metrics")), "metrics");
  EXPECT_EQ(body_of(test.get("/live")), "alive");
  const std::string head =
      test.send("HEAD /hello HTTP/1.1\r\nHost: 127.0.0.1:99\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(head.find("Content-Length: 5\r\n") != std::string::npos && body_of(head).empty());
  const std::string options =
      test.send("OPTIONS /hello HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(options), 204);
  EXPECT_NE(options.find("Allow: GET, HEAD, OPTIONS\r\n"), std::string::npos) << options;
  const std::string old = test.send("GET /hello HTTP/1.0\r\nhOST: LOCALHOST\r\n\r\n");
  EXPECT_EQ(body_of(old), "hello");
}

TEST(HttpServer, BodiesInAnyForm) {
  TestServer test;
  const std::string start =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Type: Application/JSON; charset=utf-8\r\n";
  EXPECT_EQ(body_of(test.send(start + "Content-Length: 7\r\n\r\n{\"a\":1}")), "{\"a\":1}");
  EXPECT_EQ(body_of(test.send(start + "Content-Length: 0\r\n\r\n")), "");
  EXPECT_EQ(body_of(test.send(start + "Content-Length: 1024\r\n\r\n" + std::string(1024, 'a'))),
            std::string(1024, 'a'));
  EXPECT_EQ(body_of(test.send(start + "Transfer-Encoding: Chunked\r\n\r\n"
                                      "03\r\nabc\r\nA\r\n0123456789\r\n000\r\n\r\n")),
            "abc0123456789");
  std::string ones;
  for (int i = 0; i < 1024; ++i) ones += "1\r\nx\r\n";
  EXPECT_EQ(body_of(test.send(start + "Transfer-Encoding: chunked\r\n\r\n" + ones + "0\r\n\r\n")),
            std::string(1024, 'x'));
  EXPECT_EQ(status_of(test.send(start + "Transfer-Encoding: chunked\r\n\r\n" + ones +
                                "1\r\nx\r\n0\r\n\r\n")),
            413);
}

TEST(HttpServer, ExpectContinueIsAnsweredBeforeTheBody) {
  const TestServer test;
  RawClient client(test.server->port());
  client.send(
      "POST /raw HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\n"
      "Content-Length: 5\r\n\r\n");
  const std::string first = client.receive(
      [](const std::string& all) { return all.find("\r\n\r\n") != std::string::npos; });
  EXPECT_EQ(first, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(body_of(client.receive_answer()), "hello");
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  const TestServer test;
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += "GET /models/" + base::to_text(i) + " HTTP/1.1\r\nHost: localhost\r\n" +
           (i == 49 ? "Connection: close\r\n\r\n" : "\r\n");
  const std::string answers = test.send(all);
  size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find("\r\n\r\n" + base::to_text(i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST(HttpServer, CorsIsForTheOriginsThatAreNamed) {
  const TestServer test(with_cors());
  const std::string port = base::to_text(test.server->port());
  const std::string plain = test.get("/hello");
  EXPECT_EQ(plain.find("Access-Control-Allow-Origin"), std::string::npos);
  EXPECT_NE(plain.find("Vary: Origin"), std::string::npos);
  EXPECT_EQ(body_of(test.get("/hello", "Origin: http://localhost\r\n")), "hello");
  const std::string allowed = test.get("/hello", "Origin: https://app.example.org\r\n");
  EXPECT_NE(allowed.find("Access-Control-Allow-Origin: https://app.example.org\r\n"),
            std::string::npos);
  const std::string preflight =
      test.send("OPTIONS /echo HTTP/1.1\r\nHost: localhost:" + port +
                "\r\nOrigin: https://app.example.org\r\nConnection: close\r\n"
                "Access-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: authorization,x-stainless-os\r\n\r\n");
  EXPECT_EQ(status_of(preflight), 204);
  EXPECT_NE(preflight.find("Access-Control-Allow-Methods: POST, OPTIONS\r\n"), std::string::npos);
  EXPECT_NE(preflight.find("Access-Control-Allow-Headers: authorization,x-stainless-os\r\n"),
            std::string::npos);
  for (const std::string& answer : {plain, allowed, preflight})
    EXPECT_EQ(answer.find("Access-Control-Allow-Origin: *"), std::string::npos);
}

TEST(HttpServer, AllowedHostsAreNamesOfTheServer) {
  ServerOptions options;
  options.allowed_hosts = {"Models.Example.org"};
  const TestServer test(std::move(options));
  const auto ask = [&](const std::string& host) {
    return status_of(
        test.send("GET /hello HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"));
  };
  EXPECT_EQ(ask("models.example.org"), 200);
  EXPECT_EQ(ask("models.example.org:8443"), 200);
  EXPECT_EQ(ask("127.0.0.1"), 200);
  EXPECT_EQ(ask("127.0.0.9"), 200);
  EXPECT_EQ(ask("other.example.org"), 403);
  EXPECT_EQ(ask("models.example.org.evil.example"), 403);
}

TEST(HttpServer, ErrorsHaveTheFormThatTheUserOfTheServerGives) {
  ServerOptions options;
  options.error_body = [](int status, std::string_view id, std::string_view) {
    return base::to_text(status) + " " + std::string(id);
  };
  const auto fail = [](const std::shared_ptr<HttpExchange>&) {
    throw std::runtime_error("something secret");
  };
  const auto forget = [](const std::shared_ptr<HttpExchange>&) {};
  const TestServer test(std::move(options), {{"GET", "/fail", Access::kOpen, 0, fail},
                                             {"GET", "/forget", Access::kOpen, 0, forget}});
  const std::string missing = test.get("/nothing");
  EXPECT_EQ(body_of(missing), "404 http.not_found");
  EXPECT_NE(missing.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_EQ(body_of(test.get("/fail")), "500 http.internal");
  EXPECT_EQ(body_of(test.get("/forget")), "500 http.internal");
  EXPECT_EQ(test.get("/secret"), test.get("/secret", "Authorization: Bearer no\r\n"));
}

TEST(HttpServer, RefusalsCarryTheIdOfTheRequest) {
  const TestServer test;
  const auto answer = [&](const std::string& id) {
    return test.get("/secret", "X-Request-Id: " + id + "\r\n");
  };
  EXPECT_NE(answer("a-1").find("X-Request-Id: a-1\r\n"), std::string::npos);
  for (const std::string& bad :
       {std::string("a b"), std::string(129, 'a'), std::string("\xc3\xa9")})
    EXPECT_EQ(answer(bad).find("X-Request-Id"), std::string::npos) << bad;
}

TEST(HttpServer, FullQueueIsSaidAtOnceAndLivenessStillAnswers) {
  std::promise<void> go;
  const std::shared_future<void> gate(go.get_future());
  std::atomic<int> running = 0;
  const auto slow = [&](const std::shared_ptr<HttpExchange>& exchange) {
    ++running;
    gate.wait();
    exchange->reply(200, {}, "done");
  };
  ServerOptions options;
  options.workers = 2;
  options.max_queued = 3;
  const TestServer test(std::move(options), {{"GET", "/slow", Access::kOpen, 0, slow}});
  std::vector<RawClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(test.server->port());
    clients.back().send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const uint64_t before = static_cast<uint64_t>(i);
    ASSERT_TRUE(eventually([&] { return test.server->counters().requests > before; }));
    if (i == 1) {
      ASSERT_TRUE(eventually([&] { return running == 2; }));
    }
  }
  EXPECT_EQ(test.server->counters().queued_now, 3u);
  for (int i = 0; i < 20; ++i) {
    const std::string refused = test.get("/slow");
    EXPECT_EQ(status_of(refused), 503);
    EXPECT_NE(refused.find("Retry-After: 1\r\n"), std::string::npos);
    EXPECT_EQ(body_of(test.get("/live")), "alive");
  }
  go.set_value();
  for (RawClient& client : clients) EXPECT_EQ(body_of(client.receive_answer()), "done");
  EXPECT_EQ(body_of(test.get("/slow")), "done");
}

TEST(HttpServer, BodiesShareOneBound) {
  ServerOptions options;
  options.max_body_memory = 5000;
  TestServer test(std::move(options));
  RawClient client(test.server->port());
  client.send("POST /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\nabc");
  ASSERT_TRUE(eventually([&] { return test.server->counters().bytes_received > 60; }));
  const std::string post =
      "POST /raw HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Length: 2000\r\n\r\n" +
      std::string(2000, 'x');
  EXPECT_EQ(status_of(test.send(post)), 503);
  client.close();
  EXPECT_TRUE(eventually([&] { return status_of(test.send(post)) == 200; }));
}

TEST(HttpServer, EveryRefusalIsDocumented) {
  const std::string page = base::read_file("docs/http.md", 1u << 20);
  for (const Refusal* refusal : refusal::kAll) {
    const std::string row =
        "| " + base::to_text(refusal->status) + " | `" + std::string(refusal->id) + "` |";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace tulou::net
