// A running server as commands see it: JSON in, JSON out. With --server this is the only socket
// that the program opens.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/json.h"
#include "cli/arguments.h"
#include "net/http_client.h"

namespace tulou::cli {

// Where `tulou serve` listens unless told otherwise.
inline constexpr const char* kDefaultServer = "http://127.0.0.1:11435";

// Adds --server URL.
void declare_server(Arguments& arguments, std::string& url, const std::string& description);

class RemoteServer {
 public:
  // `url`: http://HOST:PORT, also with /v1 behind it, or unix:/PATH. The key is what the variable
  // TULOU_API_KEY holds, if it is set. Error net.bad_url, net.url_scheme, net.unix_path_long,
  // cli.bad_value.
  explicit RemoteServer(const std::string& url);

  // The body of a 2xx. Errors cli.server_refused, net.*.
  base::Json get(const std::string& target) const;
  base::Json post(const std::string& target, const base::Json& body) const;
  // Gives each event of a stream to the function, but for the last one, [DONE]. `cancel` ends it
  // with Error run.cancelled once it is true. Errors cli.server_refused, also for one that comes
  // within the stream, net.*, json.*; net.closed_early if [DONE] did not come. While nothing comes,
  // `on_wait` is called about every 50 ms.
  void stream(const std::string& target, const base::Json& body, const std::atomic<bool>& cancel,
              const std::function<void(const base::Json&)>& on_event,
              const std::function<void()>& on_wait) const;

 private:
  net::ClientResponse send(const net::ClientOptions& options, const std::string& method,
                           const std::string& target, const std::string& body,
                           const std::function<bool(std::string_view)>& on_data = {}) const;
  base::Json ask(const std::string& method, const std::string& target,
                 const std::string& body) const;

  std::string url_;
  net::ClientOptions options_;
  net::Headers headers_;
};

}  // namespace tulou::cli
