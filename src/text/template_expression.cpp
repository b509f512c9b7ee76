// Expressions of a template, by descent in Jinja's order of precedence.
#include <algorithm>

#include "base/error.h"
#include "text/template_parser.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

ExprPtr Parser::make(ExprKind kind, uint32_t offset) {
  if (++nodes_ > kMaxNodes) {
    const auto [line, column] = position_of(template_.source, offset);
    throw base::Error("template.too_large", template_.name, line, column, "number of nodes",
                      kMaxNodes);
  }
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->offset = offset;
  return node;
}

ExprPtr Parser::make(ExprKind kind, uint32_t offset, ExprPtr first, ExprPtr second) {
  ExprPtr node = make(kind, offset);
  adopt(*node, std::move(first));
  if (second) adopt(*node, std::move(second));
  return node;
}

void Parser::grow(Expr& parent, const Expr& child) {
  parent.height = std::max<uint16_t>(parent.height, static_cast<uint16_t>(child.height + 1));
  if (parent.height > kMaxHeight) {
    const auto [line, column] = position_of(template_.source, parent.offset);
    throw base::Error("template.too_large", template_.name, line, column, "chain of operators",
                      kMaxHeight);
  }
}

void Parser::adopt(Expr& parent, ExprPtr child) {
  if (child) grow(parent, *child);
  parent.children.push_back(std::move(child));
}

void Parser::adopt(Expr& parent, std::unique_ptr<Arguments> arguments) {
  for (const ExprPtr& value : arguments->positional) grow(parent, *value);
  for (const auto& [name, value] : arguments->named) grow(parent, *value);
  if (arguments->star) grow(parent, *arguments->star);
  if (arguments->star_star) grow(parent, *arguments->star_star);
  parent.arguments = std::move(arguments);
}

// One expression, or a tuple of several. `simplified`: only names and literals, as in targets.
ExprPtr Parser::parse_tuple(bool simplified, bool with_conditional, std::string_view end_word,
                            bool in_parentheses, bool with_namespace) {
  const uint32_t offset = current_.offset;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_operator(",");
    if (current_.kind == TokenKind::kVariableEnd || current_.kind == TokenKind::kBlockEnd ||
        current_.is_operator(")") || (!end_word.empty() && current_.is_name(end_word)))
      break;
    items.push_back(simplified ? parse_primary(with_namespace)
                               : parse_expression(with_conditional));
    if (!current_.is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!in_parentheses) unexpected("an expression");
  }
  ExprPtr tuple = make(ExprKind::kTuple, offset);
  for (ExprPtr& item : items) adopt(*tuple, std::move(item));
  return tuple;
}

ExprPtr Parser::parse_expression(bool with_conditional) {
  Nested nested(*this);
  return with_conditional ? parse_conditional() : parse_or();
}

ExprPtr Parser::parse_conditional() {
  uint32_t offset = current_.offset;
  ExprPtr value = parse_or();
  while (skip_name("if")) {
    ExprPtr condition = parse_or();
    ExprPtr otherwise;
    if (skip_name("else")) otherwise = parse_expression();
    value = make(ExprKind::kConditional, offset, std::move(value), std::move(condition));
    adopt(*value, std::move(otherwise));
    offset = current_.offset;
  }
  return value;
}

ExprPtr Parser::parse_or() {
  ExprPtr left = parse_and();
  while (current_.is_name("or")) {
    const uint32_t offset = take().offset;
    left = make(ExprKind::kOr, offset, std::move(left), parse_and());
  }
  return left;
}

ExprPtr Parser::parse_and() {
  ExprPtr left = parse_not();
  while (current_.is_name("and")) {
    const uint32_t offset = take().offset;
    left = make(ExprKind::kAnd, offset, std::move(left), parse_not());
  }
  return left;
}

ExprPtr Parser::parse_not() {
  if (!current_.is_name("not")) return parse_compare();
  Nested nested(*this);
  const uint32_t offset = take().offset;
  return make(ExprKind::kNot, offset, parse_not());
}

ExprPtr Parser::parse_compare() {
  static constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},
      {"<", CompareOp::kLess},    {"<=", CompareOp::kLessEqual},
      {">", CompareOp::kGreater}, {">=", CompareOp::kGreaterEqual}};
  const uint32_t offset = current_.offset;
  ExprPtr left = parse_sum();
  ExprPtr compare;
  while (true) {
    std::optional<CompareOp> found;
    if (current_.kind == TokenKind::kOperator) {
      for (const auto& [text, op] : kOperators)
        if (current_.text == text) found = op;
    } else if (current_.is_name("in")) {
      found = CompareOp::kIn;
    } else if (current_.is_name("not") && look().is_name("in")) {
      take();
      found = CompareOp::kNotIn;
    }
    if (!found) break;
    if (!compare) compare = make(ExprKind::kCompare, offset, std::move(left));
    take();
    compare->operators.push_back(*found);
    adopt(*compare, parse_sum());
  }
  return compare ? std::move(compare) : std::move(left);
}

