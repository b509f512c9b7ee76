#include "net/admission.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace tulou::net {
namespace {

// True if the path as sent stands for this route; sets what {name} is.
bool matches(const Route& route, const RequestHead& head, std::string& name) {
  const auto slashes = static_cast<size_t>(std::ranges::count(route.path, '/'));
  if (head.segments != slashes) return false;
  constexpr std::string_view kName = "/{name}";
  const std::string& path = head.request.path;
  if (!route.path.ends_with(kName)) return path == route.path;
  const std::string_view prefix =
      std::string_view(route.path).substr(0, route.path.size() - kName.size() + 1);
  if (!path.starts_with(prefix) || head.last_segment.empty() ||
      path.substr(prefix.size()) != head.last_segment)
    return false;
  name = head.last_segment;
  return true;
}

bool takes(const Route& route, std::string_view method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

bool is_json(std::string_view content_type) {
  return to_lower(trimmed(content_type.substr(0, content_type.find(';')))) == "application/json";
}

}  // namespace

bool is_origin(std::string_view text) {
  const size_t separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) return false;
  const std::string_view scheme = text.substr(0, separator);
  return is_token(scheme) && parse_host_port(text.substr(separator + 3)).valid;
}

const Refusal* Gate::check_host(const RequestHead& head, std::string_view local_address) const {
  const HostPort field = parse_host_port(head.host);
  if (!field.valid) return &refusal::kBadHost;
  if (is_loopback(field.host) || field.host == local_address) return nullptr;
  const auto is_this = [&](const std::string& name) { return to_lower(name) == field.host; };
  if (is_this(options_.host) || std::ranges::any_of(options_.allowed_hosts, is_this))
    return nullptr;
  return &refusal::kHostNotAllowed;
}

const Refusal* Gate::check_origin(const RequestHead& head, Headers& answer) const {
  if (!options_.cors_origins.empty()) answer.emplace_back("Vary", "Origin");
  const std::string_view origin = head.request.header("origin");
  const auto& headers = head.request.headers;
  if (std::ranges::none_of(headers, [](const auto& field) { return field.first == "origin"; }))
    return nullptr;
  const std::string scheme = head.request.encrypted ? "https://" : "http://";
  if (to_lower(origin) == scheme + to_lower(head.host)) return nullptr;
  if (!std::ranges::count(options_.cors_origins, origin)) return &refusal::kOriginNotAllowed;
  answer.emplace_back("Access-Control-Allow-Origin", origin);
  answer.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
  return nullptr;
}

const Refusal* Gate::find_route(RequestHead& head, Admission& admission) const {
  std::string allow;
  for (const Route& route : routes_) {
    if (!matches(route, head, head.request.name)) continue;
    if (takes(route, head.request.method)) {
      admission.route = &route;
      return nullptr;
    }
    allow += (allow.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
  }
  if (allow.empty()) return &refusal::kNotFound;
  admission.headers.emplace_back("Allow", allow + ", OPTIONS");
  return &refusal::kMethodNotAllowed;
}

const Refusal* Gate::check_key(RequestHead& head, Admission& admission) const {
  const Access access = admission.route->access;
  const bool open = access == Access::kOpen || (access == Access::kKeyOffLoopback && loopback_);
  if (open || !options_.authorize) return nullptr;
  const int status = options_.authorize(head.request);
  if (status == 0) return nullptr;
  if (status != 401) return &refusal::kForbidden;
  admission.headers.emplace_back("WWW-Authenticate", "Bearer");
  return &refusal::kUnauthorized;
}

// OPTIONS of a path that exists: a preflight (the Fetch standard, "CORS-preflight request") of an
// origin that check_origin has passed, or just a question.
void Gate::answer_options(const RequestHead& head, Admission& admission) const {
  admission.answered = true;
  const HttpRequest& request = head.request;
  const std::string_view method = request.header("access-control-request-method");
  if (find_header(admission.headers, "Access-Control-Allow-Origin").empty() || method.empty())
    return;
  admission.headers.emplace_back("Access-Control-Allow-Methods",
                                 find_header(admission.headers, "Allow"));
  // Clients send fields of their own (x-stainless-...); those of an allowed page are all allowed.
  if (const auto names = request.header("access-control-request-headers"); !names.empty())
    admission.headers.emplace_back("Access-Control-Allow-Headers", names);
  if (request.header("access-control-request-private-network") == "true")
    admission.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  admission.headers.emplace_back("Access-Control-Max-Age", "600");
}

Admission Gate::admit(RequestHead& head, std::string_view local_address) const {
  Admission admission;
  const auto refuse = [&](const Refusal* refusal) {
    admission.route = nullptr;
    admission.refusal = refusal;
    return admission;
  };
  if (const Refusal* bad = check_host(head, local_address)) return refuse(bad);
  if (const Refusal* bad = check_origin(head, admission.headers)) return refuse(bad);
  const Refusal* missing = find_route(head, admission);
  if (missing == &refusal::kMethodNotAllowed && head.request.method == "OPTIONS" &&
      !head.has_body()) {
    answer_options(head, admission);
    return admission;
  }
  if (missing != nullptr) return refuse(missing);
  if (const Refusal* bad = check_key(head, admission)) return refuse(bad);

  const HttpRequest& request = head.request;
  if (admission.route->json && !is_json(request.header("content-type")))
    return refuse(&refusal::kMediaType);
  const std::string coding = to_lower(request.header("content-encoding"));
  if (!coding.empty() && coding != "identity") return refuse(&refusal::kContentEncoding);
  const bool sends =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (sends && !head.chunked && !head.content_length) return refuse(&refusal::kLengthRequired);
  if (head.content_length.value_or(0) > admission.route->max_body)
    return refuse(&refusal::kBodyTooLarge);
  return admission;
}

}  // namespace tulou::net
