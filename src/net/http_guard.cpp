#include "net/http_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/number.h"
#include "base/utf8.h"

namespace tulou::net {
namespace {

constexpr size_t kMaxMethod = 32;
constexpr std::array<std::string_view, 9> kMethods = {"GET",     "HEAD",  "POST",  "PUT",  "DELETE",
                                                      "OPTIONS", "PATCH", "TRACE", "QUERY"};
// Fields whose repetition would leave open which one counts.
constexpr std::array<std::string_view, 10> kOnce = {"authorization",
                                                    "content-type",
                                                    "content-encoding",
                                                    "origin",
                                                    "expect",
                                                    "x-api-key",
                                                    "x-request-id",
                                                    "access-control-request-method",
                                                    "access-control-request-headers",
                                                    "access-control-request-private-network"};

bool one_of(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_token_char(char c) { return is_digit(c) || is_alpha(c) || one_of("!#$%&'*+-.^_`|~", c); }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_name_char(char c) { return is_digit(c) || is_alpha(c) || one_of("-._", c); }

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// pchar of RFC 3986 and "/", without the percent sign.
bool is_path_char(char c) { return is_digit(c) || is_alpha(c) || one_of("-._~!$&'()*+,;=:@/", c); }
// Brackets are not in the grammar, but common in queries.
bool is_query_char(char c) { return is_path_char(c) || one_of("?%[]", c); }

const Refusal* parse_target(std::string_view target, const HeadLimits& limits, RequestHead& head) {
  if (target.size() > limits.max_target_bytes) return &refusal::kTargetTooLong;
  if (target.empty() || target[0] != '/') return &refusal::kBadTarget;
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (mark != std::string_view::npos) {
    head.request.query = target.substr(mark + 1);
    if (!std::ranges::all_of(head.request.query, is_query_char)) return &refusal::kBadTarget;
  }
  if (!std::ranges::all_of(path, [](char c) { return is_path_char(c) || c == '%'; }))
    return &refusal::kBadTarget;
  auto decoded = decode_path(path);
  auto last = decode_path(path.substr(path.rfind('/') + 1));
  if (!decoded || !last) return &refusal::kBadPath;
  head.request.path = std::move(*decoded);
  head.last_segment = std::move(*last);
  head.segments = static_cast<size_t>(std::ranges::count(path, '/'));
  return nullptr;
}

const Refusal* parse_version(std::string_view version, RequestHead& head) {
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7]))
    return &refusal::kBadRequestLine;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return &refusal::kVersion;
  head.http_1_0 = version == "HTTP/1.0";
  return nullptr;
}

const Refusal* parse_request_line(std::string_view line, const HeadLimits& limits,
                                  RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos || line.find(' ', second + 1) != std::string_view::npos)
    return &refusal::kBadRequestLine;
  const std::string_view method = line.substr(0, first);
  if (!is_token(method)) return &refusal::kBadRequestLine;
  if (const Refusal* bad = parse_version(line.substr(second + 1), head)) return bad;
  if (!std::ranges::count(kMethods, method)) return &refusal::kUnknownMethod;
  head.request.method = method;
  return parse_target(line.substr(first + 1, second - first - 1), limits, head);
}

const Refusal* parse_field(std::string_view line, Headers& headers) {
  const size_t colon = line.find(':');
  // A line that starts with a space continues the one before (obs-fold): its name is no token.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return &refusal::kBadField;
  headers.emplace_back(to_lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return nullptr;
}

size_t count_of(const Headers& headers, std::string_view name) {
  return static_cast<size_t>(
      std::ranges::count_if(headers, [&](const auto& field) { return field.first == name; }));
}

const Refusal* parse_framing(RequestHead& head) {
  const Headers& headers = head.request.headers;
  const size_t lengths = count_of(headers, "content-length");
  const size_t encodings = count_of(headers, "transfer-encoding");
  if (lengths > 0 && encodings > 0) return &refusal::kLengthAndChunked;
  if (lengths > 1) return &refusal::kBadLength;
  if (encodings > 1) return &refusal::kBadTransferEncoding;
  if (lengths == 1) {
    const std::string_view value = find_header(headers, "content-length");
    if (value.empty() || value.size() > 19 || !std::ranges::all_of(value, is_digit))
      return &refusal::kBadLength;
    head.content_length = base::parse_uint(value);
    if (!head.content_length) return &refusal::kBadLength;
  }
  if (encodings == 1) {
    const std::string value = to_lower(find_header(headers, "transfer-encoding"));
    if (value != "chunked") {
      // RFC 9112 section 6.3: without "chunked" at the end nobody knows where the body ends.
      const bool delimited = value.ends_with(", chunked") || value.ends_with(",chunked");
      return delimited && count_of(headers, "trailer") == 0 ? &refusal::kUnknownCoding
                                                            : &refusal::kBadTransferEncoding;
    }
    if (head.http_1_0) return &refusal::kBadTransferEncoding;
    head.chunked = true;
  }
  if (count_of(headers, "trailer") > 0) return &refusal::kTrailer;
  return nullptr;
}

const Refusal* parse_meaning(RequestHead& head) {
  const Headers& headers = head.request.headers;
  if (count_of(headers, "host") != 1) return &refusal::kBadHost;
  head.host = find_header(headers, "host");
  if (const Refusal* bad = parse_framing(head)) return bad;
  for (const std::string_view name : kOnce)
    if (count_of(headers, name) > 1) return &refusal::kRepeatedField;
  head.keep_alive = !head.http_1_0;
  for (const auto& [name, value] : headers)
    if (name == "connection" && list_has(value, "close")) head.keep_alive = false;
  if (count_of(headers, "expect") > 0) {
    if (to_lower(find_header(headers, "expect")) != "100-continue") return &refusal::kExpectation;
    head.expects_continue = !head.http_1_0;
  }
  return nullptr;
}

}  // namespace

