#include "net/http_client.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/number.h"
#include "net/chunked.h"
#include "net/http_guard.h"

namespace tulou::net {
namespace {

using base::Error;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kSlice{50};  // how soon cancel() is seen

std::string name_of(const ClientOptions& options) {
  if (!options.unix_path.empty()) return "unix:" + options.unix_path;
  const bool v6 = options.host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + options.host + "]" : options.host) + ":" +
         base::to_text(options.port);
}

// A connected socket; every wait has a limit and sees the flag.
class Connected {
 public:
  Connected(const ClientOptions& options, const std::atomic<bool>& cancelled)
      : options_(options), cancelled_(cancelled), name_(name_of(options)) {
    if (options.unix_path.empty())
      connect_tcp();
    else
      connect_unix();
  }
  ~Connected() { reset(-1); }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;

  const std::string& name() const { return name_; }

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) {
        bytes.remove_prefix(static_cast<size_t>(count));
      } else if (errno == EAGAIN) {
        wait(POLLOUT, options_.idle_timeout);
      } else if (errno != EINTR) {
        return;  // the server may have answered before it closed: what it said is read
      }
    }
  }

  // Appends what comes; false at the end.
  bool receive(std::string& to) {
    char buffer[16 * 1024];
    while (true) {
      wait(POLLIN, options_.idle_timeout);
      const ssize_t count = ::recv(descriptor_, buffer, sizeof(buffer), 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count > 0) to.append(buffer, static_cast<size_t>(count));
      return count > 0;
    }
  }

 private:
  void reset(int descriptor) {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = descriptor;
  }

  void wait(short events, Milliseconds limit) {
    pollfd entry{descriptor_, events, 0};
    for (Milliseconds waited{0}; waited < limit; waited += kSlice) {
      if (cancelled_ || (options_.cancel != nullptr && *options_.cancel))
        throw Error("run.cancelled");
      if (waited > Milliseconds{0} && options_.on_wait) options_.on_wait();
      if (poll(&entry, 1, static_cast<int>(std::min(kSlice, limit).count())) > 0) return;
    }
    throw Error("net.timeout", name_, limit.count());
  }

  // 0, or what went wrong.
  int try_connect(int family, const sockaddr* address, socklen_t size) {
    reset(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (descriptor_ < 0) return errno;
    if (connect(descriptor_, address, size) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    wait(POLLOUT, options_.connect_timeout);
    int error = 0;
    socklen_t error_size = sizeof(error);
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &error_size);
    return error;
  }

  void connect_tcp() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = base::to_text(options_.port);
    const int status = getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, &freeaddrinfo);
    if (status != 0) throw Error("net.cannot_connect", name_, gai_strerror(status));
    int error = 0;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
      error = try_connect(entry->ai_family, entry->ai_addr, entry->ai_addrlen);
      if (error == 0) return;
    }
    throw Error("net.cannot_connect", name_, std::strerror(error));
  }

  void connect_unix() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options_.unix_path.size() >= sizeof(address.sun_path))
      throw Error("net.unix_path_long", options_.unix_path, options_.unix_path.size(),
                  sizeof(address.sun_path) - 1);
    options_.unix_path.copy(address.sun_path, options_.unix_path.size());
    const int error =
        try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    if (error != 0) throw Error("net.cannot_connect", name_, std::strerror(error));
  }

  const ClientOptions& options_;
  const std::atomic<bool>& cancelled_;
  std::string name_;
  int descriptor_ = -1;
};

std::string request_head(const ClientOptions& options, const std::string& method,
                         const std::string& target, const Headers& headers, size_t body_size) {
  std::string host = "localhost";
  if (options.unix_path.empty()) host = name_of(options).substr(std::string("http://").size());
  std::string head = method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : headers) head.append(name).append(": ").append(value) += "\r\n";
  if (body_size > 0 || method == "POST")
    head += "Content-Length: " + base::to_text(body_size) + "\r\n";
  return head + "Connection: close\r\n\r\n";
}

// Status and fields of an answer; false if it is none.
bool parse_response_head(std::string_view head, ClientResponse& response) {
  const size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return false;
  const auto status = base::parse_uint(line.substr(9, 3));
  if (!status || *status < 100 || *status > 599) return false;
  response.status = static_cast<int>(*status);
  head.remove_prefix(line_end + 2);
  while (!head.starts_with("\r\n")) {
    const size_t end = head.find("\r\n");
    const size_t colon = head.substr(0, end).find(':');
    if (colon == std::string_view::npos || !is_token(head.substr(0, colon))) return false;
    response.headers.emplace_back(to_lower(head.substr(0, colon)),
                                  trimmed(head.substr(colon + 1, end - colon - 1)));
    head.remove_prefix(end + 2);
  }
  return true;
}