ExprPtr Parser::parse_sum() {
  ExprPtr left = parse_concat();
  while (current_.is_operator("+") || current_.is_operator("-")) {
    const Token token = take();
    left = make(token.text == "+" ? ExprKind::kAdd : ExprKind::kSubtract, token.offset,
                std::move(left), parse_concat());
  }
  return left;
}

ExprPtr Parser::parse_concat() {
  const uint32_t offset = current_.offset;
  ExprPtr first = parse_product();
  if (!current_.is_operator("~")) return first;
  ExprPtr concat = make(ExprKind::kConcat, offset, std::move(first));
  while (skip_operator("~")) adopt(*concat, parse_product());
  return concat;
}

ExprPtr Parser::parse_product() {
  static constexpr std::pair<std::string_view, ExprKind> kOperators[] = {
      {"*", ExprKind::kMultiply},
      {"/", ExprKind::kDivide},
      {"//", ExprKind::kFloorDivide},
      {"%", ExprKind::kModulo}};
  ExprPtr left = parse_power();
  while (current_.kind == TokenKind::kOperator) {
    const auto found =
        std::find_if(std::begin(kOperators), std::end(kOperators),
                     [&](const auto& entry) { return entry.first == current_.text; });
    if (found == std::end(kOperators)) break;
    const uint32_t offset = take().offset;
    left = make(found->second, offset, std::move(left), parse_power());
  }
  return left;
}

ExprPtr Parser::parse_power() {
  ExprPtr left = parse_unary(true);
  while (current_.is_operator("**")) {
    const uint32_t offset = take().offset;
    left = make(ExprKind::kPower, offset, std::move(left), parse_unary(true));
  }
  return left;
}

