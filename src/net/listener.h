// A listening socket, TCP or Unix, opened with all the checks, and small things about addresses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct sockaddr_storage;

namespace tulou::net {

struct Listener {
  int descriptor = -1;  // non-blocking, close-on-exec; the taker closes it
  int family = 0;       // AF_INET, AF_INET6, AF_UNIX
  uint16_t port = 0;
  bool loopback = false;  // to be reached from this machine only
  std::string address;    // for people: "127.0.0.1:11435", "[::1]:11435", "unix:/path"
};

// Port 0 takes a free one. Errors net.unknown_host, net.address_in_use, net.cannot_listen.
Listener listen_tcp(const std::string& host, uint16_t port);

// The socket has mode 0600. One that nobody answers on is replaced. Errors net.unix_path_long,
// net.not_a_socket, net.address_in_use, net.cannot_listen.
Listener listen_unix(const std::string& path);

// The IP address in text, IPv4-mapped ones as IPv4; "unix" for a Unix socket.
std::string address_text(const sockaddr_storage& address);

// Allows this process as many open files as the system does; how many that are.
uint64_t raise_file_limit();

}  // namespace tulou::net
