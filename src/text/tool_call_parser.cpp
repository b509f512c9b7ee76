// Text, tags and calls in a stream; see tool_call_parser.h.
#include "text/tool_call_parser.h"

#include <algorithm>
#include <utility>

#include "text/tool_call_reader.h"

namespace tulou::text {

namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kFunction = "<function=";

// True for a byte of UTF-8 that does not begin a character.
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

}  // namespace

ToolCallFormat tool_call_format(std::string_view template_source) {
  if (template_source.find(kFunction) != std::string_view::npos) return ToolCallFormat::kXml;
  if (template_source.find(kOpen) != std::string_view::npos) return ToolCallFormat::kHermes;
  return ToolCallFormat::kNone;
}

bool is_tool_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxToolNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7F && std::string_view("<>\"'\\").find(c) == std::string::npos;
  });
}

ToolCallParser::ToolCallParser(ToolCallOptions options, const ToolSchemas& schemas)
    : options_(options), schemas_(&schemas) {}
ToolCallParser::~ToolCallParser() = default;
ToolCallParser::ToolCallParser(ToolCallParser&&) noexcept = default;

void ToolCallParser::push(std::string_view piece, Events& events) {
  if (options_.format == ToolCallFormat::kNone) return add_text(piece, events);
  for (const char c : piece) {
    todo_ += c;
    while (!todo_.empty()) {
      const char next = todo_.front();
      todo_.erase(0, 1);
      step(next, events);
    }
  }
  show_progress(events);
}

void ToolCallParser::finish(Events& events) {
  // A call whose body is complete lacks only its </tool_call>, or a part of it.
  if (state_ == State::kClosing) {
    source_ += std::exchange(held_, {});
    end_call(events);
  } else if (state_ == State::kCall) {
    break_call(events);
  }
  add_text(std::exchange(seam_, {}) + std::exchange(held_, {}), events);
}

void ToolCallParser::step(char c, Events& events) {
  switch (state_) {
    case State::kText:
      return step_text(c, events);
    case State::kCall:
      return step_call(c, events);
    case State::kClosing:
      return step_closing(c, events);
  }
}

void ToolCallParser::step_text(char c, Events& events) {
  if (!held_.empty() || c == '<') {
    held_ += c;
    if (next_index_ < options_.max_calls) {
      const bool xml = options_.format == ToolCallFormat::kXml;
      if (held_ == kOpen || (xml && held_ == kFunction)) return open_call(held_ == kOpen);
      if (kOpen.starts_with(held_) || (xml && kFunction.starts_with(held_))) return;
    }
    held_.pop_back();
    add_text(std::exchange(seam_, {}) + std::exchange(held_, {}), events);
    if (c == '<' && next_index_ < options_.max_calls) {
      held_ = c;
      return;
    }
  }
  if (is_space(c)) {
    if (seam_.size() == kMaxSeamBytes) {
      add_text(std::string_view(seam_).substr(0, 1), events);
      seam_.erase(0, 1);
    }
    seam_ += c;
    return;
  }
  seam_ += c;
  add_text(std::exchange(seam_, {}), events);
}

void ToolCallParser::open_call(bool has_tag) {
  state_ = State::kCall;
  has_tag_ = has_tag;
  announced_ = false;
  shown_bytes_ = 0;
  source_ = std::exchange(seam_, {}) + std::exchange(held_, {});
  if (options_.format == ToolCallFormat::kXml) {
    reader_ = std::make_unique<XmlCallReader>(*schemas_, !has_tag);
  } else {
    reader_ = std::make_unique<JsonCallReader>(*schemas_);
  }
}

void ToolCallParser::step_call(char c, Events& events) {
  const bool full = source_.size() >= options_.max_call_bytes && !continues_character(c);
  const CallReader::Status status = full ? CallReader::Status::kBroken : reader_->push(c);
  source_ += c;
  if (status == CallReader::Status::kMore) return;
  if (status == CallReader::Status::kDone) {
    give_back(reader_->leftover().size());
    state_ = State::kClosing;
    return;
  }
  size_t not_taken = 1;
  while (continues_character(source_[source_.size() - not_taken])) ++not_taken;
  give_back(full ? not_taken : not_taken + reader_->leftover().size());
  break_call(events);
}

// The last bytes of the source are none of it: they are read again.
void ToolCallParser::give_back(size_t bytes) {
  todo_.insert(0, source_, source_.size() - bytes);
  source_.resize(source_.size() - bytes);
}

// The body is complete: white space and </tool_call> may follow, or the next call.
void ToolCallParser::step_closing(char c, Events& events) {
  held_ += c;
  const size_t spaces = std::min(held_.find_first_not_of(" \n\t\r"), held_.size());
  const std::string_view tag = std::string_view(held_).substr(spaces);
  if (spaces <= kMaxSeamBytes) {
    if (tag == kClose) {
      source_ += std::exchange(held_, {});
      return end_call(events);
    }
    const bool next_function = options_.format == ToolCallFormat::kXml && tag == kFunction;
    if (tag != kOpen && !next_function &&
        (kClose.starts_with(tag) || kOpen.starts_with(tag) ||
         (options_.format == ToolCallFormat::kXml && kFunction.starts_with(tag))))
      return;
    if (tag == kOpen || next_function || !has_tag_) {
      end_call(events);
      todo_.insert(0, std::exchange(held_, {}));
      return;
    }
  } else if (!has_tag_) {
    end_call(events);
    todo_.insert(0, std::exchange(held_, {}));
    return;
  }
  held_.pop_back();
  source_ += std::exchange(held_, {});
  break_call(events);
  todo_.insert(0, 1, c);
}

void ToolCallParser::show_progress(Events& events) {
  if (state_ == State::kText || !options_.stream_arguments || reader_->name().empty()) return;
  if (!announced_) {
    events.push_back({Kind::kBegin, next_index_++, reader_->name()});
    announced_ = true;
  }
  const std::string_view arguments = reader_->arguments();
  if (arguments.size() == shown_bytes_) return;
  events.push_back(
      {Kind::kArguments, next_index_ - 1, std::string(arguments.substr(shown_bytes_))});
  shown_bytes_ = arguments.size();
}

void ToolCallParser::end_call(Events& events) {
  show_progress(events);
  if (!announced_) {
    events.push_back({Kind::kBegin, next_index_++, reader_->name()});
    events.push_back({Kind::kArguments, next_index_ - 1, std::string(reader_->arguments())});
  }
  events.push_back({Kind::kEnd, next_index_ - 1, std::exchange(source_, {})});
  ++num_calls_;
  reader_.reset();
  state_ = State::kText;
}

void ToolCallParser::break_call(Events& events) {
  show_progress(events);
  if (announced_) {
    events.push_back({Kind::kBroken, next_index_ - 1, std::exchange(source_, {})});
  } else {
    add_text(std::exchange(source_, {}), events);
  }
  reader_.reset();
  state_ = State::kText;
}

void ToolCallParser::add_text(std::string_view text, Events& events) {
  if (text.empty()) return;
  if (!events.empty() && events.back().kind == Kind::kText) {
    events.back().text += text;
  } else {
    events.push_back({Kind::kText, -1, std::string(text)});
  }
}

}  // namespace tulou::text
