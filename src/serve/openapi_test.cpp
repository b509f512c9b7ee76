#include "serve/openapi.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/json_value.h"
#include "serve/chat_request.h"

namespace tulou::serve {
namespace {

using base::Json;

void collect_references(const Json& value, std::set<std::string>& found) {
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      if (key == "$ref" && item.is_string()) found.insert(item.get<std::string>());
      collect_references(item, found);
    }
  } else if (value.is_array()) {
    for (const Json& item : value) collect_references(item, found);
  }
}

TEST(Openapi, ReferencesLeadSomewhere) {
  const Json document = openapi("1.2.3");
  std::set<std::string> references;
  collect_references(document, references);
  EXPECT_GT(references.size(), 15u);
  for (const std::string& reference : references) {
    ASSERT_TRUE(reference.starts_with("#/components/schemas/")) << reference;
    EXPECT_TRUE(document["components"]["schemas"].contains(reference.substr(21))) << reference;
  }
  EXPECT_EQ(document["info"]["version"], "1.2.3");
}

TEST(Openapi, HasEveryRouteWithItsErrors) {
  const Json document = openapi("1");
  for (const char* path : {"/v1/chat/completions", "/v1/completions", "/v1/embeddings",
                           "/v1/rerank", "/tokenize", "/detokenize"}) {
    const Json& responses = document["paths"][path]["post"]["responses"];
    for (const char* status :
         {"200", "400", "401", "403", "404", "413", "415", "429", "500", "503"})
      EXPECT_TRUE(responses.contains(status)) << path << " " << status;
    EXPECT_TRUE(responses["429"]["headers"].contains("Retry-After"));
  }
  for (const char* path :
       {"/v1/models", "/tokenizer_info", "/version", "/metrics", "/openapi.json"})
    EXPECT_TRUE(document["paths"][path]["get"]["responses"].contains("401")) << path;
  for (const char* path : {"/health", "/livez", "/readyz"}) {
    EXPECT_FALSE(document["paths"][path]["get"]["responses"].contains("401")) << path;
    EXPECT_EQ(document["paths"][path]["get"]["security"], Json::array()) << path;
  }
}

TEST(Openapi, BodiesAreTheTables) {
  const Json document = openapi("1");
  const Json& chat = document["components"]["schemas"]["ChatRequest"];
  EXPECT_EQ(chat["required"], base::parse_json("[\"messages\"]", "test"));
  for (const auto& field : generation_fields().fields())
    EXPECT_TRUE(chat["properties"].contains(field.info.name)) << field.info.name;
  for (const auto& field : chat_fields().fields())
    EXPECT_EQ(chat["properties"][std::string(field.info.name)], field_schema(field.info));
  EXPECT_EQ(chat["properties"]["n"]["maximum"], kMaxChoices);
}

}  // namespace
}  // namespace tulou::serve
