#include "grammar/schema.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "grammar/formats.h"
#include "grammar/source.h"

namespace tulou::grammar {
namespace {

std::string ebnf(const GrammarSource& source) {
  Rules rules;
  const Rules::Rule root = add_source(rules, source);
  return rules.ebnf(root);
}

// The id of the error, or "" if the schema is taken.
std::string refusal(const std::string& schema, std::string* message = nullptr) {
  try {
    ebnf({GrammarKind::kJsonSchema, schema});
    return "";
  } catch (const base::Error& error) {
    if (message != nullptr) *message = error.what();
    return error.id();
  }
}

TEST(Schema, TakesWhatItCanHonour) {
  for (const char* schema : {
           R"({})",
           R"(true)",
           R"({"type": ["string", "null"]})",
           R"({"type": "integer", "minimum": -5, "exclusiveMaximum": 100, "multipleOf": 5})",
           R"({"type": "number", "minimum": 0.25, "maximum": 1e6})",
           R"({"type": "string", "minLength": 1, "maxLength": 9})",
           R"({"type": "string", "pattern": "^a+$"})",
           R"({"enum": [1, "a", null]})",
           R"({"type": "object", "properties": {"a": {}}, "required": ["a", "b"]})",
           R"({"type": "array", "prefixItems": [{}], "items": false, "minItems": 1})",
           R"({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}], "$defs": {"x": {}}})",
           R"({"$schema": "s", "$id": "i", "title": "t", "x-note": 1, "type": "boolean"})",
       }) {
    std::string message;
    EXPECT_EQ(refusal(schema, &message), "") << schema << ": " << message;
  }
}

TEST(Schema, RefusesTheRestWithNameAndPlace) {
  struct Case {
    const char* schema;
    const char* id;
    const char* part;  // of the message
  };
  for (const Case& one : std::vector<Case>{
           {R"({"properties": {"a/b": {"not": {}}}})", "grammar.unsupported_keyword",
            "at #/properties/a~1b: \"not\""},
           {R"({"type": "array", "items": {"uniqueItems": true}})", "grammar.unsupported_keyword",
            "at #/items: \"uniqueItems\""},
           {R"({"$ref": "#/$defs/a", "minLength": 1, "$defs": {"a": {}}})",
            "grammar.unsupported_keyword", "\"minLength\""},
           {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})",
            "grammar.unsupported_keyword", "branches 0 and 1"},
           {R"({"$ref": "other.json"})", "grammar.unsupported_keyword", "\"$ref\""},
           {R"({"$ref": "#/nowhere"})", "grammar.invalid_schema", "points to nothing"},
           {R"({"anyOf": [{"$ref": "#"}]})", "grammar.invalid_schema", "refers to itself"},
           {R"({"type": "text"})", "grammar.invalid_schema", "\"type\""},
           {R"({"type": "string", "format": "color"})", "grammar.unsupported_keyword", "uuid"},
           {R"({"type": "string", "pattern": "(?!a)b"})", "grammar.unsupported_regex", ""},
           {R"({"required": ["a"], "additionalProperties": false})", "grammar.unsatisfiable", ""},
           {R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})", "grammar.unsatisfiable",
            ""},
           {R"(false)", "grammar.unsatisfiable", ""},
           {R"([])", "grammar.invalid_schema", "object"},
           {R"({"type": )", "json.invalid", ""},
       }) {
    std::string message;
    EXPECT_EQ(refusal(one.schema, &message), one.id) << one.schema << ": " << message;
    EXPECT_NE(message.find(one.part), std::string::npos) << message;
  }
}

TEST(Schema, BoundsAreChecked) {
  const auto begin = std::chrono::steady_clock::now();
  std::string wide = "{\"anyOf\": [";
  const std::string deep = std::string(60'000, '[') + std::string(60'000, ']');
  EXPECT_EQ(refusal(deep), "json.too_deep");
  EXPECT_EQ(refusal("\"" + std::string(kMaxSchemaBytes, 'x') + "\""), "grammar.too_large");
  for (size_t i = 0; i <= kMaxSchemas; ++i) wide += i == 0 ? "{}" : ",{}";
  EXPECT_EQ(refusal(wide + "]}"), "grammar.too_large");
  const std::string brackets(60'000, '(');
  for (const GrammarKind kind : {GrammarKind::kRegex, GrammarKind::kEbnf}) {
    EXPECT_THROW(ebnf({kind, kind == GrammarKind::kEbnf ? "root ::= " + brackets : brackets}),
                 base::Error);
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(time.count(), 5.0);  // under sanitizers; 0.1 s each otherwise
}

TEST(Formats, AreFoundByName) {
  EXPECT_TRUE(format_pattern("date-time").has_value());
  EXPECT_FALSE(format_pattern("Date").has_value());
  EXPECT_NE(format_names().find("uri, uuid"), std::string::npos);
}

TEST(Source, ChoicesAreListsOfStrings) {
  EXPECT_NE(ebnf({GrammarKind::kChoice, R"(["a\"b", "c\n"])"}).find("a\\\"b"), std::string::npos);
  for (const char* text : {"[]", "{}", "[1]", "[\"a\\u0000\"]"}) {
    EXPECT_THROW(ebnf({GrammarKind::kChoice, text}), base::Error) << text;
  }
}

TEST(Ebnf, SaysWhereItIsWrong) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      ebnf({GrammarKind::kEbnf, text});
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("root ::= \"a\" | b # comment\nb ::= [a-z]{2,3} (\"x\" root)?\n"), "");
  EXPECT_NE(message("root ::= \"a\"\nb ::= c").find("line 2, column 7"), std::string::npos);
  EXPECT_NE(message("root ::= \"a").find("does not end"), std::string::npos);
  EXPECT_NE(message("start ::= \"a\"").find("root"), std::string::npos);
  EXPECT_NE(message("root ::= \"a\" root").find("no finite text"), std::string::npos);
  EXPECT_NE(message("root ::= [z-a]").find("backwards"), std::string::npos);
}

}  // namespace
}  // namespace tulou::grammar
