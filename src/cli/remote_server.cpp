#include "cli/remote_server.h"

#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/event_reader.h"

namespace tulou::cli {

namespace {

constexpr const char* kKeyVariable = "TULOU_API_KEY";
// Of an answer that is not JSON, so much is shown.
constexpr size_t kShownBytes = 200;

// What OpenAI's form of an error says; whatever else came is shown as it is.
std::string refusal_text(const std::string& body) {
  try {
    const base::Json answer = base::parse_json(body, "the server's answer");
    if (answer.is_object() && answer.contains("error") && answer["error"].is_object())
      return base::JsonObject(answer["error"], "error").string("message", "no message");
  } catch (const base::Error&) {
    // A proxy's page, for example.
  }
  return body.empty() ? "no message" : body.substr(0, kShownBytes);
}

}  // namespace

void declare_server(Arguments& arguments, std::string& url, const std::string& description) {
  arguments.text("--server", "URL", url, description);
}

RemoteServer::RemoteServer(const std::string& url)
    : url_(url), options_(net::parse_server_url(url)) {
  headers_ = {{"content-type", "application/json"}};
  const char* key = std::getenv(kKeyVariable);
  if (key == nullptr || *key == '\0') return;
  // It goes into a line of the request's head and must not begin another line.
  if (!net::is_visible_ascii(key))
    throw base::Error("cli.bad_value", kKeyVariable, "...", "an API key");
  headers_.emplace_back("authorization", std::string("Bearer ") + key);
}

net::ClientResponse RemoteServer::send(const net::ClientOptions& options, const std::string& method,
                                       const std::string& target, const std::string& body,
                                       const std::function<bool(std::string_view)>& on_data) const {
  net::HttpClient client(options);
  net::ClientResponse response = client.send(method, target, headers_, body, on_data);
  if (response.status / 100 != 2)
    throw base::Error("cli.server_refused", url_, response.status, refusal_text(response.body));
  return response;
}

base::Json RemoteServer::ask(const std::string& method, const std::string& target,
                             const std::string& body) const {
  return base::parse_json(send(options_, method, target, body).body, url_);
}

base::Json RemoteServer::get(const std::string& target) const { return ask("GET", target, ""); }

base::Json RemoteServer::post(const std::string& target, const base::Json& body) const {
  return ask("POST", target, base::to_json_text(body));
}

void RemoteServer::stream(const std::string& target, const base::Json& body,
                          const std::atomic<bool>& cancel,
                          const std::function<void(const base::Json&)>& on_event,
                          const std::function<void()>& on_wait) const {
  net::ClientOptions options = options_;
  options.cancel = &cancel;
  options.on_wait = on_wait;
  bool done = false;
  EventReader events([&](std::string_view text) {
    if (done || text == "[DONE]") {
      done = true;
      return;
    }
    const base::Json event = base::parse_json(text, url_);
    if (!event.is_object()) throw base::Error("net.bad_response", url_);
    if (event.contains("error"))
      throw base::Error("cli.server_refused", url_, 200, refusal_text(std::string(text)));
    on_event(event);
  });
  send(options, "POST", target, base::to_json_text(body), [&](std::string_view bytes) {
    if (!events.feed(bytes))
      throw base::Error("net.response_too_large", url_, EventReader::kMaxEventBytes);
    return !done;
  });
  if (!done) throw base::Error("net.closed_early", url_);
}

}  // namespace tulou::cli
