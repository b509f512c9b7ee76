// A small blocking HTTP/1.1 client for a server of our own: http:// over TCP or a Unix socket, one
// request a connection, everything bounded.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_message.h"

namespace tulou::net {

struct ClientOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 80;
  std::string unix_path;  // in place of host and port
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds idle_timeout{300'000};  // without a byte
  // Where it is given: once it is true, a running send() ends with Error run.cancelled. Must
  // outlive the client.
  const std::atomic<bool>* cancel = nullptr;
  // Where it is given: called about every 50 ms while nothing comes, from the thread of send().
  std::function<void()> on_wait;
  size_t max_header_bytes = 64 * 1024;
  size_t max_body = 64u << 20;  // bytes; of an answer that is not streamed
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;  // empty if on_data has taken it

  std::string_view header(std::string_view lower_case_name) const {
    return find_header(headers, lower_case_name);
  }
};

// "http://host[:port]" (of a path behind it, "/" and "/v1" are dropped) or "unix:/path".
// Error net.bad_url, net.url_scheme.
ClientOptions parse_server_url(std::string_view url);

class HttpClient {
 public:
  explicit HttpClient(ClientOptions options) : options_(std::move(options)) {}

  // Sends and waits for the whole answer. With on_data, pieces of a 2xx body go there as they come
  // (false: stop reading, which is not an error); others are kept in `body`. Errors:
  // net.cannot_connect, net.timeout, net.bad_response, net.closed_early, net.response_too_large,
  // run.cancelled.
  ClientResponse send(const std::string& method, const std::string& target, const Headers& headers,
                      std::string_view body,
                      const std::function<bool(std::string_view)>& on_data = {});
  // Ends a running send() with Error run.cancelled, from another thread; a later one too.
  void cancel() { cancelled_ = true; }

 private:
  ClientOptions options_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace tulou::net
