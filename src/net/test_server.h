// What the tests of net share: a server in this process, and a client that sends raw bytes.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/http_server.h"

namespace tulou::net {

using std::chrono::milliseconds;

// True as soon as `condition` is; false after ten seconds without it.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return condition();
}

// A TCP connection to this machine that sends what it is told.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), connected_(other.connected_) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int descriptor() const { return descriptor_; }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  // False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  // What comes until the server closes, or until `enough` says so, within ten seconds.
  std::string receive(const std::function<bool(const std::string&)>& enough = {}) {
    std::string all;
    char buffer[4096];
    while (!enough || !enough(all)) {
      pollfd entry{descriptor_, POLLIN, 0};
      if (poll(&entry, 1, 10'000) <= 0) return all + "(nothing more came)";
      const ssize_t count = recv(descriptor_, buffer, sizeof(buffer), 0);
      closed_ = count <= 0;
      if (closed_) break;
      all.append(buffer, static_cast<size_t>(count));
    }
    return all;
  }
  // One answer with Content-Length.
  std::string receive_answer() {
    return receive([](const std::string& all) {
      const size_t head = all.find("\r\n\r\n");
      const size_t field = all.find("Content-Length: ");
      if (head == std::string::npos || field == std::string::npos) return false;
      size_t length = 0;
      for (size_t i = field + 16; all[i] >= '0' && all[i] <= '9'; ++i)
        length = length * 10 + static_cast<size_t>(all[i] - '0');
      return all.size() >= head + 4 + length;
    });
  }
  // True if the server has closed its side at the end of the last receive.
  bool closed() const { return closed_; }

 private:
  int descriptor_;
  bool connected_ = false;
  bool closed_ = false;
};

// The status of an answer, 0 if it is none.
inline int status_of(std::string_view answer) {
  if (!answer.starts_with("HTTP/1.1 ") || answer.size() < 12) return 0;
  return (answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0');
}
inline std::string body_of(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

// A server with routes for the tests.
//   GET /hello -> "hello"; GET /models/{name} -> the name; POST /echo (JSON, 1024 bytes) and
//   /raw (4096 bytes) -> the body; GET /secret (key), GET /metrics (key off loopback);
//   GET /live in place; GET /hold: kept in `held` without an answer
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, std::vector<Route> more = {}) {
    if (!options.authorize) options.authorize = authorize;
    std::vector<Route> all = routes();
    for (Route& route : more) all.push_back(std::move(route));
    server = std::make_unique<HttpServer>(std::move(options), std::move(all));
    server->start();
  }
  ~TestServer() {
    const std::lock_guard lock(mutex);
    held.clear();
  }

  // Sends it on a connection of its own and returns all that comes.
  std::string send(std::string_view bytes) const {
    RawClient client(server->port());
    client.send(bytes);
    return client.receive();
  }
  std::string get(const std::string& path, const std::string& fields = "") const {
    return send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields +
                "\r\n");
  }
  std::shared_ptr<HttpExchange> last_held() {
    const std::lock_guard lock(mutex);
    return held.empty() ? nullptr : held.back();
  }
  size_t held_count() {
    const std::lock_guard lock(mutex);
    return held.size();
  }

  std::unique_ptr<HttpServer> server;
  std::mutex mutex;
  std::vector<std::shared_ptr<HttpExchange>> held;

 private:
  static int authorize(HttpRequest& request) {
    const std::string_view key = request.header("authorization");
    if (key == "Bearer limited") return 403;
    if (key != "Bearer right") return 401;
    request.identity = "somebody";
    return 0;
  }
  static void echo(const std::shared_ptr<HttpExchange>& exchange) {
    exchange->reply(200, {{"Content-Type", "text/plain"}}, exchange->request().body);
  }
  std::vector<Route> routes() {
    const auto text = [](const std::string& body) {
      return
          [body](const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(200, {}, body); };
    };
    const auto hold = [this](std::shared_ptr<HttpExchange> exchange) {
      const std::lock_guard lock(mutex);
      held.push_back(std::move(exchange));
    };
    const auto who = [](const std::shared_ptr<HttpExchange>& exchange) {
      exchange->reply(200, {}, exchange->request().identity);
    };
    const auto name = [](const std::shared_ptr<HttpExchange>& exchange) {
      exchange->reply(200, {}, exchange->request().name);
    };
    return {{"GET", "/hello", Access::kOpen, 0, text("hello")},
            {"GET", "/models/{name}", Access::kOpen, 0, name},
            {"POST", "/echo", Access::kOpen, 1024, echo, true},
            {"POST", "/raw", Access::kOpen, 4096, echo},
            {"GET", "/secret", Access::kKey, 0, who},
            {"POST", "/secret", Access::kKey, 1024, who},
            {"GET", "/metrics", Access::kKeyOffLoopback, 0, text("metrics")},
            {"GET", "/live", Access::kOpen, 0, text("alive"), false, true},
            {"GET", "/hold", Access::kOpen, 0, hold}};
  }
};

}  // namespace tulou::net
