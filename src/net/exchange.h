// What an HttpExchange and its connection share: the answer on its way out.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace tulou::net {

struct ErrorBody {
  std::string content_type, body;
};

// How an exchange reaches its server. All are called from any thread.
struct ServerLink {
  // The connection shall look at the exchange again.
  std::function<void()> wake;
  // Runs the callback on the server's thread; false if that has ended.
  std::function<bool(std::function<void()>)> run;
  // The body of the answer to a request that nobody answers.
  std::function<ErrorBody()> failure;
};

struct AnswerForm {
  bool http_1_0 = false;
  bool head_only = false;  // the answer to HEAD
  bool close = false;      // the connection ends with this answer
  Headers headers;         // added to those of the handler
  size_t max_unread = 1u << 20;
};

class ExchangeState {
 public:
  // `lease` is only held: what is to be given back when the request is no longer needed.
  ExchangeState(HttpRequest request, AnswerForm form, ServerLink link,
                std::shared_ptr<const void> lease);

  // For HttpExchange, from any thread.
  const HttpRequest& request() const { return request_; }
  void reply(int status, const Headers& headers, std::string_view body);
  void begin_stream(int status, const Headers& headers);
  bool write(std::string_view data);
  void end_stream();
  void abandon();
  bool gone() const;
  void on_gone(std::function<void()> callback);

  // For the connection, from the server's thread.
  struct Batch {
    std::string bytes;
    bool complete = false;  // nothing comes after these bytes
    bool cut = false;       // the connection must end without the rest
    bool close = false;     // with `complete`: the connection ends
  };
  Batch take();
  // `count` bytes of what take() gave have been sent.
  void sent(size_t count);
  bool is_cut() const;
  void client_gone();
  // Answers that have not begun yet say "Connection: close".
  void close_after();

 private:
  enum class Stage { kWaiting, kStreaming, kComplete };
  Headers all_headers(const Headers& headers) const;
  void notify();

  const HttpRequest request_;
  AnswerForm form_;
  const ServerLink link_;
  const std::shared_ptr<const void> lease_;

  mutable std::mutex mutex_;
  Stage stage_ = Stage::kWaiting;
  std::string out_;       // not taken yet
  size_t in_flight_ = 0;  // taken, not sent
  bool cut_ = false;
  bool gone_ = false;
  bool notified_ = false;  // a wake is on its way
  std::function<void()> on_gone_;
};

}  // namespace tulou::net
