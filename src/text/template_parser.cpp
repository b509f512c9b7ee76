// Statements of a template: what stands in {% %}, and the text between.
#include "text/template_parser.h"

#include <algorithm>

#include "base/error.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

Parser::Parser(const Template& result)
    : template_(result), lexer_(result.source, result.name), current_(lexer_.next()) {}

Parser::Nested::Nested(Parser& parser) : parser_(parser) {
  if (++parser.nesting_ > kMaxNesting) {
    const uint32_t offset = parser.current_.offset;
    --parser.nesting_;
    const auto [line, column] = position_of(parser.template_.source, offset);
    throw base::Error("template.too_large", parser.template_.name, line, column, "nesting",
                      kMaxNesting);
  }
}

void Parser::parse(Template& result) {
  if (result.source.size() > kMaxTemplateBytes)
    throw base::Error("template.too_large", result.name, 1, 1, "size in bytes", kMaxTemplateBytes);
  Parser parser(result);
  result.body = parser.parse_body({});
}

const Token& Parser::look() {
  if (!has_ahead_) {
    ahead_ = lexer_.next();
    has_ahead_ = true;
  }
  return ahead_;
}

Token Parser::take() {
  Token token = std::move(current_);
  current_ = has_ahead_ ? std::move(ahead_) : lexer_.next();
  has_ahead_ = false;
  return token;
}

bool Parser::skip_operator(std::string_view text) {
  if (!current_.is_operator(text)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view text) {
  if (!current_.is_name(text)) return false;
  take();
  return true;
}

Token Parser::expect(TokenKind kind, std::string_view what) {
  if (current_.kind != kind) unexpected(what);
  return take();
}

void Parser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) unexpected("'" + std::string(text) + "'");
}

void Parser::unexpected(std::string_view expected) {
  std::string found;
  switch (current_.kind) {
    case TokenKind::kEnd:
      found = "the end of the template";
      break;
    case TokenKind::kVariableEnd:
      found = "the end of the expression";
      break;
    case TokenKind::kBlockEnd:
      found = "the end of the tag";
      break;
    default:
      found = "'" + std::string(current_.text.substr(0, 40)) + "'";
  }
  lexer_.fail(current_.offset, "expected " + std::string(expected) + ", found " + found);
}

StmtPtr Parser::make_stmt(StmtKind kind, uint32_t offset) {
  if (++nodes_ > kMaxNodes) {
    const auto [line, column] = position_of(template_.source, offset);
    throw base::Error("template.too_large", template_.name, line, column, "number of nodes",
                      kMaxNodes);
  }
  auto stmt = std::make_unique<Stmt>();
  stmt->kind = kind;
  stmt->offset = offset;
  return stmt;
}

// Text, outputs and statements until a tag named by one of `ends`, which stays the current token;
// without ends until the end of the template.
Body Parser::parse_body(const Ends& ends) {
  Nested nested(*this);
  Body body;
  const auto output = [&]() -> Stmt& {
    if (body.empty() || body.back()->kind != StmtKind::kOutput)
      body.push_back(make_stmt(StmtKind::kOutput, current_.offset));
    return *body.back();
  };
  while (current_.kind != TokenKind::kEnd) {
    if (current_.kind == TokenKind::kData) {
      ExprPtr text = make(ExprKind::kText, current_.offset);
      text->text = take().text;
      text->ascii = is_ascii(text->text);
      output().exprs.push_back(std::move(text));
    } else if (current_.kind == TokenKind::kVariableBegin) {
      take();
      ExprPtr value = parse_tuple();
      if (current_.kind != TokenKind::kVariableEnd) unexpected("the end of the expression");
      output().exprs.push_back(std::move(value));
      take();
    } else {
      take();  // the opening of a block: there is nothing else outside of tags
      if (current_.kind != TokenKind::kName) unexpected("the name of a tag");
      if (std::find(ends.begin(), ends.end(), current_.text) != ends.end()) return body;
      body.push_back(parse_statement());
      expect(TokenKind::kBlockEnd, "the end of the tag");
    }
  }
  if (!ends.empty()) unexpected("'" + std::string(ends.back()) + "'");
  return body;
}

