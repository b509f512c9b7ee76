// Template text to syntax tree. Nesting, height and size of the tree are bounded, so that a hostile
// template ends in an error and not in a crash.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/template_ast.h"
#include "text/template_lexer.h"

namespace tulou::text::jinja {

inline constexpr size_t kMaxTemplateBytes = 1u << 20;
inline constexpr int kMaxNesting = 64;    // brackets, blocks and operators inside each other
inline constexpr int kMaxHeight = 400;    // of the tree, which long chains of operators grow too
inline constexpr int kMaxNodes = 50'000;  // of the tree

class Parser {
 public:
  // Parses the template's source; variables are not yet resolved. Errors: template.syntax,
  // template.unsupported, template.too_large.
  static void parse(Template& result);

 private:
  explicit Parser(const Template& result);

  struct Nested {  // counts one level of nesting while it lives
    explicit Nested(Parser& parser);
    ~Nested() { --parser_.nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    Parser& parser_;
  };

  // Tokens.
  const Token& look();  // the token after the current one
  Token take();
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  Token expect(TokenKind kind, std::string_view what);
  void expect_operator(std::string_view text);
  [[noreturn]] void unexpected(std::string_view expected);

  // Statements (template_parser.cpp).
  using Ends = std::vector<std::string_view>;
  Body parse_body(const Ends& ends);
  Body parse_block(const Ends& ends);
  StmtPtr parse_statement();
  StmtPtr parse_set();
  StmtPtr parse_for();
  StmtPtr parse_if();
  StmtPtr parse_macro();
  StmtPtr parse_call_block();
  StmtPtr parse_filter_block();
  StmtPtr parse_with();
  StmtPtr parse_print();
  StmtPtr parse_loop_control();
  StmtPtr parse_generation();
  void parse_signature(Function& function);
  ExprPtr parse_target_name();
  ExprPtr parse_target(bool with_namespace, std::string_view end_word);
  void check_target(const Expr& target, bool with_namespace);
  StmtPtr make_stmt(StmtKind kind, uint32_t offset);

  // Expressions (template_expression.cpp).
  ExprPtr parse_tuple(bool simplified, bool with_conditional, std::string_view end_word,
                      bool in_parentheses, bool with_namespace);
  ExprPtr parse_tuple() { return parse_tuple(false, true, "", false, false); }
  ExprPtr parse_expression(bool with_conditional = true);
  ExprPtr parse_conditional();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_compare();
  ExprPtr parse_sum();
  ExprPtr parse_concat();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_unary(bool with_filter);
  ExprPtr parse_primary(bool with_namespace);
  ExprPtr parse_name(bool with_namespace);
  ExprPtr parse_strings();
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr node);
  ExprPtr parse_filters_and_tests(ExprPtr node);
  ExprPtr parse_subscript(ExprPtr node);
  ExprPtr parse_subscribed(ExprPtr object);
  ExprPtr parse_call(ExprPtr node);
  ExprPtr parse_filter(ExprPtr node, bool start_inline);
  ExprPtr parse_test(ExprPtr node);
  bool starts_test_argument();
  std::string parse_dotted_name();
  std::unique_ptr<Arguments> parse_arguments();
  void parse_argument(Arguments& arguments, uint32_t offset);
  ExprPtr make(ExprKind kind, uint32_t offset);
  ExprPtr make(ExprKind kind, uint32_t offset, ExprPtr first, ExprPtr second = nullptr);
  void adopt(Expr& parent, ExprPtr child);
  void adopt(Expr& parent, std::unique_ptr<Arguments> arguments);
  void grow(Expr& parent, const Expr& child);

  const Template& template_;
  Lexer lexer_;
  Token current_;
  Token ahead_;
  bool has_ahead_ = false;
  int nesting_ = 0;
  int nodes_ = 0;
  int loops_ = 0;  // for loops around, inside of the same function
};

}  // namespace tulou::text::jinja
