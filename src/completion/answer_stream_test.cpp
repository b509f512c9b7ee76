#include "completion/answer_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

using Kind = AnswerEvent::Kind;
using Events = std::vector<AnswerEvent>;

class AnswerStreamTest : public testing::Test {
 protected:
  std::vector<int32_t> ids(const std::string& text) const {
    return model_.tokenizer().encode(text, text::Tokenizer::Special::kParse);
  }
  Events read(const std::vector<int32_t>& tokens, const AnswerOptions& options) const {
    AnswerStream stream(model_, schemas_, options);
    Events events;
    for (const int32_t token : tokens) stream.push(token, events);
    stream.finish(events);
    return joined(events);
  }
  static Events joined(const Events& events) {
    Events result;
    for (const AnswerEvent& event : events) {
      const bool grows = event.kind != Kind::kCallEnd && event.kind != Kind::kCallBroken &&
                         event.kind != Kind::kCallBegin;
      if (grows && !result.empty() && result.back().kind == event.kind &&
          result.back().index == event.index) {
        result.back().text += event.text;
      } else {
        result.push_back(event);
      }
    }
    return result;
  }
  static AnswerOptions hermes(std::vector<std::string> stops = {}) {
    AnswerOptions options;
    options.tools.format = text::ToolCallFormat::kHermes;
    options.stops = std::move(stops);
    return options;
  }

  TinyFolder folder_;
  TextModel model_ = TextModel::open(folder_.path());
  text::ToolSchemas schemas_;
};

const std::string kCall = R"(<tool_call>{"name": "f", "arguments": {"a": "END"}}</tool_call>)";

TEST_F(AnswerStreamTest, ThinkingTextAndCall) {
  EXPECT_EQ(read(ids("<think>\nwhy " + kCall + "\n</think>\n\nso\n\n" + kCall), hermes()),
            (Events{{Kind::kReasoning, -1, "why " + kCall},
                    {Kind::kText, -1, "so"},
                    {Kind::kCallBegin, 0, "f"},
                    {Kind::kCallArguments, 0, R"({"a": "END"})"},
                    {Kind::kCallEnd, 0, "\n\n" + kCall}}));
}

TEST_F(AnswerStreamTest, WithoutToolsCallsAreText) {
  EXPECT_EQ(read(ids(kCall), {}), (Events{{Kind::kText, -1, kCall}}));
}

TEST_F(AnswerStreamTest, StopStringsOnlyInText) {
  const Events events = read(ids("E" + kCall + "N END more" + kCall), hermes({"END", "E<"}));
  EXPECT_EQ(events, (Events{{Kind::kText, -1, "E"},
                            {Kind::kCallBegin, 0, "f"},
                            {Kind::kCallArguments, 0, R"({"a": "END"})"},
                            {Kind::kCallEnd, 0, kCall},
                            {Kind::kText, -1, "N "}}));
  // "E" and "ND" around a call are no stop string.
  EXPECT_EQ(read(ids("E" + kCall + "ND"), hermes({"END"})).back(),
            (AnswerEvent{Kind::kText, -1, "ND"}));
}

TEST_F(AnswerStreamTest, StoppedAndCounted) {
  AnswerStream stream(model_, schemas_, hermes({"stop"}));
  Events events;
  for (const int32_t id : ids(std::string(kCall).append("stop").append(kCall)))
    stream.push(id, events);
  EXPECT_TRUE(stream.stopped());
  const size_t count = events.size();
  stream.finish(events);
  EXPECT_EQ(events.size(), count);
  EXPECT_EQ(stream.num_calls(), 1);
}

TEST_F(AnswerStreamTest, ReasoningTokensAreCounted) {
  AnswerStream stream(model_, schemas_, {});
  Events events;
  for (const int32_t id : ids("<think>why</think>so")) stream.push(id, events);
  EXPECT_EQ(stream.num_reasoning_tokens(), 3);
}

TEST_F(AnswerStreamTest, CallThatEndsTheThinking) {
  const std::string call = "<tool_call>\n<function=f>\n</function>\n</tool_call>";
  AnswerOptions xml;
  xml.in_reasoning = true;
  xml.tools.format = text::ToolCallFormat::kXml;
  const Events expected = {{Kind::kReasoning, -1, "a <tool_call> b"},
                           {Kind::kCallBegin, 0, "f"},
                           {Kind::kCallArguments, 0, "{}"},
                           {Kind::kCallEnd, 0, "\n\n" + call}};
  EXPECT_EQ(read(ids("a <tool_call> b\n\n" + call), xml), expected);
  EXPECT_EQ(read(ids("a <tool_call> b\n\n" + call + "\n</think>\n\nc"), xml).back(),
            (AnswerEvent{Kind::kText, -1, "c"}));
  EXPECT_EQ(read(ids("a\n<tool_call>\n<func"), xml),
            (Events{{Kind::kReasoning, -1, "a\n<tool_call>\n<func"}}));
  EXPECT_EQ(read(ids("a\n<tool_call></think>b"), xml),
            (Events{{Kind::kReasoning, -1, "a\n<tool_call>"}, {Kind::kText, -1, "b"}}));
}

