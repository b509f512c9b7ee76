#include "cli/event_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace tulou::cli {
namespace {

std::vector<std::string> events_of(std::string_view text, size_t piece) {
  std::vector<std::string> events;
  EventReader reader([&](std::string_view event) { events.emplace_back(event); });
  for (size_t at = 0; at < text.size(); at += piece)
    EXPECT_TRUE(reader.feed(text.substr(at, piece)));
  return events;
}

TEST(EventReader, EventsDoNotDependOnHowTheyCome) {
  const std::string text =
      ": a comment\n\ndata: {\"a\":1}\n\nevent: x\r\ndata:one\r\ndata: two\r\n\r\n"
      "data:\n\nid: 4\n\ndata: [DONE]\n\ndata: unfinished\n";
  const std::vector<std::string> expected = {"{\"a\":1}", "one\ntwo", "", "[DONE]"};
  for (size_t piece = 1; piece <= text.size(); ++piece)
    EXPECT_EQ(events_of(text, piece), expected) << piece;
}

TEST(EventReader, AnEventHasABound) {
  EventReader line([](std::string_view) { FAIL(); });
  const std::string most(EventReader::kMaxEventBytes, 'x');
  EXPECT_TRUE(line.feed(most));
  EXPECT_FALSE(line.feed("x"));
  EventReader lines([](std::string_view) { FAIL(); });
  EXPECT_TRUE(lines.feed("data: " + most.substr(most.size() / 2) + "\n"));
  EXPECT_FALSE(lines.feed("data: " + most.substr(most.size() / 2) + "\n"));
}

}  // namespace
}  // namespace tulou::cli
