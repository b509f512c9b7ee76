#include "net/stream.h"

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace tulou::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Waits until there is something, then reads it: a connection that waits holds no memory for it.
void read_when_ready(Socket& socket, std::span<char> scratch, Stream::Arrived arrived) {
  socket.async_wait(Socket::wait_read, [&socket, scratch,
                                        arrived = std::move(arrived)](error_code error) mutable {
    size_t count = 0;
    if (!error) count = socket.read_some(asio::buffer(scratch.data(), scratch.size()), error);
    if (error == asio::error::would_block || error == asio::error::try_again)
      return read_when_ready(socket, scratch, std::move(arrived));
    arrived(error ? std::string_view() : std::string_view(scratch.data(), count));
  });
}

void close_socket(Socket& socket) {
  error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
  socket.close(ignored);
}

class PlainStream final : public Stream {
 public:
  PlainStream(Socket socket, std::span<char> scratch)
      : socket_(std::move(socket)), scratch_(scratch) {}

  void handshake(Done done) override {
    asio::post(socket_.get_executor(), [done = std::move(done)] { done(true); });
  }
  void read(Arrived arrived) override { read_when_ready(socket_, scratch_, std::move(arrived)); }
  void write(std::string_view bytes, Done done) override {
    asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                      [done = std::move(done)](error_code error, size_t) { done(!error); });
  }
  void finish(Done done) override {
    error_code error;
    socket_.shutdown(Socket::shutdown_send, error);
    asio::post(socket_.get_executor(), [done = std::move(done), ok = !error] { done(ok); });
  }
  void discard(Arrived arrived) override { read(std::move(arrived)); }
  void cut() override { close_socket(socket_); }

 private:
  Socket socket_;
  std::span<char> scratch_;
};

class TlsStream final : public Stream {
 public:
  TlsStream(Socket socket, std::span<char> scratch, const std::shared_ptr<SSL_CTX>& context)
      : scratch_(scratch), context_(owned(context.get())), stream_(std::move(socket), context_) {}

  void handshake(Done done) override {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [done = std::move(done)](error_code error) { done(!error); });
  }
  void read(Arrived arrived) override {
    stream_.async_read_some(
        asio::buffer(buffer_), [this, arrived = std::move(arrived)](error_code error, size_t n) {
          arrived(error ? std::string_view() : std::string_view(buffer_.data(), n));
        });
  }
  void write(std::string_view bytes, Done done) override {
    asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                      [done = std::move(done)](error_code error, size_t) { done(!error); });
  }
  void finish(Done done) override {
    // The notice of the end goes out at once; the peer's own is not waited for (RFC 8446, 6.1).
    SSL_set_shutdown(stream_.native_handle(), SSL_RECEIVED_SHUTDOWN);
    stream_.async_shutdown([this, done = std::move(done)](error_code error) {
      error_code ignored;
      stream_.next_layer().shutdown(Socket::shutdown_send, ignored);
      done(!error);
    });
  }
  void discard(Arrived arrived) override {
    read_when_ready(stream_.next_layer(), scratch_, std::move(arrived));
  }
  void cut() override { close_socket(stream_.next_layer()); }

 private:
  // Asio's context frees what it is given.
  static SSL_CTX* owned(SSL_CTX* context) {
    SSL_CTX_up_ref(context);
    return context;
  }

  std::span<char> scratch_;
  asio::ssl::context context_;
  asio::ssl::stream<Socket> stream_;
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

std::unique_ptr<Stream> make_plain_stream(Socket socket, std::span<char> scratch) {
  return std::make_unique<PlainStream>(std::move(socket), scratch);
}

std::unique_ptr<Stream> make_tls_stream(Socket socket, std::span<char> scratch,
                                        const std::shared_ptr<SSL_CTX>& context) {
  return std::make_unique<TlsStream>(std::move(socket), scratch, context);
}

}  // namespace tulou::net
