// Cuts a template into tokens, one at a time, with Jinja's rules of whitespace (trim_blocks and
// lstrip_blocks on, as chat templates are written for).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::text::jinja {

enum class TokenKind : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,  // text is the operator
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  uint32_t offset = 0;
  std::string_view text;  // into the source: data, name, operator
  std::string value;      // of a string, unescaped
  int64_t integer = 0;
  double number = 0;

  bool is_name(std::string_view word) const { return kind == TokenKind::kName && text == word; }
  bool is_operator(std::string_view word) const {
    return kind == TokenKind::kOperator && text == word;
  }
};

// Line ends become \n and one final line end is dropped, as Jinja does before anything else.
std::string normalize_source(std::string_view source);

class Lexer {
 public:
  // `source` is normalized and must live as long as the tokens; `name` stands in errors.
  Lexer(std::string_view source, std::string_view name) : source_(source), name_(name) {}

  // The next token; kEnd for ever at the end. Errors: template.syntax, template.unsupported.
  Token next();

  [[noreturn]] void fail(uint32_t offset, const std::string& what) const;
  [[noreturn]] void refuse(uint32_t offset, const std::string& what) const;

 private:
  enum class State : uint8_t { kRoot, kVariable, kBlock };

  bool next_in_root(Token& token);
  bool open_directive(size_t begin, Token& token);
  bool raw_block(size_t begin, size_t after, char sign, Token& token);
  size_t stripped_end(size_t from, size_t begin, char sign, bool lstrip) const;
  void skip_comment(size_t begin);
  size_t skip_space(size_t at) const;
  size_t block_end(size_t at, std::string_view close) const;
  bool next_in_tag(Token& token);
  bool end_of_tag(Token& token);
  bool lex_number(Token& token);
  bool lex_prefixed_integer(Token& token);
  void lex_string(Token& token);
  void lex_operator(Token& token);
  std::string unescape(std::string_view raw, uint32_t offset) const;
  size_t unescape_one(std::string_view raw, size_t at, uint32_t offset, std::string& out) const;
  Token make(TokenKind kind, size_t begin, size_t end) const;

  std::string_view source_;
  std::string_view name_;
  size_t at_ = 0;
  State state_ = State::kRoot;
  bool line_starting_ = true;
  std::vector<char> brackets_;
};

}  // namespace tulou::text::jinja
