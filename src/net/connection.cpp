#include "net/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string>
#include <utility>

#include "net/chunked.h"
#include "net/http_response.h"

namespace tulou::net {
namespace {

namespace asio = boost::asio;

constexpr size_t kWriteBytes = 64 * 1024;                    // that have one deadline
constexpr size_t kLingerBytes = 1u << 20;                    // thrown away after a refusal
constexpr std::chrono::milliseconds kFinishDeadline{1'000};  // for goodbyes

}  // namespace

// The bytes of a body within ServerOptions::max_body_memory; given back when destroyed.
class Connection::BodyLease {
 public:
  explicit BodyLease(std::shared_ptr<ServerCore> core) : core_(std::move(core)) {}
  ~BodyLease() { core_->body_memory -= size_; }
  BodyLease(const BodyLease&) = delete;
  BodyLease& operator=(const BodyLease&) = delete;

  // False if there is no room for a body of `size` bytes.
  bool grow_to(size_t size) {
    if (size <= size_) return true;
    const size_t more = size - size_;
    if (core_->body_memory.fetch_add(more) + more > core_->options.max_body_memory) {
      core_->body_memory -= more;
      return false;
    }
    size_ = size;
    return true;
  }

 private:
  std::shared_ptr<ServerCore> core_;
  size_t size_ = 0;
};

ServerCore::ServerCore(ServerOptions all_options, std::vector<Route> all_routes, bool loopback)
    : options(std::move(all_options)),
      routes(std::move(all_routes)),
      gate(options, routes, loopback),
      limits{.max_header_bytes = options.max_header_bytes},
      pool(options.workers, options.max_queued) {}

ServerCore::~ServerCore() = default;

bool ServerCore::run_on_thread(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  asio::post(context, std::move(callback));
  return true;
}

void ServerCore::end_thread() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  context.restart();
  context.poll();  // what came in between
}

ErrorBody ServerCore::error_body(const Refusal& refusal) const {
  if (options.error_body) {
    try {
      return {options.error_content_type,
              options.error_body(refusal.status, refusal.id, refusal.message)};
    } catch (const std::exception&) {
      // The plain text below says it as well.
    }
  }
  return {"text/plain; charset=utf-8", std::string(refusal.message) + "\n"};
}

Connection::Connection(std::shared_ptr<ServerCore> core, std::unique_ptr<Stream> stream,
                       std::string peer, std::string local_address, bool encrypted)
    : core_(std::move(core)),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      local_address_(std::move(local_address)),
      encrypted_(encrypted),
      event_(core_->context, Clock::time_point::max()) {}

void Connection::start() {
  core_->connections.insert(shared_from_this());
  ++core_->accepted;
  ++core_->open;
  asio::co_spawn(core_->context, run(),
                 [self = shared_from_this()](const std::exception_ptr&) { self->close(); });
}

void Connection::close() {
  cut();
  if (core_->connections.erase(shared_from_this()) > 0) --core_->open;
}

void Connection::check_deadline(Clock::time_point now) {
  if (now < deadline_) return;
  deadline_ = Clock::time_point::max();
  timed_out_ = true;
  if (!finishing_) ++core_->deadlines;
  if (writing_) stream_->cut();
  notify();
}

void Connection::drain() {
  if (exchange_) exchange_->close_after();
  notify();
}

void Connection::cut() {
  ended_ = true;
  client_gone();
  stream_->cut();
  notify();
}

void Connection::client_gone() {
  if (!exchange_ || exchange_->gone()) return;
  ++core_->gone;
  exchange_->client_gone();
}

void Connection::exchange_event() {
  if (exchange_ && exchange_->is_cut()) cut();
  notify();
}

void Connection::notify() { event_.cancel(); }

void Connection::set_deadline(std::chrono::milliseconds time) { deadline_ = Clock::now() + time; }

std::function<void(bool)> Connection::when_written() {
  writing_ = true;
  return [self = shared_from_this()](bool ok) {
    self->writing_ = false;
    self->write_ok_ = ok;
    self->notify();
  };
}

Connection::Task<void> Connection::wait() {
  boost::system::error_code ignored;
  co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

// Keeps one read running while there is room, so that the end of the connection is seen at once.
void Connection::start_read() {
  if (reading_ || ended_ || in_.size() >= core_->options.max_header_bytes) return;
  reading_ = true;
  stream_->read([self = shared_from_this()](std::string_view bytes) { self->arrived(bytes); });
}

void Connection::arrived(std::string_view bytes) {
  reading_ = false;
  core_->received += bytes.size();
  in_ += bytes;
  if (bytes.empty()) {
    ended_ = true;
    client_gone();
  }
  notify();
}

Connection::Task<void> Connection::run() {
  set_deadline(core_->options.header_deadline);
  stream_->handshake(when_written());
  while (writing_) co_await wait();
  if (!write_ok_) co_return;
  while (true) {
    const bool more = co_await one_request();
    if (!more) break;
    first_ = false;
  }
  co_await finish();
}

Connection::Task<bool> Connection::one_request() {
  RequestHead head;
  const bool complete = co_await read_head(head);
  if (!complete) co_return false;
  Admission admission;
  bool failed = false;
  try {
    admission = core_->gate.admit(head, local_address_);
  } catch (const std::exception&) {
    failed = true;  // authorize() has; nothing can be awaited here
  }
  if (failed) admission.refusal = &refusal::kInternal;
  const bool keep = head.keep_alive && !head.has_body();
  if (admission.refusal != nullptr) {
    // Whoever sends what is malformed, or leaves out the length, may mean another end of it.
    const int status = admission.refusal->status;
    const bool clear = status != 400 && status != 411 && status < 500;
    co_return co_await refuse(*admission.refusal, head, admission.headers, keep && clear);
  }
  if (admission.answered) {
    const bool close = !keep || core_->draining;
    const bool sent = co_await write(response_head(204, admission.headers, {.close = close}));
    co_return sent && !close;
  }
  auto lease = std::make_shared<BodyLease>(core_);
  if (head.has_body()) {
    const bool read = co_await read_body(head, *admission.route, *lease);
    if (!read) co_return false;
  }
  co_return co_await answer(head, admission, lease);
}

// False: nothing came, or what came has been refused.
Connection::Task<bool> Connection::read_head(RequestHead& head) {
  if (in_.empty()) std::string().swap(in_);  // the room of the last request
  HeadScanner scanner(core_->limits);
  HeadScanner::Result found;
  bool begun = false;
  if (!first_) set_deadline(core_->options.idle_deadline);
  while (true) {
    if (!begun && !in_.empty() && !first_) set_deadline(core_->options.header_deadline);
    begun = !in_.empty();
    found = scanner.scan(in_);
    if (found.refusal != nullptr || found.size > 0) break;
    if (timed_out_ && begun) found.refusal = &refusal::kHeaderDeadline;
    if (timed_out_ || ended_ || core_->draining) break;
    start_read();
    co_await wait();
  }
  if (found.size > 0)
    found.refusal = parse_head(std::string_view(in_).substr(0, found.size), core_->limits, head);
  if (found.refusal != nullptr) co_return co_await refuse(*found.refusal, head, {}, false);
  if (found.size == 0) co_return false;
  in_.erase(0, found.size);
  head.request.peer = peer_;
  head.request.encrypted = encrypted_;
  co_return true;
}

// Waits until there are bytes of the body to look at.
Connection::Task<bool> Connection::take_body_bytes(const RequestHead& head) {
  while (in_.empty() && !timed_out_ && !ended_) {
    start_read();
    co_await wait();
  }
  if (timed_out_) co_return co_await refuse(refusal::kBodyDeadline, head, {}, false);
  co_return !in_.empty();
}

Connection::Task<bool> Connection::read_body(RequestHead& head, const Route& route,
                                             BodyLease& lease) {
  set_deadline(core_->options.body_deadline);
  const size_t expected = static_cast<size_t>(head.content_length.value_or(0));
  if (!lease.grow_to(expected)) co_return co_await refuse(refusal::kBusy, head, {}, false);
  if (head.expects_continue && in_.empty()) {
    const bool sent = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return false;
    set_deadline(core_->options.body_deadline);
  }
  std::string& body = head.request.body;
  body.reserve(expected);
  ChunkedDecoder decoder(route.max_body);
  while (head.chunked ? !decoder.done() : body.size() < expected) {
    const bool some = co_await take_body_bytes(head);
    if (!some) co_return false;
    std::string_view bytes = in_;
    if (!head.chunked) {
      bytes = bytes.substr(0, expected - body.size());
      body += bytes;
      in_.erase(0, bytes.size());
      continue;
    }
    const Refusal* bad = decoder.feed(bytes, body);
    if (bad == nullptr && !lease.grow_to(body.capacity())) bad = &refusal::kBusy;
    if (bad != nullptr) co_return co_await refuse(*bad, head, {}, false);
    in_.erase(0, in_.size() - bytes.size());
  }
  co_return true;
}

bool Connection::dispatch(const Route& route) {
  auto exchange = std::make_shared<HttpExchange>(exchange_);
  auto run = [exchange, &route, state = exchange_, core = core_] {
    try {
      route.handler(exchange);
    } catch (const std::exception&) {
      state->abandon();
    }
  };
  exchange.reset();
  if (!route.in_place) return core_->pool.submit(std::move(run));
  run();
  return true;
}

Connection::Task<bool> Connection::answer(RequestHead& head, Admission& admission,
                                          std::shared_ptr<BodyLease> lease) {
  AnswerForm form;
  form.http_1_0 = head.http_1_0;
  form.head_only = head.request.method == "HEAD";
  form.close = !head.keep_alive || core_->draining;
  form.headers = admission.headers;
  form.max_unread = core_->options.max_unread;
  ServerLink link;
  link.wake = [core = core_, weak = weak_from_this()] {
    core->run_on_thread([weak] {
      if (const auto self = weak.lock()) self->exchange_event();
    });
  };
  link.run = [core = core_](std::function<void()> callback) {
    return core->run_on_thread(std::move(callback));
  };
  link.failure = [core = core_] { return core->error_body(refusal::kInternal); };
  exchange_ = std::make_shared<ExchangeState>(std::move(head.request), std::move(form),
                                              std::move(link), std::move(lease));
  deadline_ = Clock::time_point::max();
  if (!dispatch(*admission.route)) {
    exchange_.reset();
    admission.headers.emplace_back("Retry-After", "1");
    co_return co_await refuse(refusal::kBusy, head, admission.headers, head.keep_alive);
  }
  ++core_->requests;
  ++core_->requests_now;
  const bool keep = co_await send_answer();
  if (!keep) client_gone();
  --core_->requests_now;
  exchange_.reset();
  co_return keep;
}

// True: complete, and the connection goes on.
Connection::Task<bool> Connection::send_answer() {
  while (true) {
    ExchangeState::Batch batch = exchange_->take();
    if (batch.cut) cut();
    if (ended_ && !batch.complete) co_return false;
    if (!batch.bytes.empty()) {
      const bool sent = co_await write(std::move(batch.bytes));
      if (!sent) co_return false;
      deadline_ = Clock::time_point::max();
    } else if (!batch.complete) {
      start_read();
      co_await wait();
    }
    if (batch.complete) co_return !batch.close && !ended_;
  }
}

// `keep`: the request has been read to its end, so that the connection can go on.
Connection::Task<bool> Connection::refuse(const Refusal& refusal, const RequestHead& head,
                                          Headers headers, bool keep) {
  ++core_->refused;
  keep = keep && !core_->draining;
  linger_ = !keep;
  const ErrorBody error = core_->error_body(refusal);
  headers.emplace_back("Content-Type", error.content_type);
  if (const std::string_view id = head.request.request_id(); !id.empty())
    headers.emplace_back("X-Request-Id", id);
  std::string bytes =
      response_head(refusal.status, headers, {.content_length = error.body.size(), .close = !keep});
  if (head.request.method != "HEAD") bytes += error.body;
  const bool sent = co_await write(std::move(bytes));
  co_return sent&& keep;
}

Connection::Task<bool> Connection::write(std::string bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const std::string_view piece = std::string_view(bytes).substr(at, kWriteBytes);
    set_deadline(core_->options.write_deadline);
    stream_->write(piece, when_written());
    while (writing_) co_await wait();
    if (!write_ok_) co_return false;
    if (exchange_) exchange_->sent(piece.size());
    core_->sent += piece.size();
    at += piece.size();
  }
  co_return true;
}

// Lets the last answer arrive: closing with unread bytes would reset the connection and could take
// the answer back (RFC 9112 section 9.6).
Connection::Task<void> Connection::finish() {
  if (ended_) co_return;
  finishing_ = true;
  timed_out_ = false;
  set_deadline(kFinishDeadline);
  stream_->finish(when_written());
  while (writing_) co_await wait();
  size_t discarded = 0;
  while (linger_ && !ended_ && !timed_out_ && discarded < kLingerBytes) {
    discarded += in_.size();
    in_.clear();
    if (!reading_) {
      reading_ = true;
      stream_->discard(
          [self = shared_from_this()](std::string_view bytes) { self->arrived(bytes); });
    }
    co_await wait();
  }
}

}  // namespace tulou::net
