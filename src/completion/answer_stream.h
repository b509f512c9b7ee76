// Tokens of an answer to events: thinking, text and tool calls, cut at stop strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "completion/answer_reader.h"
#include "completion/stop_strings.h"
#include "completion/text_model.h"
#include "completion/thinking_budget.h"
#include "text/tool_call_parser.h"

namespace tulou::completion {

struct AnswerEvent {
  enum class Kind {
    kReasoning,      // `text` belongs to the thinking
    kText,           // `text` belongs to the answer
    kCallBegin,      // `text` is the tool's name
    kCallArguments,  // `text` is the next piece of the arguments (JSON)
    kCallEnd,        // the call is complete; `text` is its source
    kCallBroken,     // the call was none; `text`, its source, belongs to the answer
  };
  Kind kind = Kind::kText;
  int index = -1;  // of the call
  std::string text;

  bool operator==(const AnswerEvent&) const = default;
};

struct AnswerOptions {
  std::vector<std::string> stops;
  bool in_reasoning = false;  // the prompt ends within the thinking part
  bool may_think = true;      // false: no thinking part, all text is the answer's
  text::ToolCallOptions tools;
};

/// Models forget at times to close their thinking before a call. In the XML form, which thinking
/// hardly quotes, <tool_call> <function= ends it: finds that in the text of the thinking.
class ForgottenEnd {
 public:
  /// Takes the next piece of thinking and appends what surely is. True once the end was found:
  /// rest() is then where the answer begins.
  bool push(std::string_view piece, std::string& reasoning);
  /// What is held back; the answer's beginning once the end was found.
  std::string rest() { return std::exchange(held_, {}); }

 private:
  std::string held_;
};

/// One answer. Each event is whole characters (valid UTF-8). Joined by kind and call, the events do
/// not depend on when they were taken. Stop strings are looked for in the answer's text only: never
/// in the thinking or in a call, and none can begin before a call and end behind it. Text of a call
/// that turned out broken is not searched.
class AnswerStream {
 public:
  /// `model` and `schemas` must outlive it. Error completion.stop_string,
  /// completion.too_many_stops.
  AnswerStream(const TextModel& model, const text::ToolSchemas& schemas, AnswerOptions options);

  /// Takes the next token. Tokens after a stop string give nothing.
  void push(int32_t token, std::vector<AnswerEvent>& events);
  /// No more tokens come: what was held back.
  void finish(std::vector<AnswerEvent>& events);

  /// A stop string came.
  bool stopped() const { return stops_.stopped(); }
  /// Calls that were completed: an answer with any has finish reason "tool_calls".
  int num_calls() const { return parser_.num_calls(); }
  /// Tokens of the thinking part, without <think> and </think>: usage's reasoning_tokens.
  int64_t num_reasoning_tokens() const { return part_.num_tokens(); }

 private:
  void take_pieces(std::vector<AnswerEvent>& events);
  void take_reasoning(std::string_view text, std::vector<AnswerEvent>& events);
  void take_answer(std::string_view text, std::vector<AnswerEvent>& events);
  void end_reasoning(std::vector<AnswerEvent>& events);
  void take_calls(std::vector<AnswerEvent>& events);

  AnswerReader reader_;
  ThinkingPart part_;
  text::ToolCallParser parser_;
  StopStrings stops_;
  bool watches_reasoning_;  // for a call that ends it
  bool reasoning_ended_ = false;
  ForgottenEnd forgotten_end_;
  std::vector<Piece> pieces_;
  std::vector<text::ToolCallEvent> calls_;
};

}  // namespace tulou::completion
