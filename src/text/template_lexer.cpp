// Template text, directives, comments and raw blocks: everything outside of tags.
#include "text/template_lexer.h"

#include <array>

#include "base/error.h"
#include "text/template_ast.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

std::pair<int, int> position_of(std::string_view source, uint32_t offset) {
  int line = 1, column = 1;
  for (size_t at = 0, length = 0; at < offset && at < source.size(); at += length) {
    const uint32_t c = code_point_at(source, at, length);
    column = c == '\n' ? 1 : column + 1;
    line += c == '\n';
  }
  return {line, column};
}

std::string normalize_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t at = 0; at < source.size(); ++at) {
    if (source[at] != '\r') {
      out += source[at];
      continue;
    }
    out += '\n';
    if (at + 1 < source.size() && source[at + 1] == '\n') ++at;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

void Lexer::fail(uint32_t offset, const std::string& what) const {
  const auto [line, column] = position_of(source_, offset);
  throw base::Error("template.syntax", name_, line, column, what);
}

void Lexer::refuse(uint32_t offset, const std::string& what) const {
  const auto [line, column] = position_of(source_, offset);
  throw base::Error("template.unsupported", name_, line, column, what);
}

Token Lexer::make(TokenKind kind, size_t begin, size_t end) const {
  Token token;
  token.kind = kind;
  token.offset = static_cast<uint32_t>(begin);
  token.text = source_.substr(begin, end - begin);
  return token;
}

Token Lexer::next() {
  Token token;
  token.offset = static_cast<uint32_t>(source_.size());
  while (at_ < source_.size())
    if (state_ == State::kRoot ? next_in_root(token) : next_in_tag(token)) return token;
  return token;
}

size_t Lexer::skip_space(size_t at) const {
  size_t length = 0;
  while (at < source_.size() && is_space(code_point_at(source_, at, length))) at += length;
  return at;
}

// The end of the text before a directive at `begin`: without trailing whitespace after "-", without
// the indentation of the directive's own line where that applies.
size_t Lexer::stripped_end(size_t from, size_t begin, char sign, bool lstrip) const {
  if (sign != '-' && (sign == '+' || !lstrip)) return begin;
  size_t end = begin;
  while (end > from) {
    const size_t start = previous_start(source_, end);
    size_t length = 0;
    const uint32_t c = code_point_at(source_, start, length);
    if (!is_space(c)) break;
    if (sign != '-' && c == '\n') return end;
    end = start;
  }
  if (sign == '-') return end;
  return end == from && line_starting_ ? end : begin;
}

// Text up to the next directive, then the directive's opening. False if nothing came of it.
bool Lexer::next_in_root(Token& token) {
  size_t begin = at_;
  while (begin + 1 < source_.size() &&
         !(source_[begin] == '{' &&
           (source_[begin + 1] == '{' || source_[begin + 1] == '%' || source_[begin + 1] == '#')))
    ++begin;
  if (begin + 1 >= source_.size()) {
    token = make(TokenKind::kData, at_, source_.size());
    at_ = source_.size();
    return true;
  }
  const char sign = begin + 2 < source_.size() ? source_[begin + 2] : ' ';
  const size_t end = stripped_end(at_, begin, sign, source_[begin + 1] != '{');
  if (end > at_) {
    token = make(TokenKind::kData, at_, end);
    at_ = begin;
    line_starting_ = false;  // the text in front was already judged
    return true;
  }
  return open_directive(begin, token);
}

bool Lexer::open_directive(size_t begin, Token& token) {
  const char type = source_[begin + 1];
  size_t after = begin + 2;
  const char sign = after < source_.size() ? source_[after] : ' ';
  if (sign == '-' || sign == '+') ++after;
  if (type == '#') {
    at_ = after;
    skip_comment(begin);
    return false;
  }
  if (type == '%') {
    const size_t word = skip_space(after);
    if (source_.substr(word, 3) == "raw" && raw_block(begin, word + 3, sign, token))
      return !token.text.empty();
  }
  token = make(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, begin, after);
  state_ = type == '{' ? State::kVariable : State::kBlock;
  brackets_.clear();
  at_ = after;
  return true;
}

// If `close` (after an optional - or +) stands at `at`: the offset behind it and what it swallows.
// Else npos.
size_t Lexer::block_end(size_t at, std::string_view close) const {
  const bool minus = at < source_.size() && source_[at] == '-';
  const bool plus = at < source_.size() && source_[at] == '+';
  if (minus || plus) ++at;
  if (source_.substr(at, 2) != close) return std::string_view::npos;
  at += 2;
  if (minus) return skip_space(at);
  if (!plus && at < source_.size() && source_[at] == '\n') ++at;
  return at;
}

void Lexer::skip_comment(size_t begin) {
  for (size_t at = at_; at + 1 < source_.size(); ++at) {
    const size_t end = block_end(at, "#}");
    if (end == std::string_view::npos) continue;
    at_ = end;
    line_starting_ = source_[end - 1] == '\n';
    return;
  }
  fail(static_cast<uint32_t>(begin), "a comment is not closed");
}

// A raw block, if this tag is one: its content becomes a data token.
bool Lexer::raw_block(size_t begin, size_t after, char, Token& token) {
  const size_t close = skip_space(after);
  const bool minus = close < source_.size() && source_[close] == '-';
  if (source_.substr(close + (minus ? 1 : 0), 2) != "%}") return false;
  size_t content = close + (minus ? 1 : 0) + 2;
  if (minus) content = skip_space(content);
  line_starting_ = source_[content - 1] == '\n';
  for (size_t at = content; (at = source_.find("{%", at)) != std::string_view::npos; ++at) {
    size_t word = at + 2;
    const char sign = word < source_.size() ? source_[word] : ' ';
    if (sign == '-' || sign == '+') ++word;
    word = skip_space(word);
    if (source_.substr(word, 6) != "endraw") continue;
    const size_t end = block_end(skip_space(word + 6), "%}");
    if (end == std::string_view::npos) continue;
    token = make(TokenKind::kData, content, stripped_end(content, at, sign, true));
    at_ = end;
    line_starting_ = source_[end - 1] == '\n';
    return true;
  }
  fail(static_cast<uint32_t>(begin), "a raw block is not closed");
}

}  // namespace tulou::text::jinja
