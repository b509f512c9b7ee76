// One connection as a coroutine on the server's thread, and what all connections share.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "net/admission.h"
#include "net/exchange.h"
#include "net/http_guard.h"
#include "net/http_server.h"
#include "net/stream.h"
#include "net/worker_pool.h"

namespace tulou::net {

class Connection;

// What the connections of a server share. Its members belong to the server's thread, but for the
// ones that say otherwise. Exchanges keep it alive beyond the server.
struct ServerCore {
  ServerCore(ServerOptions all_options, std::vector<Route> all_routes, bool loopback);
  ~ServerCore();

  // Any thread; false when the server's thread has ended.
  bool run_on_thread(std::function<void()> callback);
  // To be called by the server's thread when it ends.
  void end_thread();
  // Any thread.
  ErrorBody error_body(const Refusal& refusal) const;

  const ServerOptions options;
  const std::vector<Route> routes;
  const Gate gate;
  const HeadLimits limits;
  WorkerPool pool;  // any thread
  boost::asio::io_context context{1};
  std::array<char, 16 * 1024> scratch{};
  std::unordered_set<std::shared_ptr<Connection>> connections;
  bool draining = false;

  // Any thread.
  std::atomic<uint64_t> accepted = 0, open = 0, requests = 0, requests_now = 0, refused = 0,
                        deadlines = 0, gone = 0, received = 0, sent = 0;
  std::atomic<size_t> body_memory = 0;

 private:
  std::mutex mutex_;
  bool ended_ = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerCore> core, std::unique_ptr<Stream> stream, std::string peer,
             std::string local_address, bool encrypted);

  // Starts it; it is in core->connections until it ends.
  void start();
  void check_deadline(std::chrono::steady_clock::time_point now);
  // ServerCore::draining has been set: ends it when its request is done.
  void drain();
  void cut();

 private:
  using Clock = std::chrono::steady_clock;
  template <typename T>
  using Task = boost::asio::awaitable<T>;
  class BodyLease;

  Task<void> run();
  Task<bool> one_request();
  Task<bool> read_head(RequestHead& head);
  Task<bool> read_body(RequestHead& head, const Route& route, BodyLease& lease);
  Task<bool> take_body_bytes(const RequestHead& head);
  Task<bool> answer(RequestHead& head, Admission& admission, std::shared_ptr<BodyLease> lease);
  Task<bool> send_answer();
  Task<bool> refuse(const Refusal& refusal, const RequestHead& head, Headers headers, bool keep);
  Task<bool> write(std::string bytes);
  Task<void> finish();
  Task<void> wait();

  bool dispatch(const Route& route);
  void start_read();
  void arrived(std::string_view bytes);
  void exchange_event();
  void client_gone();
  void notify();
  void set_deadline(std::chrono::milliseconds time);
  std::function<void(bool)> when_written();
  void close();

  const std::shared_ptr<ServerCore> core_;
  const std::unique_ptr<Stream> stream_;
  const std::string peer_, local_address_;
  const bool encrypted_;

  boost::asio::steady_timer event_;  // never expires: cancelled when something has happened
  Clock::time_point deadline_ = Clock::time_point::max();
  std::shared_ptr<ExchangeState> exchange_;  // while a request is being answered
  std::string in_;                           // arrived, not looked at yet
  bool first_ = true;                        // no request yet
  bool reading_ = false;                     // a read runs
  bool writing_ = false;                     // a write, handshake or finish runs
  bool write_ok_ = false;                    // how the last one ended
  bool ended_ = false;                       // the client has closed, or the connection is broken
  bool timed_out_ = false;
  bool finishing_ = false;
  bool linger_ = false;  // bytes of the client may be on their way when the last answer is sent
};

}  // namespace tulou::net