// The rest of an opening tag, then the statements up to one of `ends`.
Body Parser::parse_block(const Ends& ends) {
  skip_operator(":");
  expect(TokenKind::kBlockEnd, "the end of the tag");
  return parse_body(ends);
}

StmtPtr Parser::parse_statement() {
  const std::string_view name = current_.text;
  if (name == "set") return parse_set();
  if (name == "for") return parse_for();
  if (name == "if") return parse_if();
  if (name == "macro") return parse_macro();
  if (name == "call") return parse_call_block();
  if (name == "filter") return parse_filter_block();
  if (name == "with") return parse_with();
  if (name == "print") return parse_print();
  if (name == "break" || name == "continue") return parse_loop_control();
  if (name == "generation") return parse_generation();
  for (const std::string_view known :
       {"block", "extends", "include", "import", "from", "autoescape"})
    if (name == known) lexer_.refuse(current_.offset, "the tag '" + std::string(name) + "'");
  lexer_.fail(current_.offset, "unknown tag '" + std::string(name) + "'");
}

StmtPtr Parser::parse_set() {
  auto stmt = make_stmt(StmtKind::kSet, take().offset);
  stmt->targets.push_back(parse_target(true, ""));
  if (skip_operator("=")) {
    stmt->exprs.push_back(parse_tuple());
    return stmt;
  }
  stmt->kind = StmtKind::kSetBlock;
  stmt->condition = parse_filter(nullptr, false);
  stmt->body = parse_block({"endset"});
  take();
  return stmt;
}

StmtPtr Parser::parse_for() {
  auto stmt = make_stmt(StmtKind::kFor, take().offset);
  stmt->targets.push_back(parse_target(false, "in"));
  if (!skip_name("in")) unexpected("'in'");
  stmt->exprs.push_back(parse_tuple(false, false, "recursive", false, false));
  if (skip_name("if")) stmt->condition = parse_expression();
  if (current_.is_name("recursive")) lexer_.refuse(current_.offset, "a recursive loop");
  ++loops_;
  stmt->body = parse_block({"endfor", "else"});
  --loops_;
  if (take().text == "else") {
    stmt->otherwise = parse_block({"endfor"});
    take();
  }
  return stmt;
}

StmtPtr Parser::parse_if() {
  auto stmt = make_stmt(StmtKind::kIf, take().offset);
  Stmt* branch = stmt.get();
  while (true) {
    branch->condition = parse_tuple(false, false, "", false, false);
    branch->body = parse_block({"elif", "else", "endif"});
    const Token token = take();
    if (token.text == "elif") {
      stmt->elifs.push_back(make_stmt(StmtKind::kIf, token.offset));
      branch = stmt->elifs.back().get();
      continue;
    }
    if (token.text == "else") {
      stmt->otherwise = parse_block({"endif"});
      take();
    }
    break;
  }
  return stmt;
}

void Parser::parse_signature(Function& function) {
  expect_operator("(");
  while (!current_.is_operator(")")) {
    if (!function.parameters.empty()) expect_operator(",");
    const ExprPtr name = parse_target_name();
    for (const std::string& other : function.parameters)
      if (other == name->text) lexer_.fail(name->offset, "the parameter stands twice");
    function.parameters.push_back(name->text);
    if (skip_operator("=")) {
      function.defaults.push_back(parse_expression());
    } else if (!function.defaults.empty()) {
      lexer_.fail(current_.offset, "a parameter without a default follows one with a default");
    }
  }
  take();
}

