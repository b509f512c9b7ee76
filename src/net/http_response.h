// The head of an answer as bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace tulou::net {

// "Not Found" for 404; "Unknown" for a status without a name in RFC 9110 or 6585.
std::string_view reason_phrase(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string http_date(std::chrono::system_clock::time_point when);

struct ResponseFraming {
  std::optional<size_t> content_length =
      std::nullopt;  // else chunked, or until the end with `close`
  bool chunked = false;
  bool close = false;
};

// Status line, Date, framing, then `headers`, and the empty line. Of `headers`, those that belong
// to the framing are dropped; names that are no tokens too; control characters in values become
// spaces.
std::string response_head(int status, const Headers& headers, const ResponseFraming& framing);

}  // namespace tulou::net
