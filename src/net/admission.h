// What is decided about a request after its header and before its body: may this Host be asked, may
// this page ask, which route is it, whose key, may the body come. Pure but for authorize().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/http_guard.h"
#include "net/http_server.h"

namespace tulou::net {

struct Admission {
  const Route* route = nullptr;      // goes on to this one,
  const Refusal* refusal = nullptr;  // or is refused,
  bool answered = false;             // or is answered 204 with `headers` (OPTIONS)
  Headers headers;                   // for whatever answer: CORS, Allow, WWW-Authenticate
};

class Gate {
 public:
  // Both must outlive the gate. `loopback`: the server is only to be reached from this machine.
  Gate(const ServerOptions& options, const std::vector<Route>& routes, bool loopback)
      : options_(options), routes_(routes), loopback_(loopback) {}

  // `local_address`: the IP address that the client has connected to; "" on a Unix socket.
  // Sets request.name and, through authorize, request.identity.
  Admission admit(RequestHead& head, std::string_view local_address) const;

 private:
  const Refusal* check_host(const RequestHead& head, std::string_view local_address) const;
  const Refusal* check_origin(const RequestHead& head, Headers& answer) const;
  const Refusal* find_route(RequestHead& head, Admission& admission) const;
  const Refusal* check_key(RequestHead& head, Admission& admission) const;
  void answer_options(const RequestHead& head, Admission& admission) const;

  const ServerOptions& options_;
  const std::vector<Route>& routes_;
  bool loopback_;
};

// "scheme://host[:port]" and nothing else, so neither "*" nor "null".
bool is_origin(std::string_view text);

}  // namespace tulou::net
