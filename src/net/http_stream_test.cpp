// Time and streams: exchange.cpp with connection.cpp, deadlines, clients that go or do not read,
// draining, many connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/number.h"
#include "net/test_server.h"

namespace tulou::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kHold = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n";

ServerOptions impatient() {
  ServerOptions options;
  options.header_deadline = milliseconds(400);
  options.body_deadline = milliseconds(400);
  options.idle_deadline = milliseconds(400);
  options.write_deadline = milliseconds(400);
  return options;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What /hold has been asked, when it has arrived.
std::shared_ptr<HttpExchange> held(TestServer& test, size_t count = 1) {
  EXPECT_TRUE(eventually([&] { return test.held_count() >= count; }));
  return test.last_held();
}

TEST(HttpStream, PiecesComeAsChunksAndTheConnectionGoesOn) {
  TestServer test;
  RawClient client(test.server->port());
  client.send(kHold);
  const auto exchange = held(test);
  exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_TRUE(exchange->write("data: 1\n\n"));
  const auto ends_with = [](const std::string& end) {
    return [end](const std::string& all) { return all.ends_with(end); };
  };
  const std::string first = client.receive(ends_with("9\r\ndata: 1\n\n\r\n"));
  EXPECT_NE(first.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(exchange->write(""));
  EXPECT_TRUE(exchange->write(std::string(300, 'x')));
  EXPECT_EQ(client.receive(ends_with("x\r\n")), "12c\r\n" + std::string(300, 'x') + "\r\n");
  exchange->end_stream();
  EXPECT_FALSE(exchange->write("late"));
  EXPECT_EQ(client.receive(ends_with("0\r\n\r\n")), "0\r\n\r\n");
  client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(body_of(client.receive_answer()), "hello");
  EXPECT_FALSE(exchange->gone());
}

TEST(HttpStream, OldClientsGetPiecesUntilTheEnd) {
  TestServer test;
  RawClient client(test.server->port());
  client.send("GET /hold HTTP/1.0\r\nHost: localhost\r\n\r\n");
  const auto exchange = held(test);
  exchange->begin_stream(200, {});
  exchange->write("one ");
  exchange->write("two");
  exchange->end_stream();
  const std::string answer = client.receive();
  EXPECT_EQ(body_of(answer), "one two");
  EXPECT_TRUE(client.closed());
}

TEST(HttpStream, AStreamThatNobodyEndsIsCut) {
  TestServer test;
  RawClient client(test.server->port());
  client.send(kHold);
  held(test)->begin_stream(200, {});
  held(test)->write("part");
  client.receive([](const std::string& all) { return all.ends_with("part\r\n"); });
  {
    const std::lock_guard lock(test.mutex);
    test.held.clear();
  }
  EXPECT_EQ(client.receive(), "");  // and no last chunk
  EXPECT_TRUE(client.closed());
}

TEST(HttpStream, AClientThatGoesIsNoticed) {
  TestServer test;
  std::atomic<int> calls = 0;
  RawClient waiting(test.server->port()), streaming(test.server->port());
  waiting.send(kHold);
  const auto first = held(test, 1);
  first->on_gone([&] { ++calls; });
  streaming.send(kHold);
  const auto second = held(test, 2);
  second->begin_stream(200, {});
  second->on_gone([&] { calls += 10; });
  waiting.close();
  EXPECT_TRUE(eventually([&] { return calls == 1; }));
  EXPECT_TRUE(first->gone());
  EXPECT_FALSE(second->gone());
  streaming.close();
  EXPECT_TRUE(eventually([&] { return calls == 11; }));
  EXPECT_FALSE(second->write("x"));
  first->on_gone([&] { calls += 100; });  // it is gone already
  EXPECT_TRUE(eventually([&] { return calls == 111; }));
  first->reply(200, {}, "nobody reads this");
  EXPECT_EQ(test.server->counters().gone, 2u);
}

TEST(HttpStream, AnAnswerLeavesNothingToNotice) {
  TestServer test;
  std::atomic<int> calls = 0;
  RawClient client(test.server->port());
  client.send(kHold);
  const auto exchange = held(test);
  exchange->on_gone([&] { ++calls; });
  exchange->reply(200, {}, "first");
  exchange->reply(200, {}, "second");
  EXPECT_EQ(body_of(client.receive_answer()), "first");
  client.close();
  EXPECT_TRUE(eventually([&] { return test.server->counters().connections_now == 0; }));
  EXPECT_EQ(calls, 0);
}

TEST(HttpStream, AReaderThatDoesNotReadIsDroppedWithinTheBound) {
  ServerOptions options;
  options.max_unread = 256 * 1024;
  TestServer test(std::move(options));
  RawClient slow(test.server->port());
  slow.send(kHold);
  const auto exchange = held(test);
  std::atomic<bool> noticed = false;
  exchange->on_gone([&] { noticed = true; });
  exchange->begin_stream(200, {});
  const std::string piece(16 * 1024, 'x');
  size_t written = 0;
  while (exchange->write(piece) && written < (64u << 20)) written += piece.size();
  EXPECT_LT(written, 64u << 20);  // the kernel's buffers and the bound
  EXPECT_TRUE(eventually([&] { return noticed.load(); }));
  EXPECT_EQ(body_of(test.get("/hello")), "hello");
}

TEST(HttpStream, AnAnswerThatNobodyReadsEndsAtTheDeadline) {
  TestServer test(impatient());
  RawClient slow(test.server->port());
  slow.send(kHold);
  const auto exchange = held(test);
  exchange->reply(200, {}, std::string(32u << 20, 'x'));
  EXPECT_TRUE(eventually([&] { return test.server->counters().connections_now == 0; }));
  EXPECT_EQ(test.server->counters().deadlines, 1u);
}

TEST(HttpStream, SlowHeadersAndBodiesEndAtTheDeadline) {
  const TestServer test(impatient());
  const auto start = Clock::now();
  RawClient silent(test.server->port()), header(test.server->port()), body(test.server->port());
  header.send("GET /hello HTTP/1.1\r\nHost: loc");
  body.send("POST /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  std::thread drip([&] {  // a byte now and then does not help
    for (int i = 0; i < 20 && header.send("a"); ++i) std::this_thread::sleep_for(milliseconds(50));
  });
  EXPECT_EQ(silent.receive(), "");
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(status_of(header.receive()), 408);
  EXPECT_EQ(status_of(body.receive()), 408);
  EXPECT_GE(seconds_since(start), 0.35);
  EXPECT_LT(seconds_since(start), 8);
  drip.join();
  RawClient idle(test.server->port());
  idle.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(body_of(idle.receive_answer()), "hello");
  EXPECT_EQ(idle.receive(), "");  // closed without a word
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(test.server->counters().deadlines, 4u);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

uint64_t resident_bytes() {
  const std::string text = base::read_file("/proc/self/statm", 1000);
  const size_t first = text.find(' '), second = text.find(' ', first + 1);
  return base::parse_uint(text.substr(first + 1, second - first - 1)).value() * 4096;
}

// TULOU_TEST_CONNECTIONS: how many; a campaign takes 10,000.
TEST(HttpStream, HalfOpenConnectionsAreCheapAndDisturbNobody) {
  const char* wanted = getenv("TULOU_TEST_CONNECTIONS");
  const size_t count = wanted == nullptr ? 500 : base::parse_uint(wanted).value();
  ServerOptions options;
  options.header_deadline = milliseconds(count > 500 ? 10'000 : 2000);
  const TestServer test(std::move(options));
  EXPECT_EQ(body_of(test.get("/hello")), "hello");
  std::vector<RawClient> half;
  half.reserve(count);
  const uint64_t before = resident_bytes();
  for (size_t i = 0; i < count; ++i) {
    half.emplace_back(test.server->port());
    ASSERT_TRUE(half.back().connected()) << i;
    ASSERT_TRUE(half.back().send("GET /hello HTTP/1.1\r\nHost: loc"));
  }
  ASSERT_TRUE(eventually([&] { return test.server->counters().connections_now == count; }));
  const uint64_t each = (resident_bytes() - before) / count;
  EXPECT_LE(each, kSanitized ? 64u * 1024 : 8u * 1024);
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const auto start = Clock::now();
    EXPECT_EQ(body_of(test.get("/hello")), "hello");
    times.push_back(seconds_since(start) * 1000);
  }
  std::sort(times.begin(), times.end());
  RecordProperty("bytes_each", base::to_text(each));
  RecordProperty("median_ms", base::fixed(times[100], 3));
  RecordProperty("p99_ms", base::fixed(times[198], 3));
  for (RawClient& client : half) EXPECT_EQ(status_of(client.receive()), 408);
  EXPECT_TRUE(eventually([&] { return test.server->counters().connections_now == 0; }));
}

TEST(HttpStream, ConnectionsBeyondTheBoundWait) {
  ServerOptions options;
  options.max_connections = 2;
  const TestServer test(std::move(options));
  RawClient first(test.server->port());
  RawClient second(test.server->port());
  ASSERT_TRUE(eventually([&] { return test.server->counters().connections_now == 2; }));
  RawClient third(test.server->port());
  third.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(test.server->counters().connections, 2u);
  first.close();
  EXPECT_EQ(body_of(third.receive_answer()), "hello");
}

TEST(HttpStream, DrainingFinishesWhatRunsAndTakesNothingNew) {
  TestServer test;
  RawClient streaming(test.server->port()), idle(test.server->port()), waiting(test.server->port());
  streaming.send(kHold);
  const auto stream = held(test, 1);
  waiting.send(kHold);
  const auto answer = held(test, 2);
  stream->begin_stream(200, {});
  stream->write("one");
  ASSERT_TRUE(eventually([&] { return test.server->counters().connections_now == 3; }));
  std::thread drain([&] { test.server->drain(milliseconds(20'000)); });
  EXPECT_EQ(idle.receive(), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(eventually([&] { return !RawClient(test.server->port()).connected(); }));
  stream->write("two");
  stream->end_stream();
  answer->reply(200, {}, "answered");
  const std::string streamed = streaming.receive();
  EXPECT_TRUE(streamed.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")) << streamed;
  const std::string answered = waiting.receive();
  EXPECT_EQ(body_of(answered), "answered");
  EXPECT_NE(answered.find("Connection: close\r\n"), std::string::npos);
  drain.join();
  EXPECT_EQ(test.server->counters().connections_now, 0u);
}

TEST(HttpStream, DrainingCutsWhatDoesNotEnd) {
  TestServer test;
  RawClient client(test.server->port());
  client.send(kHold);
  const auto exchange = held(test);
  std::atomic<bool> noticed = false;
  exchange->on_gone([&] { noticed = true; });
  test.server->drain(milliseconds(50));
  EXPECT_TRUE(noticed);
  EXPECT_EQ(client.receive(), "");
}

TEST(HttpStream, ExchangesMayOutliveTheServer) {
  auto test = std::make_unique<TestServer>();
  RawClient client(test->server->port());
  client.send(kHold);
  const auto exchange = held(*test);
  test->server->stop();
  EXPECT_TRUE(exchange->gone());
  EXPECT_FALSE(test->server->post([] {}));
  test.reset();
  int calls = 0;
  exchange->on_gone([&] { ++calls; });
  EXPECT_EQ(calls, 1);
  exchange->reply(200, {}, "too late");
}

TEST(HttpStream, ManyClientsAtOnceGetTheirOwnAnswers) {
  const TestServer test;
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      RawClient client(test.server->port());
      for (int i = 0; i < 50; ++i) {
        const std::string name = base::to_text(t) + "-" + base::to_text(i);
        client.send("GET /models/" + name + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        right += body_of(client.receive_answer()) == name ? 1 : 0;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST(HttpStream, JobsRunOnThePool) {
  const TestServer test;
  std::atomic<int> done = 0;
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(test.server->post([&] { ++done; }));
  EXPECT_TRUE(eventually([&] { return done == 200; }));
}

}  // namespace
}  // namespace tulou::net
