// Calls in a stream: the same at every cut, nothing lost, nothing invented, whatever comes.
#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "text/tool_call_parser.h"
#include "text/tool_call_samples.h"

namespace tulou::text {
namespace {

using enum ToolCallEvent::Kind;
using Events = std::vector<ToolCallEvent>;

const ToolSchemas& schemas() {
  static const ToolSchemas tools(sample_tools());
  return tools;
}

struct Case {
  ToolCallFormat format;
  std::string text;
};

std::vector<Case> all_samples() {
  std::vector<Case> cases;
  for (const std::string& text : xml_samples()) cases.push_back({ToolCallFormat::kXml, text});
  for (const std::string& text : hermes_samples()) cases.push_back({ToolCallFormat::kHermes, text});
  return cases;
}

// Cuts at random places.
std::vector<std::string_view> random_pieces(std::string_view text, std::mt19937_64& rng) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t bytes = std::min<size_t>(text.size(), 1 + rng() % 12);
    pieces.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return pieces;
}

// What must hold for the events of any text.
void check_events(const Events& events, const std::string& text, bool stream) {
  EXPECT_EQ(sources(events), text);
  std::string arguments;
  bool open = false;
  int next_index = 0;
  for (const ToolCallEvent& event : events) {
    switch (event.kind) {
      case kText:
        EXPECT_FALSE(open);
        break;
      case kBegin:
        EXPECT_FALSE(open);
        EXPECT_EQ(event.index, next_index++);
        EXPECT_TRUE(schemas().allows(event.text));
        arguments.clear();
        open = true;
        break;
      case kArguments:
        EXPECT_TRUE(open);
        arguments += event.text;
        break;
      case kEnd:
        EXPECT_TRUE(open);
        EXPECT_NO_THROW(EXPECT_TRUE(base::parse_json(arguments, "arguments").is_object()))
            << text << "\n"
            << arguments;
        open = false;
        break;
      case kBroken:
        EXPECT_TRUE(open && stream);
        open = false;
        break;
    }
  }
  EXPECT_FALSE(open);
}

TEST(ToolCallProperty, EverySplitInTwo) {
  for (const Case& sample : all_samples()) {
    ToolCallOptions options;
    options.format = sample.format;
    for (const bool stream : {false, true}) {
      options.stream_arguments = stream;
      const Events whole = joined(parse_pieces(options, schemas(), {sample.text}));
      check_events(whole, sample.text, stream);
      const std::string_view text = sample.text;
      for (size_t cut = 0; cut <= text.size(); ++cut)
        EXPECT_EQ(joined(parse_pieces(options, schemas(), {text.substr(0, cut), text.substr(cut)})),
                  whole)
            << text << " cut at " << cut;
    }
  }
}

TEST(ToolCallProperty, RandomSplits) {
  std::mt19937_64 rng(1);
  for (const Case& sample : all_samples()) {
    ToolCallOptions options;
    options.format = sample.format;
    const Events whole = joined(parse_pieces(options, schemas(), {sample.text}));
    for (int round = 0; round < 200; ++round)
      EXPECT_EQ(joined(parse_pieces(options, schemas(), random_pieces(sample.text, rng))), whole);
  }
}

TEST(ToolCallProperty, EventsAreWholeCharacters) {
  for (const Case& sample : all_samples()) {
    ToolCallOptions options;
    options.format = sample.format;
    options.max_call_bytes = 40;
    for (options.stream_arguments = false;; options.stream_arguments = true) {
      std::vector<std::string_view> characters;
      for (size_t at = 0; at < sample.text.size();) {
        const size_t length = base::decode_utf8(sample.text, at).length;
        characters.push_back(std::string_view(sample.text).substr(at, length));
        at += length;
      }
      for (const ToolCallEvent& event : parse_pieces(options, schemas(), characters))
        EXPECT_FALSE(base::find_invalid_utf8(event.text)) << event.text;
      if (options.stream_arguments) break;
    }
  }
}

// A sample with a few edits: bytes deleted, doubled, replaced, moved, and pieces of others put in.
std::string mutated(const std::vector<Case>& samples, const Case& sample, std::mt19937_64& rng) {
  static const std::vector<std::string> kPieces = {"<tool_call>",
                                                   "</tool_call>",
                                                   "<function=",
                                                   "</function>",
                                                   "<parameter=",
                                                   "</parameter>",
                                                   "\n",
                                                   "{",
                                                   "}",
                                                   "\"",
                                                   "\\",
                                                   ">",
                                                   "free",
                                                   "\"name\": ",
                                                   "\"arguments\"",
                                                   "[",
                                                   "\xc3\xb6",
                                                   " "};
  std::string text = sample.text;
  const uint64_t edits = 1 + rng() % 4;
  for (uint64_t i = 0; i < edits; ++i) {
    const size_t at = rng() % (text.size() + 1);
    const size_t length = std::min<size_t>(rng() % 16, text.size() - at);
    switch (rng() % 5) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kPieces[rng() % kPieces.size()]);
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(rng() % 256);
        break;
      case 3:
        text.insert(rng() % (text.size() + 1), text.substr(at, length));
        break;
      default: {
        const std::string& other = samples[rng() % samples.size()].text;
        text.insert(at, other, rng() % other.size(), 1 + rng() % 40);
      }
    }
  }
  return base::replace_invalid_utf8(text);
}

TEST(ToolCallProperty, MutatedOutputs) {
  std::mt19937_64 rng(2);
  const std::vector<Case> samples = all_samples();
  int calls = 0, broken = 0;
  for (int round = 0; round < 100'000 && !HasFailure(); ++round) {
    const Case& sample = samples[rng() % samples.size()];
    const std::string text = mutated(samples, sample, rng);
    ToolCallOptions options;
    options.format = sample.format;
    options.stream_arguments = rng() % 2 == 0;
    if (rng() % 8 == 0) options.max_call_bytes = rng() % 200;
    const Events whole = joined(parse_pieces(options, schemas(), {text}));
    check_events(whole, text, options.stream_arguments);
    EXPECT_EQ(joined(parse_pieces(options, schemas(), random_pieces(text, rng))), whole) << text;
    for (const ToolCallEvent& event : whole) {
      calls += event.kind == kEnd;
      broken += event.kind == kBroken;
    }
  }
  // Both kinds were met often.
  EXPECT_GT(calls, 10'000);
  EXPECT_GT(broken, 5'000);
}

}  // namespace
}  // namespace tulou::text
