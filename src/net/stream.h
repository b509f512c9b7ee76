// A connected socket with or without TLS, as callbacks on the server's thread.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

typedef struct ssl_ctx_st SSL_CTX;  // NOLINT(modernize-use-using): as OpenSSL declares it

namespace tulou::net {

using Socket = boost::asio::generic::stream_protocol::socket;

// One read and one write may run at a time. Callbacks come later, never from inside the call; the
// caller keeps the stream alive until then.
class Stream {
 public:
  using Done = std::function<void(bool ok)>;
  // What has arrived, valid during the call; empty at the end of the stream or after an error.
  using Arrived = std::function<void(std::string_view bytes)>;

  explicit Stream() = default;
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  virtual void handshake(Done done) = 0;
  virtual void read(Arrived arrived) = 0;
  // Sends all of it; `bytes` must stay until `done`.
  virtual void write(std::string_view bytes, Done done) = 0;
  // Says that nothing more will be sent.
  virtual void finish(Done done) = 0;
  // After finish(): reads without looking at what it is.
  virtual void discard(Arrived arrived) = 0;
  // Ends everything; what runs fails.
  virtual void cut() = 0;
};

// `scratch` is where bytes are read to, shared by all streams of a thread, so that a connection
// that waits needs no buffer of its own; it must outlive them.
std::unique_ptr<Stream> make_plain_stream(Socket socket, std::span<char> scratch);
// With buffers of its own, about 60 KiB.
std::unique_ptr<Stream> make_tls_stream(Socket socket, std::span<char> scratch,
                                        const std::shared_ptr<SSL_CTX>& context);

}  // namespace tulou::net
