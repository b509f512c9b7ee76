#include "serve/openapi.h"

#include <utility>
#include <vector>

#include "base/json_value.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"
#include "serve/embedding_request.h"
#include "serve/openapi_schemas.h"
#include "serve/stop_request.h"
#include "serve/tokenize_request.h"

namespace tulou::serve {
namespace {

using base::Json;

Json reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

// The object that the tables describe. Fields beyond them are ignored, so they are allowed.
class BodySchema {
 public:
  template <typename T>
  void add(const FieldTable<T>& table) {
    for (const Field<T>& field : table.fields()) {
      properties_[std::string(field.info.name)] = field_schema(field.info);
      if (field.info.required) required_.push_back(field.info.name);
    }
  }
  Json take() {
    Json schema = {{"type", "object"}, {"properties", std::move(properties_)}};
    if (!required_.empty()) schema["required"] = std::move(required_);
    return schema;
  }

 private:
  Json properties_ = Json::object(), required_ = Json::array();
};

template <typename... Tables>
Json body_schema(const Tables&... tables) {
  BodySchema schema;
  (schema.add(tables), ...);
  return schema.take();
}

struct Route {
  const char* path;
  const char* method;
  const char* summary;
  const char* request;   // a schema's name; nullptr: no body
  const char* response;  // a schema's name; nullptr: text
  bool streams = false;
  bool open = false;  // needs no key
};

constexpr Route kRoutes[] = {
    {"/v1/chat/completions", "post", "Answer a conversation", "ChatRequest", "ChatCompletion",
     true},
    {"/v1/completions", "post", "Continue a text", "CompletionRequest", "TextCompletion", true},
    {"/v1/embeddings", "post", "Texts to vectors", "EmbeddingRequest", "EmbeddingList"},
    {"/v1/rerank", "post", "Documents by relevance", "RerankRequest", "RerankList"},
    {"/v1/models", "get", "The models that are served", nullptr, "ModelList"},
    {"/tokenize", "post", "Text or messages to token ids", "TokenizeRequest", "Tokens"},
    {"/detokenize", "post", "Token ids to text", "DetokenizeRequest", "Text"},
    {"/tokenizer_info", "get", "The tokenizer", nullptr, "TokenizerInfo"},
    {"/tulou/ps", "get", "What runs, with how much memory", nullptr, "Running"},
    {"/tulou/stop", "post", "End the server; needs an admin key", "StopRequest", "Status"},
    {"/health", "get", "Whether requests are answered", nullptr, "Status", false, true},
    {"/livez", "get", "Whether the program runs", nullptr, "Status", false, true},
    {"/readyz", "get", "Whether requests are taken", nullptr, "Status", false, true},
    {"/version", "get", "The program's version", nullptr, "Version"},
    {"/metrics", "get", "Measurements, in Prometheus' text format", nullptr, nullptr},
    {"/openapi.json", "get", "This document", nullptr, "Document"},
};

void add_errors(Json& responses, const Route& route) {
  std::vector<std::pair<const char*, const char*>> errors = {
      {"400", "The request is wrong; param names the field."},
      {"403", "This key, origin or host may not."},
      {"405", "Another method is needed."},
      {"408", "The request did not come in time."},
      {"429", "Too many requests; see Retry-After."},
      {"500", "A failure of the server."},
      {"503", "Loading, stopping or without memory; see Retry-After."}};
  if (!route.open) errors.emplace_back("401", "No valid key.");
  if (route.request != nullptr) {
    errors.emplace_back("404", "No such model.");
    errors.emplace_back("413", "The body is too large.");
    errors.emplace_back("415", "The body is not application/json.");
  }
  for (const auto& [status, text] : errors) {
    Json& response = responses[status];
    response = {{"description", text},
                {"content", {{"application/json", {{"schema", reference("Error")}}}}}};
    if (std::string_view(status) == "429" || std::string_view(status) == "503")
      response["headers"] = {{"Retry-After", {{"schema", {{"type", "integer"}}}}}};
  }
}

Json operation(const Route& route) {
  Json result = {{"summary", route.summary}};
  if (route.open) result["security"] = Json::array();
  if (route.request != nullptr) {
    result["requestBody"] = {
        {"required", true},
        {"content", {{"application/json", {{"schema", reference(route.request)}}}}}};
  }
  Json content = Json::object();
  if (route.response != nullptr) {
    content["application/json"] = {{"schema", reference(route.response)}};
  } else {
    content["text/plain"] = {{"schema", {{"type", "string"}}}};
  }
  if (route.streams) content["text/event-stream"] = {{"schema", {{"type", "string"}}}};
  Json& responses = result["responses"] = Json::object();
  responses["200"] = {{"description", "Done."}, {"content", std::move(content)}};
  add_errors(responses, route);
  return result;
}

Json schemas() {
  Json result = base::parse_json(kResponseSchemas, "schemas");
  result["ChatRequest"] = body_schema(generation_fields(), chat_fields());
  result["CompletionRequest"] = body_schema(generation_fields(), completion_fields());
  result["EmbeddingRequest"] = body_schema(embedding_fields());
  result["RerankRequest"] = body_schema(rerank_fields());
  result["StopRequest"] = body_schema(stop_fields());
  result["TokenizeRequest"] = body_schema(tokenize_fields());
  result["DetokenizeRequest"] = body_schema(detokenize_fields());
  return result;
}

}  // namespace

Json openapi(const std::string& version) {
  Json paths = Json::object();
  for (const Route& route : kRoutes) paths[route.path][route.method] = operation(route);
  Json bearer = Json::object();
  bearer["bearer"] = Json::array();
  Json security = Json::array();
  security.push_back(std::move(bearer));
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "Tulou"}, {"version", version}}},
          {"security", std::move(security)},
          {"paths", std::move(paths)},
          {"components",
           {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}},
            {"schemas", schemas()}}}};
}

}  // namespace tulou::serve
