#include "serve/api_error.h"

#include <algorithm>
#include <new>

#include "base/json_value.h"
#include "base/nearest.h"
#include "serve/field.h"

namespace tulou::serve {
namespace {

// What a client is told of an error that it can do something about.
struct Rule {
  std::string_view id;
  int status;
  std::string_view code;   // empty: null
  std::string_view param;  // empty: null
  int retry_after_s = 0;
};

constexpr size_t kMaxShown = 200;  // bytes of what the client itself has sent
constexpr std::string_view kInvalid = "invalid_request_error";

// Whole ids. Their messages speak of the request alone.
constexpr Rule kRules[] = {
    {"json.invalid", 400, "invalid_json", ""},
    {"json.too_deep", 400, "invalid_json", ""},
    {"json.duplicate_key", 400, "invalid_json", ""},
    {"json.too_many", 413, "request_too_large", ""},
    {"text.invalid_utf8", 400, "invalid_utf8", ""},
    {"text.too_long", 413, "request_too_large", ""},
    {"engine.empty_prompt", 400, "empty_prompt", "prompt"},
    {"engine.bad_token", 400, "bad_token", "prompt"},
    {"engine.out_of_range", 400, "out_of_range", ""},
    {"engine.queue_full", 429, "queue_full", "", 1},
    {"engine.context_does_not_fit", 503, "no_memory", "", 5},
    {"cache.full", 503, "no_memory", "", 5},
    {"memory.exhausted", 503, "no_memory", "", 5},
    {"completion.stop_string", 400, "bad_stop", "stop"},
    {"completion.too_many_stops", 400, "bad_stop", "stop"},
    {"completion.no_messages", 400, "bad_messages", "messages"},
    {"completion.too_many_messages", 413, "request_too_large", "messages"},
    {"completion.messages_too_large", 413, "request_too_large", "messages"},
    {"completion.no_such_tool", 400, "bad_tool_choice", "tool_choice"},
    {"completion.tool_parameter", 400, "unsupported_schema", "tools"},
    {"completion.bad_conversation", 400, "bad_conversation", "messages"},
    {"sampling.out_of_range", 400, "out_of_range", ""},
    {"serve.model_not_found", 404, "model_not_found", "model"},
    {"serve.model_lacks", 400, "model_lacks", "model"},
    {"serve.context_length", 400, "context_length_exceeded", ""},
    {"serve.unknown_route", 404, "unknown_url", ""},
    {"serve.wrong_method", 405, "method_not_allowed", ""},
    {"serve.no_key", 401, "invalid_api_key", ""},
    {"serve.forbidden", 403, "forbidden", ""},
    {"serve.bad_origin", 403, "forbidden_origin", ""},
    {"serve.bad_http", 400, "bad_http", ""},
    {"serve.media_type", 415, "unsupported_media_type", ""},
    {"serve.body_too_large", 413, "request_too_large", ""},
    {"serve.timeout", 408, "request_timeout", ""},
    {"serve.conflict", 409, "conflict", ""},
    {"serve.queue_full", 429, "queue_full", "", 1},
    {"serve.key_limit", 429, "key_limit", "", 1},
    {"serve.loading", 503, "model_loading", "", 5},
    {"serve.stopping", 503, "stopping", "", 10},
    {"serve.no_memory", 503, "no_memory", "", 5},
    {"serve.failed", 500, "internal_error", ""},
};

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 500:
      return "server_error";
    case 503:
      return "unavailable_error";
    default:
      return kInvalid;
  }
}

ApiError known(const Rule& rule, const base::Error& error) {
  ApiError result;
  result.status = rule.status;
  result.type = type_of(rule.status);
  result.message = error.what();
  result.param = rule.param;
  result.code = rule.code;
  result.retry_after_s = rule.retry_after_s;
  return result;
}

ApiError known(const base::Error& error) {
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& one) { return one.id == error.id(); });
  return known(rule == std::end(kRules) ? std::end(kRules)[-1] : *rule, error);
}

// The field of a request in which JSON is too much: of the body, or a text that holds JSON itself,
// whose source is the field.
std::string field_of_json(const base::Error& error) {
  if (error.arguments().empty() || error.id() == "json.invalid") return "";
  std::string_view place = error.arguments()[0];
  if (place.starts_with(kBodySource)) {
    place.remove_prefix(kBodySource.size());
    if (place.starts_with(": ")) place.remove_prefix(2);
  } else {
    place = place.substr(0, place.find(": "));
  }
  return std::string(place.substr(0, kMaxShown));
}

// Ids of a whole family, where the first argument is the field; the code is the id's second part.
ApiError about_field(const base::Error& error) {
  const size_t point = error.id().find('.');
  return known(
      {error.id(), 400, std::string_view(error.id()).substr(point + 1), error.arguments()[0]},
      error);
}

// The template's own words are for the client; its place on the server is not.
ApiError about_template(const base::Error& error) {
  const std::string& words = error.arguments().size() > 3 ? error.arguments()[3] : error.id();
  return about_field(base::Error("request.conflict", "messages", "the chat template: " + words));
}

// What is wrong with a schema, a pattern or a grammar speaks of the request alone.
ApiError about_grammar(const base::Error& error) {
  return known({error.id(), 400, "invalid_grammar", "response_format"}, error);
}

// Words that may tell of the server's insides are replaced.
ApiError unknown(base::ErrorKind kind) {
  using enum base::ErrorKind;
  if (kind == kCancelled) return known(base::Error("serve.stopping"));
  if (kind == kResourceExhausted) return known(base::Error("serve.no_memory"));
  return known(base::Error("serve.failed"));
}

}  // namespace

base::Json ApiError::body() const {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? base::Json(nullptr) : base::Json(text);
  };
  return {
      {"error",
       {{"message", message}, {"type", type}, {"param", or_null(param)}, {"code", or_null(code)}}}};
}

ApiError api_error(const base::Error& error) {
  const std::string& id = error.id();
  if (id.starts_with("request.") || id.starts_with("completion.message_"))
    return about_field(error);
  if (id.starts_with("template.")) return about_template(error);
  if (id.starts_with("grammar.") && id != "grammar.helper_lost") return about_grammar(error);
  if (id == "engine.prompt_too_long")
    return known(base::Error("serve.context_length", error.arguments()[0], error.arguments()[1]));
  const bool listed = std::any_of(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& rule) { return rule.id == id; });
  if (!listed) return unknown(error.kind());
  ApiError result = known(error);
  if (id == "sampling.out_of_range" || id == "engine.out_of_range")
    result.param = error.arguments()[0];
  if (id.starts_with("json.")) result.param = field_of_json(error);
  if (id == "memory.exhausted" || id == "engine.context_does_not_fit" || id == "cache.full")
    return known(base::Error("serve.no_memory"));  // sizes of the machine are nobody's business
  return result;
}

ApiError api_error(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const base::Error*>(&error)) return api_error(*ours);
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return known(memory ? base::Error("serve.no_memory") : base::Error("serve.failed"));
}

ApiError api_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known_error) {
    return api_error(known_error);
  } catch (...) {
    return known(base::Error("serve.failed"));
  }
}

base::Error model_not_found(std::string_view name, std::span<const std::string> served) {
  std::string hint;
  const std::string near = base::nearest(name, served);
  if (!near.empty()) {
    hint = "; did you mean \"" + near + "\"?";
  } else {
    for (const std::string& one : served) hint += (hint.empty() ? "; there are: " : ", ") + one;
  }
  return base::Error("serve.model_not_found", name.substr(0, kMaxShown), hint);
}

}  // namespace tulou::serve
