// The guard of the HTTP server over bytes: whole and in pieces it says the same, and what it
// accepts keeps the promises of http_guard.h.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "base/utf8.h"
#include "guarded_input.h"
#include "net/admission.h"
#include "net/chunked.h"
#include "net/http_guard.h"

namespace {

using namespace tulou;

void check_accepted(const net::RequestHead& head) {
  const net::HttpRequest& request = head.request;
  ASSERT(request.path.starts_with('/') && !base::find_invalid_utf8(request.path));
  ASSERT(("/" + request.path + "/").find("/../") == std::string::npos);
  ASSERT(request.path.find('\0') == std::string::npos);
  ASSERT(!head.chunked || !head.content_length);
  size_t hosts = 0, lengths = 0;
  for (const auto& [name, value] : request.headers) {
    hosts += name == "host" ? 1 : 0;
    lengths += name == "content-length" || name == "transfer-encoding" ? 1 : 0;
    ASSERT(net::is_token(name) && name == net::to_lower(name));
    ASSERT(value == net::trimmed(value));
    ASSERT(std::ranges::none_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }));
  }
  ASSERT(hosts == 1 && lengths <= 1);
}

// The size that scan() ends with, or the refusal, when `step` bytes come at a time.
net::HeadScanner::Result scan_in_steps(std::string_view bytes, size_t step) {
  net::HeadScanner scanner({});
  for (size_t size = std::min(step, bytes.size());; size = std::min(size + step, bytes.size())) {
    const auto result = scanner.scan(bytes.substr(0, size));
    if (result.refusal != nullptr || result.size > 0 || size == bytes.size()) return result;
  }
}

void check_body(std::string_view bytes) {
  constexpr size_t kMaxBody = 4096;
  std::string whole, pieces;
  net::ChunkedDecoder at_once(kMaxBody), by_byte(kMaxBody);
  std::string_view left = bytes;
  const net::Refusal* refusal = at_once.feed(left, whole);
  const net::Refusal* same = nullptr;
  for (size_t i = 0; i < bytes.size() && same == nullptr && !by_byte.done(); ++i) {
    std::string_view piece = bytes.substr(i, 1);
    same = by_byte.feed(piece, pieces);
  }
  ASSERT(refusal == same && whole == pieces && at_once.done() == by_byte.done());
  ASSERT(whole.size() <= kMaxBody);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Input input(data, size);
  const std::string_view bytes = input.text();
  const auto result = scan_in_steps(bytes, std::max<size_t>(bytes.size(), 1));
  const auto again = scan_in_steps(bytes, 3);
  ASSERT(result.refusal == again.refusal && result.size == again.size);
  if (result.size == 0) return 0;

  net::RequestHead head;
  if (net::parse_head(bytes.substr(0, result.size), {}, head) != nullptr) return 0;
  check_accepted(head);
  net::ServerOptions options;
  options.cors_origins = {"https://app.example.org"};
  const std::vector<net::Route> routes = {{"POST", "/raw", net::Access::kOpen, 4096, {}},
                                          {"GET", "/models/{name}", net::Access::kOpen, 0, {}}};
  const net::Gate gate(options, routes, true);
  const net::Admission admission = gate.admit(head, "127.0.0.1");
  ASSERT((admission.route != nullptr) + (admission.refusal != nullptr) + admission.answered == 1);
  if (head.chunked) check_body(bytes.substr(result.size));
  return 0;
}