ExprPtr Parser::parse_unary(bool with_filter) {
  ExprPtr node;
  if (current_.is_operator("-") || current_.is_operator("+")) {
    Nested nested(*this);
    const Token token = take();
    node = make(token.text == "-" ? ExprKind::kNegative : ExprKind::kPositive, token.offset,
                parse_unary(false));
  } else {
    node = parse_primary(false);
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filters_and_tests(std::move(node)) : std::move(node);
}

ExprPtr Parser::parse_name(bool with_namespace) {
  const Token token = take();
  if (token.text == "true" || token.text == "True" || token.text == "false" ||
      token.text == "False") {
    ExprPtr node = make(ExprKind::kBoolean, token.offset);
    node->integer = token.text[0] == 't' || token.text[0] == 'T';
    return node;
  }
  if (token.text == "none" || token.text == "None") return make(ExprKind::kNone, token.offset);
  if (with_namespace && skip_operator(".")) {
    ExprPtr node = make(ExprKind::kNamespaceRef, token.offset);
    node->text = token.text;
    node->text2 = expect(TokenKind::kName, "a name").text;
    return node;
  }
  ExprPtr node = make(ExprKind::kName, token.offset);
  node->text = token.text;
  return node;
}

ExprPtr Parser::parse_strings() {
  ExprPtr node = make(ExprKind::kString, current_.offset);
  while (current_.kind == TokenKind::kString) node->text += take().value;
  node->ascii = is_ascii(node->text);
  return node;
}

ExprPtr Parser::parse_primary(bool with_namespace) {
  const uint32_t offset = current_.offset;
  switch (current_.kind) {
    case TokenKind::kName:
      return parse_name(with_namespace);
    case TokenKind::kString:
      return parse_strings();
    case TokenKind::kInteger: {
      ExprPtr node = make(ExprKind::kInteger, offset);
      node->integer = take().integer;
      return node;
    }
    case TokenKind::kFloat: {
      ExprPtr node = make(ExprKind::kFloat, offset);
      node->number = take().number;
      return node;
    }
    default:
      break;
  }
  if (current_.is_operator("[")) return parse_list();
  if (current_.is_operator("{")) return parse_dict();
  if (!skip_operator("(")) unexpected("an expression");
  Nested nested(*this);
  ExprPtr node = parse_tuple(false, true, "", true, false);
  expect_operator(")");
  return node;
}

ExprPtr Parser::parse_list() {
  Nested nested(*this);
  ExprPtr list = make(ExprKind::kList, take().offset);
  while (!current_.is_operator("]")) {
    if (!list->children.empty()) expect_operator(",");
    if (current_.is_operator("]")) break;
    adopt(*list, parse_expression());
  }
  take();
  return list;
}

ExprPtr Parser::parse_dict() {
  Nested nested(*this);
  ExprPtr dict = make(ExprKind::kDict, take().offset);
  while (!current_.is_operator("}")) {
    if (!dict->children.empty()) expect_operator(",");
    if (current_.is_operator("}")) break;
    adopt(*dict, parse_expression());
    expect_operator(":");
    adopt(*dict, parse_expression());
  }
  take();
  return dict;
}

ExprPtr Parser::parse_postfix(ExprPtr node) {
  while (true) {
    if (current_.is_operator(".") || current_.is_operator("[")) {
      node = parse_subscript(std::move(node));
    } else if (current_.is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::parse_filters_and_tests(ExprPtr node) {
  while (true) {
    if (current_.is_operator("|")) {
      node = parse_filter(std::move(node), false);
    } else if (current_.is_name("is")) {
      node = parse_test(std::move(node));
    } else if (current_.is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::parse_subscript(ExprPtr node) {
  const Token token = take();
  if (token.text == "[") return parse_subscribed(std::move(node));
  if (current_.kind == TokenKind::kName) {
    node = make(ExprKind::kAttribute, token.offset, std::move(node));
    node->text = take().text;
    return node;
  }
  const uint32_t offset = current_.offset;
  const Token index = expect(TokenKind::kInteger, "a name or a number");
  ExprPtr value = make(ExprKind::kInteger, offset);
  value->integer = index.integer;
  return make(ExprKind::kItem, token.offset, std::move(node), std::move(value));
}

ExprPtr Parser::parse_subscribed(ExprPtr object) {
  const uint32_t offset = current_.offset;
  if (current_.is_operator("]")) unexpected("an index");
  ExprPtr parts[3];
  int colons = 0;
  while (!current_.is_operator("]")) {
    if (current_.is_operator(",")) lexer_.refuse(current_.offset, "an index of several parts");
    if (skip_operator(":")) {
      if (++colons > 2) unexpected("']'");
      continue;
    }
    if (parts[colons]) unexpected("']'");
    parts[colons] = parse_expression();
  }
  take();
  if (colons == 0) return make(ExprKind::kItem, offset, std::move(object), std::move(parts[0]));
  ExprPtr slice = make(ExprKind::kSlice, offset, std::move(object));
  for (ExprPtr& part : parts) adopt(*slice, std::move(part));
  return slice;
}

void Parser::parse_argument(Arguments& arguments, uint32_t offset) {
  const bool plain = !arguments.star && !arguments.star_star;
  if (skip_operator("*")) {
    if (!plain) lexer_.fail(offset, "misplaced * in the arguments of a call");
    arguments.star = parse_expression();
  } else if (skip_operator("**")) {
    if (arguments.star_star) lexer_.fail(offset, "misplaced ** in the arguments of a call");
    arguments.star_star = parse_expression();
  } else if (current_.kind == TokenKind::kName && look().is_operator("=")) {
    if (arguments.star_star) lexer_.fail(offset, "a named argument follows **");
    std::string name(take().text);
    take();
    for (const auto& [other, value] : arguments.named)
      if (other == name) lexer_.fail(offset, "the argument '" + name + "' stands twice");
    arguments.named.emplace_back(std::move(name), parse_expression());
  } else {
    if (!plain || !arguments.named.empty())
      lexer_.fail(offset, "a plain argument follows a named one");
    arguments.positional.push_back(parse_expression());
  }
}

std::unique_ptr<Arguments> Parser::parse_arguments() {
  auto arguments = std::make_unique<Arguments>();
  const uint32_t offset = current_.offset;
  expect_operator("(");
  bool first = true;
  while (!current_.is_operator(")")) {
    if (!first) {
      expect_operator(",");
      if (current_.is_operator(")")) break;
    }
    first = false;
    parse_argument(*arguments, offset);
  }
  take();
  return arguments;
}

ExprPtr Parser::parse_call(ExprPtr node) {
  ExprPtr call = make(ExprKind::kCall, current_.offset, std::move(node));
  adopt(*call, parse_arguments());
  return call;
}

std::string Parser::parse_dotted_name() {
  std::string name(expect(TokenKind::kName, "a name").text);
  while (skip_operator(".")) {
    name += '.';
    name += expect(TokenKind::kName, "a name").text;
  }
  return name;
}

// `node` null: the filter of a filter block or of a set block.
ExprPtr Parser::parse_filter(ExprPtr node, bool start_inline) {
  while (start_inline || current_.is_operator("|")) {
    if (!start_inline) take();
    start_inline = false;
    ExprPtr filter = make(ExprKind::kFilter, current_.offset);
    filter->text = parse_dotted_name();
    adopt(*filter, std::move(node));
    if (current_.is_operator("(")) adopt(*filter, parse_arguments());
    node = std::move(filter);
  }
  return node;
}

bool Parser::starts_test_argument() {
  switch (current_.kind) {
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return true;
    case TokenKind::kOperator:
      return current_.text == "[" || current_.text == "{";
    case TokenKind::kName:
      if (current_.text == "is") lexer_.fail(current_.offset, "tests with 'is' cannot be chained");
      return current_.text != "else" && current_.text != "or" && current_.text != "and";
    default:
      return false;
  }
}

ExprPtr Parser::parse_test(ExprPtr node) {
  const uint32_t offset = take().offset;
  const bool negated = skip_name("not");
  ExprPtr test = make(ExprKind::kTest, offset);
  test->text = parse_dotted_name();
  adopt(*test, std::move(node));
  if (current_.is_operator("(")) {
    adopt(*test, parse_arguments());
  } else if (starts_test_argument()) {
    auto arguments = std::make_unique<Arguments>();
    arguments->positional.push_back(parse_postfix(parse_primary(false)));
    adopt(*test, std::move(arguments));
  }
  return negated ? make(ExprKind::kNot, offset, std::move(test)) : std::move(test);
}

}  // namespace tulou::text::jinja
