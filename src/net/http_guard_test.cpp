// The parts without sockets: http_guard.cpp, chunked.cpp, http_response.cpp, admission.cpp,
// exchange.cpp, worker_pool.cpp. What is refused stands in data/malformed_requests.txt.
#include "net/http_guard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

#include "net/admission.h"
#include "net/chunked.h"
#include "net/exchange.h"
#include "net/http_response.h"
#include "net/worker_pool.h"

namespace tulou::net {
namespace {

const std::string kFine =
    "POST /v1/models/a%2Fb?x=1 HTTP/1.1\r\nHOST: localhost:80\r\nContent-Length: 12\r\n"
    "X-Empty:\r\nX-Spaces: \t a b \t\r\nAccept: */*\r\nAccept: text/plain\r\n\r\n";

TEST(HttpGuard, HeadsAreParsedWhole) {
  RequestHead head;
  ASSERT_EQ(parse_head(kFine, {}, head), nullptr);
  const HttpRequest& request = head.request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/models/a/b");
  EXPECT_EQ(head.last_segment, "a/b");
  EXPECT_EQ(head.segments, 3u);
  EXPECT_EQ(request.query, "x=1");
  EXPECT_EQ(request.headers.size(), 6u);
  EXPECT_EQ(request.header("x-spaces"), "a b");
  EXPECT_EQ(request.header("x-empty"), "");
  EXPECT_EQ(request.header("accept"), "*/*");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.chunked);
}

TEST(HttpGuard, TheScannerFindsTheEndHoweverBytesCome) {
  for (size_t step = 1; step <= kFine.size() + 5; ++step) {
    HeadScanner scanner({});
    const std::string all = kFine + "body!";
    HeadScanner::Result result;
    for (size_t size = step; result.size == 0; size += step) {
      result = scanner.scan(std::string_view(all).substr(0, size));
      ASSERT_EQ(result.refusal, nullptr);
      ASSERT_LT(size, all.size() + step);
    }
    EXPECT_EQ(result.size, kFine.size());
  }
}

TEST(HttpGuard, LimitsHoldAtTheirEdges) {
  HeadLimits limits;
  const auto verdict = [&](const std::string& bytes) {
    HeadScanner scanner(limits);
    const auto result = scanner.scan(bytes);
    RequestHead head;
    if (result.refusal != nullptr || result.size == 0) return result.refusal;
    return parse_head(std::string_view(bytes).substr(0, result.size), limits, head);
  };
  const std::string line = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const auto sized = [&](size_t size) {
    return line + "A: " + std::string(size - line.size() - 7, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(verdict(sized(limits.max_header_bytes)), nullptr);
  EXPECT_EQ(verdict(sized(limits.max_header_bytes + 1)), &refusal::kHeaderTooLarge);
  std::string fields = line;
  for (size_t i = 1; i < limits.max_fields; ++i) fields += "A: b\r\n";
  EXPECT_EQ(verdict(fields + "\r\n"), nullptr);
  EXPECT_EQ(verdict(fields + "A: b\r\n\r\n"), &refusal::kHeaderTooLarge);
  const auto target = [&](size_t size) {
    return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  };
  EXPECT_EQ(verdict(target(limits.max_target_bytes)), nullptr);
  EXPECT_EQ(verdict(target(limits.max_target_bytes + 1)), &refusal::kTargetTooLong);
}

TEST(HttpGuard, HostAndPort) {
  const HostPort v6 = parse_host_port("[2001:DB8::1]:8080");
  EXPECT_TRUE(v6.valid);
  EXPECT_EQ(v6.host, "2001:db8::1");
  EXPECT_EQ(v6.port, 8080);
  EXPECT_TRUE(parse_host_port("A.example").valid);
  EXPECT_FALSE(parse_host_port("A.example").port.has_value());
  for (const char* bad : {"", ":80", "a:", "a:b", "a:99999", "[::1", "[::1]80", "a/b", "a b"})
    EXPECT_FALSE(parse_host_port(bad).valid) << bad;
  EXPECT_TRUE(is_loopback("127.3.2.1") && is_loopback("::1") && is_loopback("localhost"));
  EXPECT_FALSE(is_loopback("0.0.0.0") || is_loopback("::") || is_loopback("localhost.example"));
  EXPECT_TRUE(is_origin("https://app.example.org:8443") && is_origin("tauri://localhost"));
  for (const char* bad : {"*", "null", "", "https://", "https://a/", "https://a/b", "a.example"})
    EXPECT_FALSE(is_origin(bad)) << bad;
}

TEST(HttpGuard, ListsAndPaths) {
  EXPECT_TRUE(list_has("keep-alive, Close ,x", "close"));
  EXPECT_FALSE(list_has("keep-alive, closed", "close"));
  EXPECT_EQ(decode_path("/a%20%E2%82%AC"), "/a \xe2\x82\xac");
  EXPECT_EQ(decode_path("/a..b/..."), "/a..b/...");
  for (const char* bad : {"/..", "/a/./b", "/%2e", "/%", "/%1", "/%00", "/%ff", "/%0"})
    EXPECT_FALSE(decode_path(bad).has_value()) << bad;
}

TEST(HttpGuard, ChunksAreTheSameHoweverTheyAreCut) {
  const std::string coded = "5\r\nhello\r\n00000000b\r\n, the world\r\n0\r\n\r\nGET";
  for (size_t step = 1; step <= coded.size(); ++step) {
    ChunkedDecoder decoder(16);
    std::string body;
    size_t taken = 0;
    while (!decoder.done()) {
      std::string_view bytes = std::string_view(coded).substr(taken, step);
      const size_t before = bytes.size();
      ASSERT_EQ(decoder.feed(bytes, body), nullptr);
      taken += before - bytes.size();
    }
    EXPECT_EQ(body, "hello, the world");
    EXPECT_EQ(coded.substr(taken), "GET");
  }
  ChunkedDecoder small(15);
  std::string_view bytes = coded;
  std::string body;
  EXPECT_EQ(small.feed(bytes, body), &refusal::kBodyTooLarge);
}

TEST(HttpResponse, HeadsCannotBeBrokenByValues) {
  const std::string head = response_head(
      200, {{"X-A", "b\r\nSet-Cookie: c"}, {"bad name", "x"}, {"Content-Length", "9"}},
      {.content_length = 3, .close = true});
  EXPECT_EQ(head.find("\nSet-Cookie"), std::string::npos);
  EXPECT_NE(head.find("X-A: b  Set-Cookie: c\r\n"), std::string::npos);
  EXPECT_EQ(head.find("bad name"), std::string::npos);
  EXPECT_EQ(head.find("Content-Length: 9"), std::string::npos);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nDate: ") && head.ends_with("\r\n\r\n"));
  EXPECT_EQ(response_head(204, {}, {.content_length = 0}).find("Content-Length"),
            std::string::npos);
  // The example of RFC 9110 section 5.6.7.
  const auto when = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) +
                    std::chrono::seconds(8 * 3600 + 49 * 60 + 37);
  EXPECT_EQ(http_date(when), "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const Refusal* refusal : refusal::kAll)
    EXPECT_NE(reason_phrase(refusal->status), "Unknown") << refusal->id;
}

TEST(Admission, EachAccessWithEachKey) {
  ServerOptions options;
  int asked = 0;
  options.authorize = [&](HttpRequest& request) {
    ++asked;
    return request.header("authorization") == "Bearer right" ? 0 : 401;
  };
  const std::vector<Route> routes = {{"GET", "/open", Access::kOpen, 0, {}},
                                     {"GET", "/key", Access::kKey, 0, {}},
                                     {"GET", "/metrics", Access::kKeyOffLoopback, 0, {}}};
  const Gate near(options, routes, true), far(options, routes, false);
  const auto status = [](const Gate& gate, const std::string& path, const std::string& field) {
    RequestHead head;
    const std::string bytes = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + field + "\r\n";
    EXPECT_EQ(parse_head(bytes, {}, head), nullptr);
    const Admission admission = gate.admit(head, "10.0.0.1");
    return admission.refusal == nullptr ? 200 : admission.refusal->status;
  };
  const std::string right = "Authorization: Bearer right\r\n",
                    wrong = "Authorization: Bearer x\r\n";
  for (const Gate* gate : {&near, &far}) {
    for (const std::string& field : {right, wrong, std::string()}) {
      EXPECT_EQ(status(*gate, "/open", field), 200);
      EXPECT_EQ(status(*gate, "/key", field), field == right ? 200 : 401);
      EXPECT_EQ(status(*gate, "/metrics", field), gate == &near || field == right ? 200 : 401);
      EXPECT_EQ(status(*gate, "/other", field), 404);
    }
  }
  EXPECT_EQ(asked, 9);
}

TEST(Exchange, BatchesAndTheBoundOfUnreadBytes) {
  int wakes = 0;
  ServerLink link;
  link.wake = [&] { ++wakes; };
  link.run = [](const std::function<void()>&) { return false; };
  link.failure = [] { return ErrorBody{"text/plain", "failed"}; };
  AnswerForm form;
  form.http_1_0 = true;
  form.max_unread = 1000;
  ExchangeState state({}, form, link, nullptr);
  state.begin_stream(200, {});
  const size_t head = state.take().bytes.size();
  EXPECT_TRUE(state.write(std::string(1000 - head, 'x')));  // the head is not sent yet
  EXPECT_FALSE(state.is_cut());
  state.sent(head);
  EXPECT_TRUE(state.write(std::string(head, 'y')));
  const auto batch = state.take();
  EXPECT_EQ(batch.bytes.size(), 1000u);
  EXPECT_FALSE(batch.complete);
  EXPECT_EQ(wakes, 2);  // one for each take()
  EXPECT_FALSE(state.write("z"));
  EXPECT_TRUE(state.is_cut());
  state.client_gone();
  EXPECT_TRUE(state.gone());
}

TEST(WorkerPool, TheBoundIsForSubmittedJobsOnly) {
  WorkerPool pool(1, 2);
  std::promise<void> go, begun;
  std::atomic<int> done = 0;
  ASSERT_TRUE(pool.submit([&] {
    begun.set_value();
    go.get_future().wait();
  }));
  begun.get_future().wait();
  const auto count = [&] { ++done; };
  EXPECT_TRUE(pool.post(count));
  EXPECT_TRUE(pool.submit(count));
  EXPECT_TRUE(pool.submit(count));
  EXPECT_FALSE(pool.submit(count));
  EXPECT_TRUE(pool.post(count));
  EXPECT_EQ(pool.queued(), 4u);
  go.set_value();
  while (pool.queued() > 0) std::this_thread::yield();
  pool.stop();
  EXPECT_EQ(done, 4);
  EXPECT_FALSE(pool.submit(count));
  EXPECT_FALSE(pool.post(count));
}

}  // namespace
}  // namespace tulou::net