TEST_F(AnswerStreamTest, BrokenCallIsGivenBack) {
  const std::string broken = R"(<tool_call>{"name": "f", "arguments": {"a": )";
  EXPECT_EQ(read(ids(broken), hermes()), (Events{{Kind::kCallBegin, 0, "f"},
                                                 {Kind::kCallArguments, 0, R"({"a": )"},
                                                 {Kind::kCallBroken, 0, broken}}));
  AnswerOptions whole = hermes();
  whole.tools.stream_arguments = false;
  EXPECT_EQ(read(ids(broken), whole), (Events{{Kind::kText, -1, broken}}));
}

// Tokens at random: bytes of every kind, parts of calls, tokens of the thinking part.
std::vector<int32_t> random_tokens(std::mt19937_64& random) {
  static const std::vector<std::string> kPieces = {
      "<tool_call>",  "</tool_call>", "{\"name\": \"f\"", ", \"arguments\": {",
      "}}",           "<function=f>", "</function>",      "<parameter=a>",
      "</parameter>", "\n",           "\xe2\x82\xac",     "\xf0\x9f\x98\x80"};
  std::vector<int32_t> tokens;
  const size_t count = random() % 40;
  while (tokens.size() < count) {
    switch (random() % 4) {
      case 0:
        tokens.push_back(static_cast<int32_t>(random() % 256));
        break;
      case 1:
        tokens.push_back(static_cast<int32_t>(256 + random() % 8));  // also ids without a token
        break;
      default:
        for (const char c : kPieces[random() % kPieces.size()])
          tokens.push_back(static_cast<unsigned char>(c));
    }
  }
  return tokens;
}

TEST_F(AnswerStreamTest, EveryEventIsUtf8AndNothingIsLost) {
  std::mt19937_64 random(1);
  int calls = 0;
  for (int round = 0; round < 100'000 && !HasFailure(); ++round) {
    const std::vector<int32_t> tokens = random_tokens(random);
    AnswerOptions options;
    options.in_reasoning = random() % 4 == 0;
    options.tools.format =
        random() % 2 ? text::ToolCallFormat::kHermes : text::ToolCallFormat::kXml;
    options.tools.stream_arguments = random() % 2 == 0;
    options.tools.max_call_bytes = random() % 4 == 0 ? random() % 64 : size_t{1} << 20;

    AnswerReader reader(model_, {}, options.in_reasoning);
    std::vector<Piece> pieces;
    for (const int32_t token : tokens) reader.push(token, pieces);
    reader.finish(pieces);
    std::string text, reasoning;
    for (const Piece& piece : pieces) (piece.reasoning ? reasoning : text) += piece.text;

    AnswerStream stream(model_, schemas_, options);
    Events events;
    for (const int32_t token : tokens) stream.push(token, events);
    stream.finish(events);
    std::string streamed_text, streamed_reasoning;
    for (const AnswerEvent& event : events) {
      EXPECT_FALSE(base::find_invalid_utf8(event.text)) << round;
      if (event.kind == Kind::kReasoning) streamed_reasoning += event.text;
      if (event.kind == Kind::kText || event.kind == Kind::kCallEnd ||
          event.kind == Kind::kCallBroken)
        streamed_text += event.text;
      calls += event.kind == Kind::kCallEnd;
    }
    // A call in the thinking may end it; all the same nothing is lost.
    EXPECT_EQ(streamed_reasoning + streamed_text, reasoning + text) << round;
    if (options.tools.format == text::ToolCallFormat::kHermes) {
      EXPECT_EQ(streamed_reasoning, reasoning) << round;
    }

    // The text of all at once.
    text::ToolCallParser parser(options.tools, schemas_);
    std::vector<text::ToolCallEvent> at_once;
    parser.push(streamed_text, at_once);
    parser.finish(at_once);
    EXPECT_EQ(parser.num_calls(), stream.num_calls()) << round;
  }
  EXPECT_GT(calls, 100);
}

// Without thinking and calls, the stream is what the tokenizer makes of all ids.
TEST_F(AnswerStreamTest, PlainTextIsTheTokenizersText) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 10'000 && !HasFailure(); ++round) {
    std::vector<int32_t> tokens(random() % 30);
    for (int32_t& token : tokens) token = static_cast<int32_t>(random() % 258);
    AnswerStream stream(model_, schemas_, {});
    Events events;
    for (const int32_t token : tokens) stream.push(token, events);
    stream.finish(events);
    std::string text;
    for (const AnswerEvent& event : events) text += event.text;
    EXPECT_EQ(text, model_.tokenizer().decode(tokens, text::ShowSpecial::kHide));
  }
}

}  // namespace
}  // namespace tulou::completion
