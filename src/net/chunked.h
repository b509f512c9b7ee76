// The body of a message in chunks (RFC 9112 section 7.1), without extensions and trailers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/refusal.h"

namespace tulou::net {

class ChunkedDecoder {
 public:
  // `max_body`: bytes of all chunks together; more is kBodyTooLarge, said at the chunk's size.
  explicit ChunkedDecoder(size_t max_body) : max_body_(max_body) {}

  // Takes what it can from the front of `bytes` and appends data to `body`; stops behind the end.
  // Null while all is well. `body` may be emptied between calls.
  const Refusal* feed(std::string_view& bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kSizeEnd, kData, kDataReturn, kDataEnd, kLastReturn, kLastEnd, kDone };
  const Refusal* take_byte(char c);
  const Refusal* take_size(char c);

  size_t max_body_;
  State state_ = State::kSize;
  size_t digits_ = 0;
  uint64_t left_ = 0;   // of the current chunk
  uint64_t total_ = 0;  // of the chunks so far
};

}  // namespace tulou::net
