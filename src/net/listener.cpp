#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/number.h"
#include "net/http_server.h"

namespace tulou::net {
namespace {

using base::Error;

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

std::string last_error() { return std::strerror(errno); }

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    throw Error("net.unix_path_long", path, path.size(), sizeof(address.sun_path) - 1);
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  return address;
}

void start_listening(const Descriptor& socket, const sockaddr* address, socklen_t size,
                     const std::string& name) {
  if (bind(socket.get(), address, size) != 0 || listen(socket.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) throw Error("net.address_in_use", name);
    throw Error("net.cannot_listen", name, last_error());
  }
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  // Both families have a "localhost"; clients that try IPv6 first fall back to IPv4.
  hints.ai_family = host == "localhost" ? AF_INET : AF_UNSPEC;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), base::to_text(port).c_str(), &hints, &found);
  if (status != 0 || found == nullptr) throw Error("net.unknown_host", host, gai_strerror(status));
  return {found, &freeaddrinfo};
}

uint16_t bound_port(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string with_port(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + base::to_text(port);
}

// Makes room for a socket at `path`: removes one that nobody listens on.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw Error("net.cannot_listen", path, last_error());
  }
  if (!S_ISSOCK(status.st_mode)) throw Error("net.not_a_socket", path);
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED)
    throw Error("net.address_in_use", "unix:" + path);
  if (unlink(path.c_str()) != 0) throw Error("net.cannot_listen", path, last_error());
}

}  // namespace

Listener listen_tcp(const std::string& host, uint16_t port) {
  const AddressList found = resolve(host, port);
  Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const std::string name = with_port(host, port);
  if (socket.get() < 0) throw Error("net.cannot_listen", name, last_error());
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  start_listening(socket, found->ai_addr, found->ai_addrlen, name);
  sockaddr_storage address{};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  Listener listener;
  listener.family = found->ai_family;
  listener.port = bound_port(socket.get());
  listener.loopback = is_loopback(address_text(address));
  listener.address = with_port(host, listener.port);
  listener.descriptor = socket.release();
  return listener;
}

Listener listen_unix(const std::string& path) {
  const sockaddr_un address = unix_address(path);
  remove_stale(path, address);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // On Linux the file gets the mode that the socket has: it is never open to others, not even
  // between bind and chmod.
  if (socket.get() < 0 || fchmod(socket.get(), 0600) != 0)
    throw Error("net.cannot_listen", path, last_error());
  start_listening(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                  "unix:" + path);
  Listener listener;
  listener.family = AF_UNIX;
  listener.loopback = true;
  listener.address = "unix:" + path;
  listener.descriptor = socket.release();
  return listener;
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
      inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
    else
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  } else {
    return "unix";
  }
  return text;
}

uint64_t raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
}

}  // namespace tulou::net