// Reads the final head; `left` is what came behind it.
ClientResponse read_head(Connected& socket, const ClientOptions& options, std::string& left) {
  while (true) {
    size_t end = std::string::npos;
    while ((end = left.find("\r\n\r\n")) == std::string::npos) {
      if (left.size() > options.max_header_bytes) throw Error("net.bad_response", socket.name());
      if (!socket.receive(left))
        throw left.empty() ? Error("net.closed_early", socket.name())
                           : Error("net.bad_response", socket.name());
    }
    ClientResponse response;
    if (!parse_response_head(std::string_view(left).substr(0, end + 4), response))
      throw Error("net.bad_response", socket.name());
    left.erase(0, end + 4);
    if (response.status >= 200) return response;
  }
}

// Where the pieces of a body go.
class Sink {
 public:
  Sink(ClientResponse& response, const std::function<bool(std::string_view)>& on_data,
       size_t max_body)
      : response_(response), max_body_(max_body) {
    if (on_data && response.status / 100 == 2) on_data_ = &on_data;
  }
  bool streams() const { return on_data_ != nullptr; }
  // False: no more is wanted.
  bool take(std::string_view piece, const std::string& name) {
    if (piece.empty()) return true;
    if (on_data_ != nullptr) return (*on_data_)(piece);
    if (piece.size() > max_body_ - response_.body.size())
      throw Error("net.response_too_large", name, max_body_);
    response_.body += piece;
    return true;
  }

 private:
  ClientResponse& response_;
  size_t max_body_;
  const std::function<bool(std::string_view)>* on_data_ = nullptr;
};

void read_chunked(Connected& socket, std::string& left, Sink& sink, size_t max_body) {
  ChunkedDecoder decoder(sink.streams() ? SIZE_MAX : max_body);
  std::string data;
  while (true) {
    std::string_view bytes = left;
    const Refusal* bad = decoder.feed(bytes, data);
    if (bad == &refusal::kBodyTooLarge)
      throw Error("net.response_too_large", socket.name(), max_body);
    if (bad != nullptr) throw Error("net.bad_response", socket.name());
    left.clear();
    if (!sink.take(data, socket.name()) || decoder.done()) return;
    data.clear();
    if (!socket.receive(left)) throw Error("net.closed_early", socket.name());
  }
}

// `length`: how many bytes come; without it, all until the end.
void read_plain(Connected& socket, std::string& left, Sink& sink, std::optional<uint64_t> length) {
  uint64_t taken = 0;
  while (true) {
    if (length) left.resize(static_cast<size_t>(std::min<uint64_t>(left.size(), *length - taken)));
    taken += left.size();
    if (!sink.take(left, socket.name()) || taken == length) return;
    left.clear();
    if (socket.receive(left)) continue;
    if (length) throw Error("net.closed_early", socket.name());
    return;
  }
}

}  // namespace

ClientOptions parse_server_url(std::string_view url) {
  ClientOptions options;
  if (url.starts_with("unix:")) {
    options.unix_path = url.substr(5);
    if (options.unix_path.starts_with("//")) options.unix_path.erase(0, 2);
    if (options.unix_path.empty()) throw Error("net.bad_url", url);
    return options;
  }
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    if (url.find("://") != std::string_view::npos) throw Error("net.url_scheme", url);
    throw Error("net.bad_url", url);
  }
  const std::string_view rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view path = rest.substr(slash);
  if (!path.empty() && path != "/" && path != "/v1" && path != "/v1/")
    throw Error("net.bad_url", url);
  const HostPort address = parse_host_port(rest.substr(0, slash));
  if (!address.valid) throw Error("net.bad_url", url);
  options.host = address.host;
  options.port = address.port.value_or(80);
  return options;
}

ClientResponse HttpClient::send(const std::string& method, const std::string& target,
                                const Headers& headers, std::string_view body,
                                const std::function<bool(std::string_view)>& on_data) {
  Connected socket(options_, cancelled_);
  socket.send_all(request_head(options_, method, target, headers, body.size()));
  socket.send_all(body);
  std::string left;
  ClientResponse response = read_head(socket, options_, left);
  Sink sink(response, on_data, options_.max_body);
  const std::string_view length_text = response.header("content-length");
  const auto length = base::parse_uint(length_text);
  if (!length_text.empty() && !length) throw Error("net.bad_response", socket.name());
  if (method == "HEAD" || response.status == 204 || response.status == 304) return response;
  if (to_lower(response.header("transfer-encoding")) == "chunked")
    read_chunked(socket, left, sink, options_.max_body);
  else
    read_plain(socket, left, sink, length);
  return response;
}

}  // namespace tulou::net
