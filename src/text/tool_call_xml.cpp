// The XML form of tool calls; see tool_call_reader.h.
#include <algorithm>
#include <utility>

#include "text/tool_call_parser.h"
#include "text/tool_call_reader.h"

namespace tulou::text {

namespace {

constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";
constexpr std::string_view kCallEnd = "</tool_call>";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

std::string_view without_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n\t\r"), text.size()));
  return text;
}

bool contains(const std::vector<std::string>& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

XmlCallReader::XmlCallReader(const ToolSchemas& schemas, bool in_function)
    : schemas_(schemas), state_(in_function ? State::kName : State::kBegin) {}

CallReader::Status XmlCallReader::push(char c) {
  todo_ += c;
  Status status = Status::kMore;
  while (!todo_.empty() && status == Status::kMore) {
    const char next = todo_.front();
    todo_.erase(0, 1);
    status = step(next);
  }
  if (status == Status::kDone) leftover_ = std::exchange(todo_, {});
  return status;
}

CallReader::Status XmlCallReader::step(char c) {
  switch (state_) {
    case State::kBegin:
    case State::kBody:
      return step_tag(c);
    case State::kName:
    case State::kKey:
      if (c == '>') return state_ == State::kName ? begin_function() : begin_parameter();
      key_ += c;
      return key_.size() <= kMaxToolNameBytes ? Status::kMore : Status::kBroken;
    case State::kValue:
      step_value(c);
      return state_ == State::kDone ? Status::kDone : Status::kMore;
    case State::kDone:
      break;
  }
  return Status::kBroken;
}

// Between parameters: white space and tags.
CallReader::Status XmlCallReader::step_tag(char c) {
  if (held_.empty() && is_space(c)) return Status::kMore;
  held_ += c;
  const bool in_body = state_ == State::kBody;
  if (!in_body && held_ == kFunction) {
    state_ = State::kName;
  } else if (in_body && held_ == kParameter) {
    state_ = State::kKey;
  } else if (in_body && held_ == kFunctionEnd) {
    end_arguments();
    return Status::kDone;
  } else {
    const bool fits = in_body ? kParameter.starts_with(held_) || kFunctionEnd.starts_with(held_)
                              : kFunction.starts_with(held_);
    if (fits) return Status::kMore;
    held_.pop_back();
    leftover_ = std::exchange(held_, {});
    return Status::kBroken;
  }
  held_.clear();
  return Status::kMore;
}

CallReader::Status XmlCallReader::begin_function() {
  if (!is_tool_name(key_) || !schemas_.allows(key_)) return Status::kBroken;
  name_ = std::exchange(key_, {});
  parameters_ = schemas_.parameters(name_);
  state_ = State::kBody;
  return Status::kMore;
}

CallReader::Status XmlCallReader::begin_parameter() {
  if (key_.empty() || contains(keys_, key_)) return Status::kBroken;
  types_ = 0;
  if (parameters_) {
    const auto found = parameters_->find(key_);
    if (found != parameters_->end()) types_ = found->second;
  }
  arguments_ += keys_.empty() ? "{\"" : ", \"";
  for (const char c : key_) append_json_escaped(arguments_, c);
  arguments_ += types_ == kJsonString ? "\": \"" : "\": ";
  keys_.push_back(std::exchange(key_, {}));
  at_value_begin_ = true;
  state_ = State::kValue;
  return Status::kMore;
}

// One newline after the opening tag and one before the closing tag do not belong to the value.
void XmlCallReader::step_value(char c) {
  if (std::exchange(at_value_begin_, false) && c == '\n') return;
  if (held_.empty() && c != '\n' && c != '<') return add_value_byte(c);
  held_ += c;
  const Tag tag = find_value_end();
  if (tag == Tag::kMore) return;
  if (tag != Tag::kNone) return end_value(tag);
  add_value_byte(held_.front());
  todo_.insert(0, held_, 1);
  held_.clear();
}

// What the text that is held back is. Every byte may stand in a value, also "</parameter>": it ends
// only where what follows says so too.
XmlCallReader::Tag XmlCallReader::find_value_end() const {
  std::string_view text = held_;
  if (text.front() == '\n') text.remove_prefix(1);
  const auto after = [](std::string_view all, std::string_view tag) {
    return without_spaces(all.substr(tag.size()));
  };
  // A newline alone, the beginning of a tag, or one with nothing but white space behind it.
  const auto undecided = [](std::string_view part, std::string_view tag) {
    return part.size() < tag.size() && tag.starts_with(part);
  };
  if (held_.size() > 4 * kMaxSeamBytes + kMaxToolNameBytes) return Tag::kNone;
  if (undecided(text, kParameterEnd) || undecided(text, kFunctionEnd)) return Tag::kMore;
  if (text.starts_with(kParameterEnd)) {
    const std::string_view next = after(text, kParameterEnd);
    if (next.starts_with(kParameter)) return Tag::kParameter;
    if (next.starts_with(kFunctionEnd)) return Tag::kFunctionEnd;
    return undecided(next, kParameter) || undecided(next, kFunctionEnd) ? Tag::kMore : Tag::kNone;
  }
  if (text.starts_with(kFunctionEnd)) {
    const std::string_view next = after(text, kFunctionEnd);
    if (next.starts_with(kCallEnd)) return Tag::kCallEnd;
    return undecided(next, kCallEnd) ? Tag::kMore : Tag::kNone;
  }
  return find_known_parameter(text);
}

// The next parameter without the end of this one: only one that the tool has and that is still
// missing is taken for that.
XmlCallReader::Tag XmlCallReader::find_known_parameter(std::string_view text) const {
  if (!parameters_) return Tag::kNone;
  if (text.size() < kParameter.size())
    return kParameter.starts_with(text) ? Tag::kMore : Tag::kNone;
  if (!text.starts_with(kParameter)) return Tag::kNone;
  const std::string_view rest = text.substr(kParameter.size());
  if (!rest.ends_with('>')) {
    const bool may_be_name = rest.find_first_of("\n<") == std::string_view::npos;
    return may_be_name && rest.size() <= kMaxToolNameBytes ? Tag::kMore : Tag::kNone;
  }
  const std::string_view key = rest.substr(0, rest.size() - 1);
  const bool known = parameters_->contains(key) && !contains(keys_, key);
  return known ? Tag::kKnownParameter : Tag::kNone;
}

void XmlCallReader::end_value(Tag tag) {
  const std::string held = std::exchange(held_, {});
  if (types_ == kJsonString) {
    arguments_ += '"';
  } else {
    arguments_ += argument_json(std::exchange(value_, {}), types_);
  }
  if (tag == Tag::kParameter) {
    state_ = State::kKey;
  } else if (tag == Tag::kKnownParameter) {
    state_ = State::kKey;
    todo_.insert(0, held, held.find(kParameter) + kParameter.size());
  } else {
    end_arguments();
    if (tag == Tag::kCallEnd) todo_.insert(0, kCallEnd);
  }
}

void XmlCallReader::add_value_byte(char c) {
  if (types_ == kJsonString) {
    append_json_escaped(arguments_, c);
  } else {
    value_ += c;
  }
}

void XmlCallReader::end_arguments() {
  arguments_ += keys_.empty() ? "{}" : "}";
  state_ = State::kDone;
}

}  // namespace tulou::text
