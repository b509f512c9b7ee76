#include "text/tool_schema.h"

#include <gtest/gtest.h>

#include "base/json_value.h"

namespace tulou::text {
namespace {

JsonTypes types(const std::string& schema, const std::string& root = "{}") {
  return schema_types(base::parse_json(schema, "schema"), base::parse_json(root, "root"));
}

TEST(SchemaTypes, AllTheWaysToSayThem) {
  EXPECT_EQ(types(R"({"type": "string"})"), kJsonString);
  EXPECT_EQ(types(R"({"type": "number"})"), kJsonNumber | kJsonInteger);
  EXPECT_EQ(types(R"({"type": ["integer", "null"]})"), kJsonInteger | kJsonNull);
  EXPECT_EQ(types(R"({"enum": ["a", 1]})") & ~kJsonNumber, kJsonString | kJsonInteger);
  EXPECT_EQ(types(R"({"const": true})"), kJsonBoolean);
  EXPECT_EQ(types(R"({"anyOf": [{"type": "array"}, {"type": "null"}]})"), kJsonArray | kJsonNull);
  EXPECT_EQ(types(R"({"anyOf": [{"type": "array"}, {}]})"), 0);
  EXPECT_EQ(types(R"({})"), 0);
  EXPECT_EQ(types(R"({"type": "varchar"})"), 0);
  EXPECT_EQ(types("7"), 0);
}

TEST(SchemaTypes, References) {
  const std::string root = R"({"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "object"},
                                         "L": {"$ref": "#/$defs/L"}}})";
  EXPECT_EQ(types(R"({"$ref": "#/$defs/A"})", root), kJsonObject);
  EXPECT_EQ(types(R"({"$ref": "#/$defs/L"})", root), 0);
  EXPECT_EQ(types(R"({"$ref": "#/$defs/none"})", root), 0);
  EXPECT_EQ(types(R"({"$ref": "#/$defs/B/type/x"})", root), 0);
  EXPECT_EQ(types(R"({"$ref": "http://example.com"})", root), 0);
}

TEST(ArgumentJson, OfTheTypeOrAString) {
  EXPECT_EQ(argument_json("5", kJsonString), "\"5\"");
  EXPECT_EQ(argument_json("5", kJsonInteger), "5");
  EXPECT_EQ(argument_json("5.0", kJsonInteger), "5.0");
  EXPECT_EQ(argument_json("5.5", kJsonInteger), "\"5.5\"");
  EXPECT_EQ(argument_json("5.5", kJsonNumber), "5.5");
  EXPECT_EQ(argument_json("NaN", kJsonNumber), "\"NaN\"");
  EXPECT_EQ(argument_json("1e999", kJsonNumber), "\"1e999\"");
  EXPECT_EQ(argument_json("True", kJsonBoolean), "true");
  EXPECT_EQ(argument_json("True", kJsonString | kJsonNull), "\"True\"");
  EXPECT_EQ(argument_json("null", kJsonString | kJsonNull), "null");
  EXPECT_EQ(argument_json("null", kJsonString), "\"null\"");
  EXPECT_EQ(argument_json("[1, 2]", kJsonArray), "[1, 2]");
  EXPECT_EQ(argument_json("[1, 2", kJsonArray), "\"[1, 2\"");
  EXPECT_EQ(argument_json("1, 2", kJsonArray), "\"1, 2\"");
  EXPECT_EQ(argument_json("1], [2", 0), "\"1], [2\"");
  EXPECT_EQ(argument_json("", kJsonObject), "\"\"");
  EXPECT_EQ(argument_json("{'a': 1}", kJsonObject), "\"{'a': 1}\"");
}

TEST(ArgumentJson, WithoutASchema) {
  EXPECT_EQ(argument_json("5", 0), "5");
  EXPECT_EQ(argument_json("{\"a\": 1}", 0), "{\"a\": 1}");
  EXPECT_EQ(argument_json("\"a\"", 0), "\"\\\"a\\\"\"");
  EXPECT_EQ(argument_json("true", 0), "true");
  EXPECT_EQ(argument_json("a\x01\n", 0), "\"a\\u0001\\n\"");
}

TEST(ArgumentJson, DepthFitsIntoTheArguments) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(argument_json(nested(63), kJsonArray), nested(63));
  EXPECT_EQ(argument_json(nested(64), kJsonArray), '"' + nested(64) + '"');
}

TEST(ToolSchemas, OddToolsAreLeftOut) {
  const ToolSchemas tools(base::parse_json(
      R"([7, null, {"function": 7}, {"function": {"name": 7}}, {"name": "flat", "parameters": 7},
          {"function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}])",
      "tools"));
  EXPECT_TRUE(tools.allows("flat"));
  EXPECT_TRUE(tools.allows("f"));
  EXPECT_FALSE(tools.allows("g"));
  EXPECT_EQ(tools.parameters("f")->at("a"), kJsonString);
  EXPECT_TRUE(tools.parameters("flat")->empty());
  EXPECT_EQ(tools.parameters("g"), nullptr);
  EXPECT_TRUE(ToolSchemas(base::Json(nullptr)).allows("anything"));
}

}  // namespace
}  // namespace tulou::text
