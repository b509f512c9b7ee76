#include "net/exchange.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "net/http_response.h"
#include "net/refusal.h"

namespace tulou::net {
namespace {

std::string hexadecimal(size_t value) {
  std::string digits;
  for (; value > 0 || digits.empty(); value /= 16)
    digits.insert(digits.begin(), "0123456789abcdef"[value % 16]);
  return digits;
}

}  // namespace

ExchangeState::ExchangeState(HttpRequest request, AnswerForm form, ServerLink link,
                             std::shared_ptr<const void> lease)
    : request_(std::move(request)),
      form_(std::move(form)),
      link_(std::move(link)),
      lease_(std::move(lease)) {}

Headers ExchangeState::all_headers(const Headers& headers) const {
  Headers all = form_.headers;
  all.insert(all.end(), headers.begin(), headers.end());
  return all;
}

// Called without the lock.
void ExchangeState::notify() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(notified_, true)) return;
  }
  link_.wake();
}

void ExchangeState::reply(int status, const Headers& headers, std::string_view body) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kWaiting || gone_) return;
    stage_ = Stage::kComplete;
    on_gone_ = nullptr;
    out_ = response_head(status, all_headers(headers),
                         {.content_length = body.size(), .close = form_.close});
    if (!form_.head_only) out_ += body;
  }
  notify();
}

void ExchangeState::begin_stream(int status, const Headers& headers) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kWaiting || gone_) return;
    stage_ = Stage::kStreaming;
    form_.close |= form_.http_1_0;
    out_ = response_head(status, all_headers(headers),
                         {.chunked = !form_.http_1_0, .close = form_.close});
  }
  notify();
}

bool ExchangeState::write(std::string_view data) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kStreaming || gone_ || cut_) return false;
    if (data.empty() || form_.head_only) return true;
    if (out_.size() + in_flight_ + data.size() > form_.max_unread) {
      cut_ = true;
    } else if (form_.http_1_0) {
      out_ += data;
    } else {
      out_ += hexadecimal(data.size()) + "\r\n";
      out_ += data;
      out_ += "\r\n";
    }
  }
  notify();
  return !is_cut();
}

void ExchangeState::end_stream() {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kStreaming || gone_) return;
    stage_ = Stage::kComplete;
    on_gone_ = nullptr;
    if (!form_.http_1_0 && !form_.head_only) out_ += "0\r\n\r\n";
  }
  notify();
}

void ExchangeState::abandon() {
  Stage stage = Stage::kComplete;
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) stage = stage_;
    cut_ |= stage == Stage::kStreaming;
  }
  if (stage == Stage::kComplete) return;
  if (stage == Stage::kStreaming) return notify();
  const ErrorBody failure = link_.failure();
  reply(refusal::kInternal.status, {{"Content-Type", failure.content_type}}, failure.body);
}

bool ExchangeState::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void ExchangeState::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      if (stage_ != Stage::kComplete) on_gone_ = std::move(callback);
      return;
    }
  }
  if (callback && !link_.run(callback)) callback();
}

ExchangeState::Batch ExchangeState::take() {
  const std::lock_guard lock(mutex_);
  notified_ = false;
  Batch batch;
  batch.bytes.swap(out_);
  in_flight_ += batch.bytes.size();
  batch.complete = stage_ == Stage::kComplete;
  batch.cut = cut_;
  batch.close = form_.close;
  return batch;
}

void ExchangeState::sent(size_t count) {
  const std::lock_guard lock(mutex_);
  in_flight_ -= count;
}

bool ExchangeState::is_cut() const {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void ExchangeState::client_gone() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(gone_, true)) return;
    out_.clear();
    if (stage_ != Stage::kComplete) callback.swap(on_gone_);
  }
  if (callback) callback();
}

void ExchangeState::close_after() {
  const std::lock_guard lock(mutex_);
  form_.close = true;
}

HttpExchange::HttpExchange(std::shared_ptr<ExchangeState> state) : state_(std::move(state)) {}
HttpExchange::~HttpExchange() { state_->abandon(); }
const HttpRequest& HttpExchange::request() const { return state_->request(); }
void HttpExchange::reply(int status, const Headers& headers, std::string_view body) {
  state_->reply(status, headers, body);
}
void HttpExchange::begin_stream(int status, const Headers& headers) {
  state_->begin_stream(status, headers);
}
bool HttpExchange::write(std::string_view data) { return state_->write(data); }
void HttpExchange::end_stream() { state_->end_stream(); }
bool HttpExchange::gone() const { return state_->gone(); }
void HttpExchange::on_gone(std::function<void()> callback) { state_->on_gone(std::move(callback)); }

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [field, value] : headers)
    if (field == name) return value;
  return {};
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string_view HttpRequest::request_id() const {
  constexpr size_t kMaxRequestId = 128;
  const std::string_view id = header("x-request-id");
  return id.size() <= kMaxRequestId && is_visible_ascii(id) ? id : std::string_view{};
}

}  // namespace tulou::net
