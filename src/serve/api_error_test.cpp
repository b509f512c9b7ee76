#include "serve/api_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "base/number.h"
#include "serve/field.h"

namespace tulou::serve {
namespace {

TEST(ApiError, NamesTheField) {
  const ApiError error = api_error(base::Error("request.out_of_range", "messages[0].n", "7", 1, 2));
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.param, "messages[0].n");
  EXPECT_EQ(error.code, "out_of_range");
  EXPECT_EQ(error.body(), base::parse_json(R"({"error": {
      "message": "messages[0].n is 7, allowed are 1 to 2", "type": "invalid_request_error",
      "param": "messages[0].n", "code": "out_of_range"}})",
                                           "test"));
}

TEST(ApiError, StatusesAndCodes) {
  const std::vector<std::tuple<base::Error, int, std::string>> table = {
      {base::Error("engine.prompt_too_long", 5000, 4096), 400, "context_length_exceeded"},
      {base::Error("engine.queue_full", 1024), 429, "queue_full"},
      {base::Error("serve.no_key"), 401, "invalid_api_key"},
      {base::Error("serve.forbidden"), 403, "forbidden"},
      {base::Error("serve.unknown_route"), 404, "unknown_url"},
      {base::Error("serve.wrong_method", "POST"), 405, "method_not_allowed"},
      {base::Error("serve.timeout"), 408, "request_timeout"},
      {base::Error("serve.conflict"), 409, "conflict"},
      {base::Error("serve.body_too_large", 9), 413, "request_too_large"},
      {base::Error("serve.media_type"), 415, "unsupported_media_type"},
      {base::Error("serve.loading"), 503, "model_loading"},
      {base::Error("json.too_deep", "request: tools", 64), 400, "invalid_json"},
      {base::Error("sampling.out_of_range", "top_p", 2, "0 to 1"), 400, "out_of_range"},
      {base::Error("engine.out_of_range", "top_logprobs", 99, 0, 20), 400, "out_of_range"},
      {base::Error("memory.exhausted", "cache", 123456), 503, "no_memory"},
  };
  for (const auto& [error, status, code] : table) {
    const ApiError result = api_error(error);
    EXPECT_EQ(result.status, status) << error.id();
    EXPECT_EQ(result.code, code) << error.id();
    EXPECT_EQ(result.retry_after_s > 0, status == 429 || status == 503) << error.id();
  }
}

TEST(ApiError, JsonThatIsTooMuchNamesItsField) {
  const auto param = [](std::string_view body) {
    try {
      parse_body(body);
    } catch (const base::Error& error) {
      return api_error(error).param;
    }
    return std::string("none");
  };
  std::string biases, parts;
  for (size_t i = 0; i <= kMaxJsonMembers; ++i) biases += ",\"" + base::to_text(i) + "\":1";
  for (size_t i = 0; i <= kMaxJsonValues; ++i) parts += ",1";
  EXPECT_EQ(param(R"({"n":1,"logit_bias":{"x":0)" + biases + "}}"), "logit_bias");
  EXPECT_EQ(param(R"({"n":1,"stop":[0)" + parts + "]}"), "stop");
  EXPECT_EQ(param(R"({"n":1,"stop":)" + std::string(70, '[') + std::string(70, ']') + "}"), "stop");
  EXPECT_EQ(param(R"({"n":1,"metadata":{"a":1,"a":2}})"), "metadata");
  EXPECT_EQ(param(R"({"n":1,"n":2})"), "n");
  EXPECT_EQ(param("{"), "");
  const base::Error text("json.too_deep", "response_format.json_schema.schema: items", 64);
  EXPECT_EQ(api_error(text).param, "response_format.json_schema.schema");
}

TEST(ApiError, ContextOverflowHasBothNumbers) {
  const ApiError error = api_error(base::Error("engine.prompt_too_long", 5000, 4096));
  EXPECT_NE(error.message.find("maximum context length is 4096 tokens"), std::string::npos);
  EXPECT_NE(error.message.find("5000"), std::string::npos);
}

// Every entry of the catalogue, with arguments that must not come out unless they are a request's.
TEST(ApiError, NothingOfTheServersInsideComesOut) {
  const std::string secret = "/home/secret/0x7ffe1234abcd";
  for (const base::CatalogueEntry& entry : base::catalogue()) {
    const std::string id(entry.id);
    const base::Error error(id, secret, secret, secret, secret, secret, secret);
    const ApiError result = api_error(error);
    EXPECT_GE(result.status, 400) << id;
    EXPECT_LT(result.status, 600) << id;
    EXPECT_FALSE(result.message.empty() || result.code.empty() || result.type.empty()) << id;
    const bool about_request =
        id.starts_with("request.") || id.starts_with("serve.") || id.starts_with("json.") ||
        id.starts_with("engine.") || id.starts_with("completion.") || id.starts_with("template.") ||
        id.starts_with("sampling.") || id.starts_with("grammar.") || id.starts_with("text.");
    if (!about_request) {
      EXPECT_EQ(result.body().dump().find("secret"), std::string::npos) << id;
      EXPECT_GE(result.status, 500) << id;
    }
  }
}

TEST(ApiError, TemplatesSpeakWithoutTheirPlace) {
  const ApiError error =
      api_error(base::Error("template.raised", "/home/secret.jinja", 3, 4, "no system message"));
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.param, "messages");
  EXPECT_NE(error.message.find("no system message"), std::string::npos);
  EXPECT_EQ(error.message.find("secret"), std::string::npos);
}

TEST(ApiError, OtherExceptions) {
  EXPECT_EQ(api_error(std::make_exception_ptr(std::runtime_error("/secret"))).status, 500);
  EXPECT_EQ(
      api_error(std::make_exception_ptr(std::runtime_error("/secret"))).message.find("secret"),
      std::string::npos);
  EXPECT_EQ(api_error(std::make_exception_ptr(std::bad_alloc())).status, 503);
  EXPECT_EQ(api_error(std::make_exception_ptr(7)).status, 500);
  EXPECT_EQ(api_error(std::make_exception_ptr(base::Error("serve.no_key"))).status, 401);
}

TEST(ApiError, UnknownModelsHaveNeighbours) {
  const std::vector<std::string> served = {"qwen3.5-0.8b", "embedder"};
  const ApiError near = api_error(model_not_found("qwen3.5-0.8B", served));
  EXPECT_EQ(near.status, 404);
  EXPECT_EQ(near.code, "model_not_found");
  EXPECT_EQ(near.param, "model");
  EXPECT_NE(near.message.find("did you mean \"qwen3.5-0.8b\"?"), std::string::npos);
  const ApiError far = api_error(model_not_found("../../etc/passwd", served));
  EXPECT_NE(far.message.find("embedder"), std::string::npos);
  EXPECT_LT(api_error(model_not_found(std::string(100'000, 'x'), served)).message.size(), 1000u);
}

}  // namespace
}  // namespace tulou::serve
