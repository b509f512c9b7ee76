// Strings of large JSON files: views where they can be, unescaped copies where they must.
#include "checkpoint/json_reader.h"

#include <gtest/gtest.h>

#include "base/json_value.h"
#include "checkpoint/expect_error.h"

namespace tulou::checkpoint {
namespace {

// The only key of an object, and whether it is a view of the text.
struct Key {
  std::string text;
  bool is_view = false;
};
Key key_of(const std::string& json) {
  const std::string padded = json + std::string(simdjson::SIMDJSON_PADDING, ' ');
  JsonReader reader({padded.data(), json.size()}, "file", 8);
  std::deque<std::string> escaped;
  Key key;
  auto root = reader.root();
  for (auto result : root) {
    auto field = reader.checked(std::move(result));
    const std::string_view view = reader.key(field, escaped);
    key = {std::string(view), view.data() > padded.data() && view.data() < &padded.back()};
  }
  reader.finish();
  return key;
}

TEST(JsonReader, ViewsPlainStrings) {
  const Key key = key_of("{\"model.\xc3\xa9\":1}");
  EXPECT_EQ(key.text, "model.\xc3\xa9");
  EXPECT_TRUE(key.is_view);
}

// The same text as the general parser's.
TEST(JsonReader, UnescapesAsParseJson) {
  for (const char* text :
       {R"({"\"\\\/\b\f\n\r\t":1})", R"({"a\u0000b":1})", R"({"\u00e9\u20AC":1})",
        R"({"\ud83d\ude00 \\u0041":1})", R"({"x\u0041":1})"}) {
    const Key key = key_of(text);
    EXPECT_EQ(key.text, base::parse_json(text, "t").begin().key()) << text;
    EXPECT_FALSE(key.is_view);
  }
}

TEST(JsonReader, RefusesWrongEscapes) {
  for (const char* text : {R"({"\x":1})", R"({"\u12":1})", R"({"\u12g4":1})", R"({"\ud83d":1})",
                           R"({"\ude00":1})", R"({"\ud83d\u0041":1})", R"({"\ud83dx":1})"})
    EXPECT_EQ(test::outcome([&] { (void)key_of(text); }), "json.invalid") << text;
}

TEST(JsonReader, NamesTheByte) {
  const std::string error = test::error_of("json.invalid", [] { (void)key_of("{\"a\":1} x"); });
  EXPECT_TRUE(error.starts_with("file: not valid JSON at byte 8: ")) << error;
  test::error_of("json.invalid", [] { (void)key_of("[]"); });
  test::error_of("json.invalid", [] { (void)key_of("{\"a\":1,}"); });
}

}  // namespace
}  // namespace tulou::checkpoint
