// Tokens to events; see answer_stream.h.
#include "completion/answer_stream.h"

#include <algorithm>
#include <utility>

namespace tulou::completion {

namespace {

using Kind = AnswerEvent::Kind;

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kFunction = "<function=";

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

// True if the text is, or may become, white space, <tool_call>, white space, <function=.
bool may_begin_call(std::string_view text) {
  for (const std::string_view tag : {kOpen, kFunction}) {
    const size_t spaces = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    if (spaces > text::kMaxSeamBytes) return false;
    text.remove_prefix(spaces);
    if (tag.starts_with(text)) return true;
    if (!text.starts_with(tag)) return false;
    text.remove_prefix(tag.size());
  }
  return text.empty();
}

}  // namespace

bool ForgottenEnd::push(std::string_view piece, std::string& reasoning) {
  for (size_t i = 0; i < piece.size(); ++i) {
    held_ += piece[i];
    size_t begin = 0;
    while (!may_begin_call(std::string_view(held_).substr(begin))) ++begin;
    reasoning.append(held_, 0, begin);
    held_.erase(0, begin);
    if (held_.ends_with(kFunction)) {
      held_ += piece.substr(i + 1);
      return true;
    }
  }
  return false;
}

// The reader gets no stop strings: they are looked for behind the parser, in what is no call.
AnswerStream::AnswerStream(const TextModel& model, const text::ToolSchemas& schemas,
                           AnswerOptions options)
    : reader_(model, {}, options.in_reasoning, options.may_think),
      part_(options.may_think ? model.think_begin().value_or(-1) : -1,
            options.may_think ? model.think_end().value_or(-1) : -1,
            options.may_think && options.in_reasoning),
      parser_(options.tools, schemas),
      stops_(std::move(options.stops)),
      watches_reasoning_(options.tools.format == text::ToolCallFormat::kXml) {}

void AnswerStream::push(int32_t token, std::vector<AnswerEvent>& events) {
  if (stopped()) return;
  part_.accept(token);
  reader_.push(token, pieces_);
  take_pieces(events);
}

void AnswerStream::finish(std::vector<AnswerEvent>& events) {
  if (stopped()) return;
  reader_.finish(pieces_);
  take_pieces(events);
  if (stopped()) return;
  end_reasoning(events);
  parser_.finish(calls_);
  take_calls(events);
  std::string rest = stops_.finish();
  if (!rest.empty()) events.push_back({Kind::kText, -1, std::move(rest)});
}

void AnswerStream::take_pieces(std::vector<AnswerEvent>& events) {
  for (const Piece& piece : std::exchange(pieces_, {})) {
    if (piece.reasoning && !reasoning_ended_) {
      take_reasoning(piece.text, events);
    } else {
      end_reasoning(events);
      take_answer(piece.text, events);
    }
  }
}

void AnswerStream::take_reasoning(std::string_view text, std::vector<AnswerEvent>& events) {
  std::string reasoning;
  if (watches_reasoning_) {
    reasoning_ended_ = forgotten_end_.push(text, reasoning);
  } else {
    reasoning = text;
  }
  if (!reasoning.empty()) events.push_back({Kind::kReasoning, -1, std::move(reasoning)});
  if (reasoning_ended_) take_answer(forgotten_end_.rest(), events);
}

void AnswerStream::end_reasoning(std::vector<AnswerEvent>& events) {
  if (std::exchange(reasoning_ended_, true)) return;
  std::string rest = forgotten_end_.rest();
  if (!rest.empty()) events.push_back({Kind::kReasoning, -1, std::move(rest)});
}

void AnswerStream::take_answer(std::string_view text, std::vector<AnswerEvent>& events) {
  parser_.push(text, calls_);
  take_calls(events);
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
