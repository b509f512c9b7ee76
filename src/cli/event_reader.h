// The events of a server's stream (text/event-stream), as far as OpenAI's APIs use that format.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tulou::cli {

// Takes a stream in pieces of any size. An event is what stands behind "data:" up to an empty line;
// comments and other fields are passed over. https://html.spec.whatwg.org/multipage/
// server-sent-events.html
class EventReader {
 public:
  static constexpr size_t kMaxEventBytes = 16u << 20;

  explicit EventReader(std::function<void(std::string_view)> on_event)
      : on_event_(std::move(on_event)) {}

  // Gives each complete event to the function, which may throw. False if an event is too long: then
  // nothing more is read.
  bool feed(std::string_view bytes);

 private:
  void take_line(std::string_view line);

  std::function<void(std::string_view)> on_event_;
  std::string line_;  // the beginning of a line whose end has not come
  std::string data_;
  bool has_data_ = false;
};

}  // namespace tulou::cli
