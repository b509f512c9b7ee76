#include "net/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/tls.h"

namespace tulou::net {
namespace {

namespace asio = boost::asio;
using asio::generic::stream_protocol;
using base::Error;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTick{100};  // how exact deadlines are
constexpr uint64_t kOtherFiles = 128;            // open files that are no connections

std::string text_of(const stream_protocol::endpoint& endpoint) {
  sockaddr_storage address{};
  const auto* from = reinterpret_cast<const char*>(endpoint.data());
  std::copy_n(from, std::min(endpoint.size(), sizeof(address)), reinterpret_cast<char*>(&address));
  return address_text(address);
}

// Small pieces go out at once; a peer that has vanished without a word is noticed.
void tune(Socket& socket, int family) {
  if (family == AF_UNIX) return;
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  using Option = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  socket.set_option(Option(30), ignored);
  socket.set_option(Interval(10), ignored);
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(ServerOptions options, std::vector<Route> routes)
      : options_(std::move(options)), routes_(std::move(routes)) {
    for (const std::string& origin : options_.cors_origins)
      if (!is_origin(origin)) throw Error("net.bad_origin", origin);
  }

  void start();
  void drain(std::chrono::milliseconds limit);
  void stop();
  void reload_tls();
  ServerCounters counters() const;
  bool post(std::function<void()> job) { return core_ && core_->pool.post(std::move(job)); }
  const Listener& listener() const { return listener_; }
  std::string url() const {
    if (!options_.unix_path.empty()) return listener_.address;
    return (options_.tls_cert.empty() ? "http://" : "https://") + listener_.address;
  }

 private:
  using Acceptor = asio::basic_socket_acceptor<stream_protocol>;

  void check_exposure() const;
  void run_thread();
  void try_accept(Socket socket);
  void accept(Socket socket);
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> watch_deadlines();
  void close_acceptor();
  void on_thread(std::function<void()> action);

  ServerOptions options_;
  std::vector<Route> routes_;
  Listener listener_;
  std::shared_ptr<ServerCore> core_;
  std::unique_ptr<Acceptor> acceptor_;        // the server's thread
  std::unique_ptr<asio::steady_timer> tick_;  // the server's thread
  std::shared_ptr<SSL_CTX> tls_;              // the server's thread
  size_t max_connections_ = 0;
  bool stopping_ = false;  // the server's thread
  std::thread thread_;
};

void HttpServer::Impl::check_exposure() const {
  if (listener_.loopback) return;
  if (!options_.authorize && !options_.allow_open)
    throw Error("net.exposed_open", listener_.address);
  if (!tls_ && !options_.allow_unencrypted)
    throw Error("net.exposed_unencrypted", listener_.address);
}

void HttpServer::Impl::start() {
  if (!options_.tls_cert.empty() || !options_.tls_key.empty())
    tls_ = make_tls_context(options_.tls_cert, options_.tls_key);
  listener_ = options_.unix_path.empty() ? listen_tcp(options_.host, options_.port)
                                         : listen_unix(options_.unix_path);
  try {
    check_exposure();
  } catch (const Error&) {
    ::close(listener_.descriptor);
    throw;
  }
  const uint64_t files = raise_file_limit();
  max_connections_ = static_cast<size_t>(std::min<uint64_t>(
      options_.max_connections, files > 2 * kOtherFiles ? files - kOtherFiles : files / 2));
  core_ = std::make_shared<ServerCore>(options_, routes_, listener_.loopback);
  acceptor_ = std::make_unique<Acceptor>(core_->context, stream_protocol(listener_.family, 0),
                                         listener_.descriptor);
  tick_ = std::make_unique<asio::steady_timer>(core_->context);
  thread_ = std::thread([this] { run_thread(); });
}

void HttpServer::Impl::run_thread() {
  asio::co_spawn(core_->context, accept_loop(), asio::detached);
  asio::co_spawn(core_->context, watch_deadlines(), asio::detached);
  while (true) {
    try {
      core_->context.run();
      break;
    } catch (const std::exception&) {
      // No memory for one connection; the others go on.
    }
  }
  core_->end_thread();
}

// Without memory for the connection, it is closed.
void HttpServer::Impl::try_accept(Socket socket) {
  try {
    accept(std::move(socket));
  } catch (const std::exception&) {
    return;
  }
}

void HttpServer::Impl::accept(Socket socket) {
  error_code error;
  tune(socket, listener_.family);
  socket.non_blocking(true, error);
  const auto peer = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto local = socket.local_endpoint(error);
  if (error) return;
  const bool is_unix = listener_.family == AF_UNIX;
  auto stream = tls_ ? make_tls_stream(std::move(socket), core_->scratch, tls_)
                     : make_plain_stream(std::move(socket), core_->scratch);
  std::make_shared<Connection>(core_, std::move(stream), text_of(peer),
                               is_unix ? std::string() : text_of(local), tls_ != nullptr)
      ->start();
}

asio::awaitable<void> HttpServer::Impl::accept_loop() {
  asio::steady_timer pause(core_->context);
  while (acceptor_->is_open()) {
    error_code error;
    if (core_->connections.size() < max_connections_) {
      Socket socket =
          co_await acceptor_->async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        try_accept(std::move(socket));
        continue;
      }
      if (error == asio::error::operation_aborted || !acceptor_->is_open()) break;
    }
    // No room, in the process or in the system: the kernel keeps them meanwhile.
    pause.expires_after(kTick / 4);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<void> HttpServer::Impl::watch_deadlines() {
  while (!stopping_) {
    error_code ignored;
    tick_->expires_after(kTick);
    co_await tick_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto now = std::chrono::steady_clock::now();
    for (const auto& connection : core_->connections) connection->check_deadline(now);
  }
}

void HttpServer::Impl::close_acceptor() {
  core_->draining = true;
  if (!acceptor_->is_open()) return;
  if (!options_.unix_path.empty()) unlink(options_.unix_path.c_str());
  error_code ignored;
  acceptor_->close(ignored);
}

// Runs it on the server's thread and waits for it.
void HttpServer::Impl::on_thread(std::function<void()> action) {
  std::promise<void> done;
  const bool runs = core_->run_on_thread([&] {
    action();
    done.set_value();
  });
  if (runs) done.get_future().wait();
}

void HttpServer::Impl::drain(std::chrono::milliseconds limit) {
  if (!thread_.joinable()) return;
  on_thread([this] {
    close_acceptor();
    for (const auto& connection : core_->connections) connection->drain();
  });
  const auto end = std::chrono::steady_clock::now() + limit;
  while (core_->open > 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  on_thread([this] {
    for (const auto& connection : core_->connections) connection->cut();
  });
}

void HttpServer::Impl::stop() {
  if (!thread_.joinable()) return;
  on_thread([this] {
    stopping_ = true;
    close_acceptor();
    tick_->cancel();
    for (const auto& connection : core_->connections) connection->cut();
  });
  thread_.join();
  core_->pool.stop();
}

void HttpServer::Impl::reload_tls() {
  if (options_.tls_cert.empty() || !thread_.joinable()) return;
  auto fresh = make_tls_context(options_.tls_cert, options_.tls_key);
  on_thread([&] { tls_ = std::move(fresh); });
}

ServerCounters HttpServer::Impl::counters() const {
  if (!core_) return {};
  ServerCounters all;
  all.connections = core_->accepted;
  all.connections_now = core_->open;
  all.requests = core_->requests;
  all.requests_now = core_->requests_now;
  all.refused = core_->refused;
  all.deadlines = core_->deadlines;
  all.gone = core_->gone;
  all.queued_now = core_->pool.queued();
  all.bytes_received = core_->received;
  all.bytes_sent = core_->sent;
  return all;
}

HttpServer::HttpServer(ServerOptions options, std::vector<Route> routes)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(routes))) {}
HttpServer::~HttpServer() { stop(); }
void HttpServer::start() { impl_->start(); }
uint16_t HttpServer::port() const { return impl_->listener().port; }
std::string HttpServer::address() const { return impl_->url(); }
bool HttpServer::post(std::function<void()> job) { return impl_->post(std::move(job)); }
void HttpServer::reload_tls() { impl_->reload_tls(); }
void HttpServer::drain(std::chrono::milliseconds limit) { impl_->drain(limit); }
void HttpServer::stop() { impl_->stop(); }
ServerCounters HttpServer::counters() const { return impl_->counters(); }

}  // namespace tulou::net