HostPort parse_host_port(std::string_view field) {
  const std::string lower = to_lower(field);
  const bool bracket = lower.starts_with('[');
  const size_t end = bracket ? lower.find(']') : std::min(lower.find(':'), lower.size());
  if (end == std::string::npos) return {};
  HostPort parsed;
  parsed.host = bracket ? lower.substr(1, end - 1) : lower.substr(0, end);
  const std::string_view rest = std::string_view(lower).substr(end + (bracket ? 1 : 0));
  if (!rest.empty()) {
    const auto port = base::parse_uint(rest.substr(1));
    if (rest[0] != ':' || rest.size() > 6 || !port || *port > 65535) return {};
    parsed.port = static_cast<uint16_t>(*port);
  }
  const bool is_name = !parsed.host.empty() && parsed.host.size() <= 253 &&
                       std::ranges::all_of(parsed.host, is_name_char);
  parsed.valid = bracket ? is_ipv6(parsed.host) : is_name;
  return parsed;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool list_has(std::string_view list, std::string_view lower) {
  while (true) {
    const size_t comma = list.find(',');
    if (to_lower(trimmed(list.substr(0, comma))) == lower) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

std::optional<std::string> decode_path(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      decoded += path[i];
      continue;
    }
    if (i + 2 >= path.size()) return std::nullopt;
    const int high = hex_value(path[i + 1]), low = hex_value(path[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
  };
  if (std::ranges::any_of(decoded, is_control) || base::find_invalid_utf8(decoded))
    return std::nullopt;
  for (size_t start = 0; start <= decoded.size();) {
    const size_t end = std::min(decoded.find('/', start), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(start, end - start);
    if (segment == "." || segment == "..") return std::nullopt;
    start = end + 1;
  }
  return decoded;
}

const Refusal* HeadScanner::look_at(std::string_view bytes) {
  const unsigned char c = static_cast<unsigned char>(bytes[at_]);
  if (c == '\n') {
    if (at_ == line_start_ || bytes[at_ - 1] != '\r') return &refusal::kBadByte;
    return nullptr;
  }
  if (at_ > line_start_ && bytes[at_ - 1] == '\r') return &refusal::kBadByte;
  if (c == '\r') return nullptr;
  if ((c < 0x20 && c != '\t') || c == 0x7f) return &refusal::kBadByte;
  // A tab in the request line would be a second kind of space; what is not ASCII is not in a URL.
  if (lines_ == 0 && (c == '\t' || c >= 0x80)) return &refusal::kBadRequestLine;
  return nullptr;
}

HeadScanner::Result HeadScanner::scan(std::string_view bytes) {
  for (; at_ < bytes.size(); ++at_) {
    if (at_ >= limits_.max_header_bytes) break;
    if (const Refusal* bad = look_at(bytes)) return {bad, 0};
    if (bytes[at_] == '\n') {
      const bool empty = at_ - line_start_ == 1;
      if (empty && lines_ == 0) return {&refusal::kBadRequestLine, 0};
      if (empty) return {nullptr, at_ + 1};
      if (lines_++ > limits_.max_fields) return {&refusal::kHeaderTooLarge, 0};
      line_start_ = at_ + 1;
    } else if (lines_ == 0 && at_ >= limits_.max_target_bytes + kMaxMethod) {
      return {&refusal::kTargetTooLong, 0};
    }
  }
  if (at_ >= limits_.max_header_bytes) return {&refusal::kHeaderTooLarge, 0};
  return {};
}

const Refusal* parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  head = {};
  bool first = true;
  while (true) {
    const size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) return &refusal::kBadRequestLine;
    const std::string_view line = bytes.substr(0, end);
    if (line.empty()) break;
    const Refusal* bad =
        first ? parse_request_line(line, limits, head) : parse_field(line, head.request.headers);
    if (bad != nullptr) return bad;
    first = false;
    bytes.remove_prefix(end + 2);
  }
  return first ? &refusal::kBadRequestLine : parse_meaning(head);
}

}  // namespace tulou::net
