// The strict guard: what of HTTP/1.1 is accepted as the header of a request. Stricter than RFC 9112
// where the standard lets servers be lenient, because two readers of one message that differ in
// leniency are how requests are smuggled. Pure functions over bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.h"
#include "net/refusal.h"

namespace tulou::net {

struct HeadLimits {
  size_t max_header_bytes = 32 * 1024;  // request line and fields together
  size_t max_target_bytes = 8192;
  size_t max_fields = 100;
};

// Finds the end of a header in bytes that come piece by piece, and refuses as soon as a byte is
// wrong, so that nobody waits for the end of nonsense. Each byte is looked at once.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits) : limits_(limits) {}

  struct Result {
    const Refusal* refusal = nullptr;
    size_t size = 0;  // of the header with its empty line; 0: not complete yet
  };
  // `bytes` is all that has arrived since the start of this header; it only grows between calls.
  Result scan(std::string_view bytes);

 private:
  const Refusal* look_at(std::string_view bytes);

  HeadLimits limits_;
  size_t at_ = 0;          // bytes looked at
  size_t line_start_ = 0;  // offset of the current line
  size_t lines_ = 0;       // complete ones
};

struct RequestHead {
  HttpRequest request;       // method, path, query and headers are set
  size_t segments = 0;       // of the path as sent: an encoded "/" does not start one
  std::string last_segment;  // decoded
  std::string host;          // value of the Host field
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<uint64_t> content_length;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Parses a header that HeadScanner found complete. Null: accepted, `head` is filled.
const Refusal* parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

// A Host field: "host", "host:port" or "[v6]:port".
struct HostPort {
  std::string host;  // lower case, IPv6 addresses without brackets
  std::optional<uint16_t> port;
  bool valid = false;
};
HostPort parse_host_port(std::string_view field);

// The characters of a token (RFC 9110 section 5.6.2), at least one.
bool is_token(std::string_view text);

// Percent-decodes a path; nothing for what kBadPath says.
std::optional<std::string> decode_path(std::string_view path);

// True for one of the items of a comma-separated list, without regard to case; `lower` is in lower
// case.
bool list_has(std::string_view list, std::string_view lower);

std::string to_lower(std::string_view text);
// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace tulou::net
