// The HTTP/1.1 server: one thread for all connections, a bounded pool for the handlers, a strict
// guard in front. It knows routes, limits and deadlines; what bodies mean is its user's business.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace tulou::net {

enum class Access {
  kOpen,            // anyone
  kKey,             // ServerOptions::authorize decides
  kKeyOffLoopback,  // it decides when the server listens beyond loopback, else anyone
};

// A request that no route takes is answered 404, with another method 405 and Allow. A GET route
// takes HEAD too. Handlers run on the pool (queue full: 503 with Retry-After); an exception that
// leaves one is answered 500.
struct Route {
  std::string method;
  std::string
      path;  // exact, or ending in "/{name}", which stands for one segment ("%2F" is part of it)
  Access access = Access::kKey;
  size_t max_body = 0;  // bytes; more is 413
  std::function<void(std::shared_ptr<HttpExchange>)> handler;
  bool json = false;      // a Content-Type other than application/json is 415
  bool in_place = false;  // run on the server's thread: must be quick; answers when all are busy
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // IP address or name; unused with unix_path
  uint16_t port = 0;               // 0: any free one
  std::string unix_path;           // a Unix socket in place of host and port; mode 0600

  std::string tls_cert;  // PEM files; both or none. The key must not be readable by others
  std::string tls_key;
  bool allow_open = false;         // beyond loopback without authorize
  bool allow_unencrypted = false;  // beyond loopback without TLS

  // Host header: loopback names, the address of the listener and these names are answered.
  std::vector<std::string> allowed_hosts;
  // Pages from these origins ("https://app.example.org") may call; others get 403. "*" is not one.
  std::vector<std::string> cors_origins;

  size_t max_connections = 16384;  // further ones wait in the kernel; less if the system says so
  size_t max_header_bytes = 32 * 1024;
  size_t max_body_memory = 256u << 20;  // bytes of all bodies at one time; more is 503
  size_t max_unread = 1u << 20;         // bytes of a stream that a client may leave unread
  std::chrono::milliseconds header_deadline{10'000};  // a whole header, and the TLS handshake
  std::chrono::milliseconds body_deadline{60'000};    // a whole body
  std::chrono::milliseconds idle_deadline{60'000};    // between requests of a connection
  std::chrono::milliseconds write_deadline{30'000};   // for each 64 KiB that are sent

  size_t workers = 4;      // threads of the pool
  size_t max_queued = 64;  // requests that wait for one of them

  // Called after the header, before the body is read or room is made for it, on the server's
  // thread: must be quick. 0 = go on, else 401 or 403. May set request.identity. Null: no keys.
  std::function<int(HttpRequest& request)> authorize;
  // The body of the server's own errors (ids and messages: refusal.h) and its Content-Type; null:
  // the message as plain text. Called from any thread.
  std::function<std::string(int status, std::string_view id, std::string_view message)> error_body;
  std::string error_content_type = "application/json";
};

// All since the start, but for the ones that say "now".
struct ServerCounters {
  uint64_t connections = 0, connections_now = 0;
  uint64_t requests = 0, requests_now = 0;  // that reached a handler
  uint64_t refused = 0;                     // answered by the server itself with 4xx or 5xx
  uint64_t deadlines = 0;                   // connections closed for being slow
  uint64_t gone = 0;                        // clients that went before their answer was complete
  uint64_t queued_now = 0;                  // jobs that wait for a worker
  uint64_t bytes_received = 0, bytes_sent = 0;
};

// True for "localhost", 127.0.0.0/8 and ::1.
bool is_loopback(std::string_view host);

class HttpServer {
 public:
  // Nothing happens before start(). Error net.bad_origin for an origin that is none.
  HttpServer(ServerOptions options, std::vector<Route> routes);
  ~HttpServer();  // as stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens and returns. Errors: net.address_in_use, net.cannot_listen, net.unknown_host,
  // net.unix_path_long, net.not_a_socket, net.exposed_*, net.tls_*.
  void start();
  // The port it listens on; 0 on a Unix socket.
  uint16_t port() const;
  // "http://127.0.0.1:11435", "https://..." or "unix:/path".
  std::string address() const;

  // Runs `job` on the pool, behind what waits there; jobs of this kind do not count for
  // max_queued, their number is bounded by what started them. False after stop().
  bool post(std::function<void()> job);
  // Reads the TLS files again for the connections to come; the old ones stay if that fails (Error).
  void reload_tls();

  // Accepts no connections and requests any more, waits up to `limit` for the running ones, then
  // cuts what is left. Blocks. Then call stop().
  void drain(std::chrono::milliseconds limit);
  // Cuts all connections (their exchanges are gone) and joins all threads. Not from a handler.
  void stop();

  ServerCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tulou::net
