#include "completion/stop_strings.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tulou::completion {
namespace {

// What is shown of a text that comes in pieces cut at the given places.
std::string shown(const std::vector<std::string>& stops, const std::vector<std::string>& pieces,
                  bool& stopped) {
  StopStrings reader(stops);
  std::string out;
  for (const std::string& piece : pieces) out += reader.push(piece);
  out += reader.finish();
  stopped = reader.stopped();
  return out;
}

// Every way to cut the text into up to three pieces, and byte by byte, gives the same.
void expect_at_every_split(const std::vector<std::string>& stops, const std::string& text,
                           const std::string& expected, bool expected_stop) {
  const auto check = [&](const std::vector<std::string>& pieces) {
    bool stopped = false;
    EXPECT_EQ(shown(stops, pieces, stopped), expected) << text;
    EXPECT_EQ(stopped, expected_stop) << text;
  };
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  check(bytes);
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j)
      check({text.substr(0, i), text.substr(i, j - i), text.substr(j)});
  }
}

TEST(StopStrings, CutAtEverySplit) {
  expect_at_every_split({"END"}, "abc END def", "abc ", true);
  expect_at_every_split({"END"}, "abc EN", "abc EN", false);
  expect_at_every_split({"aab"}, "aaaab!", "aa", true);
  expect_at_every_split({"\n\n"}, "one\ntwo\n\nthree", "one\ntwo", true);
  expect_at_every_split({"\xc3\xa9t"}, "\xc3\xa9\xc3\xa9t\xc3\xa9", "\xc3\xa9", true);
  expect_at_every_split({}, "anything", "anything", false);
}

TEST(StopStrings, TheFirstCompleteOneCounts) {
  expect_at_every_split({"ab", "xaby"}, "1xaby", "1x", true);
  expect_at_every_split({"b", "xab"}, "1xab", "1", true);
  expect_at_every_split({"abc", "bcd"}, "zabcd", "z", true);
  expect_at_every_split({"stop", "top"}, "a stop", "a ", true);
}

TEST(StopStrings, HoldsBackOnlyWhatMayBecomeOne) {
  StopStrings reader({"</end>"});
  EXPECT_EQ(reader.push("text <"), "text ");
  EXPECT_EQ(reader.push("b"), "<b");
  EXPECT_EQ(reader.push("</en"), "");
  EXPECT_EQ(reader.push("try"), "</entry");
  EXPECT_EQ(reader.push("</end> more"), "");
  EXPECT_TRUE(reader.stopped());
  EXPECT_EQ(reader.push("nothing"), "");
  EXPECT_EQ(reader.finish(), "");
}

TEST(StopStrings, Bounds) {
  EXPECT_THROW(StopStrings({""}), base::Error);
  EXPECT_NO_THROW(StopStrings({std::string(kMaxStopStringBytes, 'a')}));
  EXPECT_THROW(StopStrings({std::string(kMaxStopStringBytes + 1, 'a')}), base::Error);
  EXPECT_NO_THROW(StopStrings(std::vector<std::string>(kMaxStopStrings, "a")));
  EXPECT_THROW(StopStrings(std::vector<std::string>(kMaxStopStrings + 1, "a")), base::Error);
}

}  // namespace
}  // namespace tulou::completion
