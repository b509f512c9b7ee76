#include "grammar/wire.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace tulou::grammar {
namespace {

struct Header {
  MessageKind kind;
  uint64_t size;
};

constexpr uint64_t kMaxBody = uint64_t{1} << 30;

bool send_all(int socket, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool receive_all(int socket, char* data, size_t size) {
  while (size > 0) {
    const ssize_t received = recv(socket, data, size, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    data += received;
    size -= static_cast<size_t>(received);
  }
  return true;
}

}  // namespace

bool send_message(int socket, MessageKind kind, std::string_view body) {
  Header header{};
  header.kind = kind;
  header.size = body.size();
  return send_all(socket, reinterpret_cast<const char*>(&header), sizeof(header)) &&
         send_all(socket, body.data(), body.size());
}

bool receive_message(int socket, Message& message) {
  Header header{};
  if (!receive_all(socket, reinterpret_cast<char*>(&header), sizeof(header))) return false;
  if (header.size > kMaxBody) return false;
  message.kind = header.kind;
  message.body.resize(header.size);
  return receive_all(socket, message.body.data(), message.body.size());
}

}  // namespace tulou::grammar