StmtPtr Parser::parse_macro() {
  auto stmt = make_stmt(StmtKind::kMacro, take().offset);
  stmt->targets.push_back(parse_target_name());
  stmt->function = std::make_unique<Function>();
  stmt->function->name = stmt->targets[0]->text;
  parse_signature(*stmt->function);
  const int loops = std::exchange(loops_, 0);
  stmt->body = parse_block({"endmacro"});
  loops_ = loops;
  take();
  return stmt;
}

StmtPtr Parser::parse_call_block() {
  auto stmt = make_stmt(StmtKind::kCallBlock, take().offset);
  stmt->function = std::make_unique<Function>();
  stmt->function->name = "caller";
  if (current_.is_operator("(")) parse_signature(*stmt->function);
  stmt->condition = parse_expression();
  if (stmt->condition->kind != ExprKind::kCall)
    lexer_.fail(stmt->condition->offset, "expected a call");
  const int loops = std::exchange(loops_, 0);
  stmt->body = parse_block({"endcall"});
  loops_ = loops;
  take();
  return stmt;
}

// Marks what the model wrote, for training. It has no effect but the scope of its variables.
StmtPtr Parser::parse_generation() {
  auto stmt = make_stmt(StmtKind::kGeneration, take().offset);
  stmt->function = std::make_unique<Function>();
  stmt->function->name = "caller";
  const int loops = std::exchange(loops_, 0);
  stmt->body = parse_block({"endgeneration"});
  loops_ = loops;
  take();
  return stmt;
}

StmtPtr Parser::parse_filter_block() {
  auto stmt = make_stmt(StmtKind::kFilterBlock, take().offset);
  stmt->condition = parse_filter(nullptr, true);
  stmt->body = parse_block({"endfilter"});
  take();
  return stmt;
}

StmtPtr Parser::parse_with() {
  auto stmt = make_stmt(StmtKind::kWith, take().offset);
  while (current_.kind != TokenKind::kBlockEnd) {
    if (!stmt->targets.empty()) expect_operator(",");
    stmt->targets.push_back(parse_target(false, ""));
    expect_operator("=");
    stmt->exprs.push_back(parse_expression());
  }
  stmt->body = parse_block({"endwith"});
  take();
  return stmt;
}

StmtPtr Parser::parse_print() {
  auto stmt = make_stmt(StmtKind::kOutput, take().offset);
  while (current_.kind != TokenKind::kBlockEnd) {
    if (!stmt->exprs.empty()) expect_operator(",");
    stmt->exprs.push_back(parse_expression());
  }
  return stmt;
}

StmtPtr Parser::parse_loop_control() {
  const Token token = take();
  if (loops_ == 0) lexer_.fail(token.offset, "'" + std::string(token.text) + "' outside of a loop");
  return make_stmt(token.text == "break" ? StmtKind::kBreak : StmtKind::kContinue, token.offset);
}

ExprPtr Parser::parse_target_name() {
  const Token token = expect(TokenKind::kName, "a name");
  ExprPtr name = make(ExprKind::kName, token.offset);
  name->text = token.text;
  check_target(*name, false);
  return name;
}

ExprPtr Parser::parse_target(bool with_namespace, std::string_view end_word) {
  ExprPtr target = parse_tuple(true, true, end_word, false, with_namespace);
  check_target(*target, with_namespace);
  return target;
}

void Parser::check_target(const Expr& target, bool with_namespace) {
  static constexpr std::string_view kConstants[] = {"true",  "True", "false",
                                                    "False", "none", "None"};
  const bool constant =
      target.kind == ExprKind::kName &&
      std::find(std::begin(kConstants), std::end(kConstants), target.text) != std::end(kConstants);
  const bool good = target.kind == ExprKind::kName || target.kind == ExprKind::kTuple ||
                    (with_namespace && target.kind == ExprKind::kNamespaceRef);
  if (constant || !good) lexer_.fail(target.offset, "this cannot be assigned to");
  if (target.kind == ExprKind::kTuple)
    for (const ExprPtr& child : target.children) check_target(*child, with_namespace);
}

}  // namespace tulou::text::jinja
