// The Hermes form of tool calls; see tool_call_reader.h.
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "text/tool_call_parser.h"
#include "text/tool_call_reader.h"

namespace tulou::text {

namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// A byte that may stand in JSON outside of strings and brackets.
bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' ||
         c == '.' || c == ',' || c == ':' || is_space(c);
}

// Control characters that models write raw into strings.
bool is_tolerated(char c) { return c == '\n' || c == '\t' || c == '\r'; }

// Null if it is not JSON, or not of this program's kind (base::parse_json).
base::Json parsed(std::string_view text) {
  try {
    return base::parse_json(text, "tool call");
  } catch (const base::Error&) {
    return nullptr;
  }
}

}  // namespace

CallReader::Status JsonCallReader::push(char c) {
  switch (state_) {
    case State::kBegin:
      if (c == '{') state_ = State::kKey;
      return c == '{' || is_space(c) ? Status::kMore : Status::kBroken;
    case State::kKey:
      return step_key(c);
    case State::kKeyText:
    case State::kText:
      return step_text(c);
    case State::kColon:
      if (c == ':') state_ = State::kValue;
      return c == ':' || is_space(c) ? Status::kMore : Status::kBroken;
    case State::kValue:
      return step_value(c);
    case State::kNull:
      token_ += c;
      if (!std::string_view("null").starts_with(token_)) return Status::kBroken;
      if (token_.size() == 4) {
        arguments_ = "{}";
        state_ = State::kNext;
      }
      return Status::kMore;
    case State::kObject:
      return step_object(c);
    case State::kNext:
      if (c == '}') return end_call();
      if (c == ',') state_ = State::kKey;
      return c == ',' || is_space(c) ? Status::kMore : Status::kBroken;
  }
  return Status::kBroken;
}

CallReader::Status JsonCallReader::step_key(char c) {
  if (is_space(c)) return Status::kMore;
  if (c != '"') return Status::kBroken;
  token_ = c;
  escaped_ = false;
  state_ = State::kKeyText;
  return Status::kMore;
}

CallReader::Status JsonCallReader::step_value(char c) {
  if (is_space(c)) return Status::kMore;
  token_ = c;
  escaped_ = false;
  const bool is_arguments = member_ == Member::kArguments;
  if (c == '"') {
    state_ = State::kText;
  } else if (is_arguments && c == '{') {
    arguments_ = c;
    nesting_ = c;
    in_string_ = false;
    state_ = State::kObject;
    announce();
  } else if (is_arguments && c == 'n') {
    state_ = State::kNull;
  } else {
    return Status::kBroken;
  }
  return Status::kMore;
}

// A key, the name, or arguments that are written as a string.
CallReader::Status JsonCallReader::step_text(char c) {
  if (is_tolerated(c)) {
    append_json_escaped(token_, c);
    escaped_ = false;
    return Status::kMore;
  }
  token_ += c;
  if (c != '"' || escaped_) {
    escaped_ = c == '\\' && !escaped_;
    return Status::kMore;
  }
  return end_text();
}

CallReader::Status JsonCallReader::end_text() {
  const base::Json value = parsed(token_);
  if (!value.is_string()) return Status::kBroken;
  const std::string text = value.get<std::string>();
  if (state_ == State::kKeyText) {
    const bool is_name = text == "name";
    if (is_name ? !found_name_.empty() : text != "arguments" || has_arguments_)
      return Status::kBroken;
    member_ = is_name ? Member::kName : Member::kArguments;
    has_arguments_ |= !is_name;
    state_ = State::kColon;
    return Status::kMore;
  }
  state_ = State::kNext;
  if (member_ == Member::kName) return end_name(text);
  if (!parsed(text).is_object()) return Status::kBroken;
  arguments_ = text;
  return Status::kMore;
}

CallReader::Status JsonCallReader::end_name(std::string name) {
  if (!is_tool_name(name) || !schemas_.allows(name)) return Status::kBroken;
  found_name_ = std::move(name);
  if (has_arguments_) announce();
  return Status::kMore;
}

void JsonCallReader::announce() { name_ = found_name_; }

// Inside the arguments. Whether they are JSON is checked as a whole at their end; what can be seen
// at once breaks the call early.
CallReader::Status JsonCallReader::step_object(char c) {
  if (in_string_) return step_object_text(c);
  if (c == '"') {
    in_string_ = true;
    escaped_ = false;
  } else if (c == '{' || c == '[') {
    if (nesting_.size() == base::kMaxJsonDepth) return Status::kBroken;
    nesting_ += c;
  } else if (c == '}' || c == ']') {
    if (nesting_.back() != (c == '}' ? '{' : '[')) return Status::kBroken;
    nesting_.pop_back();
  } else if (!is_plain(c)) {
    return Status::kBroken;
  }
  if (!nesting_.empty()) {
    arguments_ += c;
    return Status::kMore;
  }
  if (!parsed(arguments_ + c).is_object()) return Status::kBroken;
  arguments_ += c;
  state_ = State::kNext;
  return Status::kMore;
}

CallReader::Status JsonCallReader::step_object_text(char c) {
  if (is_tolerated(c)) {
    if (escaped_) return Status::kBroken;
    append_json_escaped(arguments_, c);
    return Status::kMore;
  }
  if (static_cast<unsigned char>(c) < 0x20) return Status::kBroken;
  if (c == '"' && !escaped_) in_string_ = false;
  escaped_ = c == '\\' && !escaped_;
  arguments_ += c;
  return Status::kMore;
}

CallReader::Status JsonCallReader::end_call() {
  if (found_name_.empty()) return Status::kBroken;
  if (arguments_.empty()) arguments_ = "{}";
  announce();
  return Status::kDone;
}

}  // namespace tulou::text
