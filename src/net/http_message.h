// A request and its one answer, as the routes see them. Nothing here knows what a body means.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tulou::net {

// Field names in lower case, in the order of arrival; values without outer spaces.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first field of that name (lower case), or an empty text.
std::string_view find_header(const Headers& headers, std::string_view name);

// Whether there are only visible ASCII characters: what may stand in a field that is sent on.
bool is_visible_ascii(std::string_view text);

// What is left of a request when the guard (http_guard.h) has accepted it: one Host, no control
// characters, fields that may stand once only stand once, a path that is UTF-8 without "." and
// "..".
struct HttpRequest {
  std::string method;    // "GET", "POST", ...; a HEAD request reaches the handler of GET as "HEAD"
  std::string path;      // percent-decoded, without the query
  std::string name;      // what stands for {name} in the path of the route, decoded
  std::string query;     // as sent, without "?"
  std::string body;      // chunks joined
  std::string peer;      // IP address of the client, "unix" on a Unix socket
  std::string identity;  // set by ServerOptions::authorize: whose request this is
  Headers headers;       // as they stood before the body
  bool encrypted = false;

  std::string_view header(std::string_view lower_case_name) const {
    return find_header(headers, lower_case_name);
  }
  // The client's X-Request-Id, for answers only; empty if there is none, or if it is longer than
  // 128 bytes or has anything but visible ASCII characters.
  std::string_view request_id() const;
};

class ExchangeState;

// One request and its one answer. All calls are safe from any thread and return at once. Held by
// shared_ptr; it may outlive the handler. Destroyed without an answer, it answers 500; destroyed
// in a stream, it cuts the connection so that the client does not take the stream for complete.
class HttpExchange {
 public:
  explicit HttpExchange(std::shared_ptr<ExchangeState> state);
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  const HttpRequest& request() const;

  // Either this once. `headers` need not have Content-Length, Date or Connection. A second answer
  // is ignored, as is everything after end_stream().
  void reply(int status, const Headers& headers, std::string_view body);

  // Or these: a body that comes piece by piece (chunked, or until the end for HTTP/1.0).
  void begin_stream(int status, const Headers& headers);
  // False: the client is gone, or has left more than ServerOptions::max_unread unread, in which
  // case its connection is dropped. An empty piece is nothing.
  bool write(std::string_view data);
  void end_stream();

  // True when the client went away before the answer was complete.
  bool gone() const;
  // `callback` is called once when that happens, from the server's thread; at once if it already
  // has happened (after the server has stopped, from the caller's thread). It must be quick and not
  // throw. A later call replaces the callback; when the answer is complete it is dropped uncalled.
  void on_gone(std::function<void()> callback);

 private:
  std::shared_ptr<ExchangeState> state_;
};

}  // namespace tulou::net
