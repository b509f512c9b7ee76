// Tokens to events; see answer_stream.h.
#include "completion/answer_stream.h"

#include <utility>

namespace tulou::completion {

namespace {

using Kind = AnswerEvent::Kind;

Kind kind_of(text::ToolCallEvent::Kind kind) {
  switch (kind) {
    case text::ToolCallEvent::Kind::kText:
      return Kind::kText;
    case text::ToolCallEvent::Kind::kBegin:
      return Kind::kCallBegin;
    case text::ToolCallEvent::Kind::kArguments:
      return Kind::kCallArguments;
    case text::ToolCallEvent::Kind::kEnd:
      return Kind::kCallEnd;
    case text::ToolCallEvent::Kind::kBroken:
      return Kind::kCallBroken;
  }
  return Kind::kText;
}

}  // namespace

// The reader gets no stop strings: they are looked for behind the parser, in what is no call.
AnswerStream::AnswerStream(const TextModel& model, const text::ToolSchemas& schemas,
                           AnswerOptions options)
    : reader_(model, {}, options.in_reasoning),
      parser_(options.tools, schemas),
      stops_(std::move(options.stops)) {}

void AnswerStream::push(int32_t token, std::vector<AnswerEvent>& events) {
  if (stopped()) return;
  reader_.push(token, pieces_);
  take_pieces(events);
}

void AnswerStream::finish(std::vector<AnswerEvent>& events) {
  if (stopped()) return;
  reader_.finish(pieces_);
  take_pieces(events);
  if (stopped()) return;
  parser_.finish(calls_);
  take_calls(events);
  std::string rest = stops_.finish();
  if (!rest.empty()) events.push_back({Kind::kText, -1, std::move(rest)});
}

void AnswerStream::take_pieces(std::vector<AnswerEvent>& events) {
  for (Piece& piece : std::exchange(pieces_, {})) {
    if (piece.reasoning) {
      events.push_back({Kind::kReasoning, -1, std::move(piece.text)});
      continue;
    }
    parser_.push(piece.text, calls_);
    take_calls(events);
  }
}

void AnswerStream::take_calls(std::vector<AnswerEvent>& events) {
  for (text::ToolCallEvent& call : std::exchange(calls_, {})) {
    if (stopped()) return;
    const Kind kind = kind_of(call.kind);
    if (kind == Kind::kText) {
      call.text = stops_.push(call.text);
      if (call.text.empty()) continue;
    } else if (kind == Kind::kCallBegin) {
      // What might have become a stop string stays text: none reaches over a call.
      std::string held = stops_.finish();
      if (!held.empty()) events.push_back({Kind::kText, -1, std::move(held)});
    }
    events.push_back({kind, call.index, std::move(call.text)});
  }
}

}  // namespace tulou::completion
