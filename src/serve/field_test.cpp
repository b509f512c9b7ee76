// Every field of every table at odd values, generated from the tables; the readers themselves.
#include "serve/field.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "base/number.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"
#include "serve/embedding_request.h"
#include "serve/error_test.h"
#include "serve/tokenize_request.h"

namespace tulou::serve {
namespace {

using base::Json;

// A route's fields, and a body that is right, into which one more field is put.
struct Body {
  const char* name;
  std::string right;  // without the last brace
  std::function<void(std::string_view)> parse;
  std::vector<FieldInfo> fields;
};

template <typename... Tables>
std::vector<FieldInfo> infos(const Tables&... tables) {
  std::vector<FieldInfo> all;
  const auto add = [&](const auto& table) {
    for (const auto& field : table.fields()) all.push_back(field.info);
  };
  (add(tables), ...);
  return all;
}

const std::vector<Body>& bodies() {
  static const std::vector<Body> all = {
      {"chat", R"({"messages": [{"role": "user", "content": "x"}])",
       [](std::string_view text) { parse_chat_request(text); },
       infos(generation_fields(), chat_fields())},
      {"completion", R"({"prompt": "x", "echo": true)",
       [](std::string_view text) { parse_completion_request(text); },
       infos(generation_fields(), completion_fields())},
      {"embedding", R"({"input": "x")",
       [](std::string_view text) { parse_embedding_request(text); }, infos(embedding_fields())},
      {"rerank", R"({"query": "x", "documents": ["y"])",
       [](std::string_view text) { parse_rerank_request(text); }, infos(rerank_fields())},
      {"tokenize", R"({"prompt": "x")", [](std::string_view text) { parse_tokenize_request(text); },
       infos(tokenize_fields())},
      {"detokenize", R"({"tokens": [1])",
       [](std::string_view text) { parse_detokenize_request(text); }, infos(detokenize_fields())},
  };
  return all;
}

Failure with_value(const Body& body, std::string_view field, const std::string& value) {
  // A field of the right body is replaced by hand: duplicates are refused before it is looked at.
  Json json = base::parse_json(body.right + "}", "test");
  json[std::string(field)] = nullptr;
  std::string text = base::to_json_text(json);
  const std::string slot = "\"" + std::string(field) + "\":null";
  text.replace(text.find(slot), slot.size(), "\"" + std::string(field) + "\":" + value);
  return failure_of([&] { body.parse(text); });
}

const std::vector<std::string>& wrong_for_numbers() {
  static const std::vector<std::string> values = {"\"1\"", "\"NaN\"", "\"Infinity\"", "\"\"",
                                                  "[]",    "{}",      "true",         "[1]"};
  return values;
}

TEST(Fields, NumbersAtOddValues) {
  int fields = 0;
  for (const Body& body : bodies()) {
    for (const FieldInfo& info : body.fields) {
      if (info.type != FieldType::kInteger && info.type != FieldType::kNumber) continue;
      ++fields;
      SCOPED_TRACE(std::string(body.name) + ": " + std::string(info.name));
      const std::string name(info.name);
      for (const std::string& value : wrong_for_numbers())
        EXPECT_EQ(with_value(body, name, value), (Failure{"request.wrong_type", name})) << value;
      EXPECT_EQ(with_value(body, name, "1e400").id, "json.invalid");
      EXPECT_EQ(with_value(body, name, "NaN").id, "json.invalid");
      for (const char* value : {"1e308", "-1e308"})
        EXPECT_EQ(with_value(body, name, value), (Failure{"request.out_of_range", name})) << value;
      EXPECT_EQ(with_value(body, name, "null").id, "");
    }
  }
  EXPECT_GT(fields, 30);
}

TEST(Fields, IntegersAtTheEdgesOfTheirRange) {
  for (const Body& body : bodies()) {
    for (const FieldInfo& info : body.fields) {
      if (info.type != FieldType::kInteger) continue;
      SCOPED_TRACE(std::string(body.name) + ": " + std::string(info.name));
      const std::string name(info.name);
      EXPECT_EQ(with_value(body, name, "1.5"), (Failure{"request.wrong_type", name}));
      for (const char* value : {"9223372036854775808", "18446744073709551616", "1e19"})
        EXPECT_EQ(with_value(body, name, value), (Failure{"request.out_of_range", name})) << value;
      std::vector<int64_t> outside;
      if (info.max < INT64_MAX) outside.push_back(info.max + 1);
      if (info.min > INT64_MIN) outside.push_back(info.min - 1);
      for (const int64_t value : outside) {
        EXPECT_EQ(with_value(body, name, base::to_text(value)),
                  (Failure{"request.out_of_range", name}));
      }
      // At the edges the field itself is right; another may object to it.
      for (const int64_t edge : {info.min, info.max}) {
        const std::string id = with_value(body, name, base::to_text(edge)).id;
        EXPECT_TRUE(id.empty() || id == "request.conflict") << edge << ": " << id;
      }
      if (info.min <= 0) {
        EXPECT_EQ(with_value(body, name, "-0").id, "");
      }
      if (info.min <= 1) {
        EXPECT_NE(with_value(body, name, "1.0").id, "request.wrong_type");
      }
    }
  }
}

TEST(Fields, NumbersBesideTheirRange) {
  for (const Body& body : bodies()) {
    for (const FieldInfo& info : body.fields) {
      if (info.type != FieldType::kNumber) continue;
      SCOPED_TRACE(std::string(body.name) + ": " + std::string(info.name));
      const std::string name(info.name);
      for (const double value : {std::nextafter(info.low, -1e9), std::nextafter(info.high, 1e9)})
        EXPECT_EQ(with_value(body, name, base::to_text(value)),
                  (Failure{"request.out_of_range", name}))
            << value;
      EXPECT_EQ(with_value(body, name, base::to_text(info.low)).id, "");
      EXPECT_EQ(with_value(body, name, base::to_text(info.high)).id, "");
    }
  }
}

TEST(Fields, OtherTypesAtOddValues) {
  for (const Body& body : bodies()) {
    for (const FieldInfo& info : body.fields) {
      SCOPED_TRACE(std::string(body.name) + ": " + std::string(info.name));
      const std::string name(info.name);
      if (info.type == FieldType::kBoolean) {
        for (const char* value : {"0", "1", "\"true\"", "[]", "{}"})
          EXPECT_EQ(with_value(body, name, value), (Failure{"request.wrong_type", name})) << value;
      }
      if (info.type == FieldType::kString) {
        for (const char* value : {"0", "true", "[]", "{}"})
          EXPECT_EQ(with_value(body, name, value), (Failure{"request.wrong_type", name})) << value;
        if (info.max < 1'000'000) {
          const std::string long_text =
              "\"" + std::string(static_cast<size_t>(info.max) + 1, 'a') + "\"";
          EXPECT_EQ(with_value(body, name, long_text), (Failure{"request.too_long", name}));
        }
      }
      // No field takes a bare true, but the flags; and none crashes at anything.
      if (info.type == FieldType::kOther && name != "guided_json") {
        EXPECT_EQ(with_value(body, name, "true").id, "request.wrong_type");
      }
      for (const char* value : {"[[]]", "[{}]", "{\"a\":[]}", "-1", "\"\\u0000\"", "[null]"})
        with_value(body, name, value);
      // The right bodies have what they need: of /tokenize that is a prompt or messages.
      const bool needed = body.right.find("\"" + name + "\":") != std::string::npos;
      EXPECT_EQ(with_value(body, name, "null").id,
                needed && name != "echo" ? "request.missing" : "");
      EXPECT_TRUE(needed || !info.required);
    }
  }
}

TEST(Fields, SchemasDescribeTheFields) {
  for (const Body& body : bodies()) {
    for (const FieldInfo& info : body.fields) {
      const Json schema = field_schema(info);
      EXPECT_TRUE(schema.is_object()) << info.name;
      EXPECT_FALSE(schema["description"].get<std::string>().empty()) << info.name;
      if (info.type == FieldType::kInteger) {
        EXPECT_EQ(schema["minimum"].get<int64_t>(), info.min);
        EXPECT_EQ(schema["maximum"].get<int64_t>(), info.max);
      }
    }
  }
}

TEST(Fields, BodiesThatAreNoObject) {
  for (const Body& body : bodies()) {
    for (const char* text : {"[]", "1", "null", "\"x\"", "true"})
      EXPECT_EQ(failure_of([&] { body.parse(text); }).id, "request.wrong_type") << text;
    for (const char* text : {"", "{", "{\"a\": 1,}", "\xff", "{\"a\":1}{}", "{\"a\": \"\xc3\"}"})
      EXPECT_EQ(failure_of([&] { body.parse(text); }).id, "json.invalid") << text;
    EXPECT_EQ(failure_of([&] { body.parse(R"({"a": 1, "a": 2})"); }).id, "json.duplicate_key");
    EXPECT_EQ(failure_of([&] {
                body.parse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}");
              }).id,
              "json.too_deep");
  }
}

TEST(Fields, BodiesOfTooManyParts) {
  std::string keys = "{", values = "{\"a\":[0";
  for (size_t i = 0; i <= kMaxJsonMembers; ++i) keys += "\"" + base::to_text(i) + "\":0,";
  for (size_t i = 0; i <= kMaxJsonValues; ++i) values += ",0";
  EXPECT_EQ(failure_of([&] { parse_body(keys + "\"a\":0}"); }).id, "json.too_many");
  EXPECT_EQ(failure_of([&] { parse_body(values + "]}"); }).id, "json.too_many");
}

TEST(Fields, WholeNumbersMayBeWrittenWithAPoint) {
  EXPECT_EQ(read_integer(Json(3.0), "n", 0, 9), 3);
  EXPECT_EQ(read_integer(Json(-0.0), "n", 0, 9), 0);
  EXPECT_FALSE(std::signbit(read_number(Json(-0.0), "n", -1, 1)));
  EXPECT_EQ(failure_of([] { read_integer(Json(NAN), "n", 0, 9); }).id, "request.out_of_range");
}

}  // namespace
}  // namespace tulou::serve
