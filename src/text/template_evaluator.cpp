// Expressions.
#include "text/template_evaluator.h"

#include "text/template_filters.h"
#include "text/template_loop.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

namespace {

// A literal that cannot be sliced.
bool is_literal(const Expr& expr) {
  return expr.kind == ExprKind::kNone || expr.kind == ExprKind::kInteger ||
         expr.kind == ExprKind::kFloat || expr.kind == ExprKind::kBoolean;
}

}  // namespace

Evaluator::Evaluator(Machine& m, const Template& source, Output& output)
    : m_(m),
      template_(source),
      output_(output),
      frame_(make_node<ActivationNode>(m.heap(), source.num_slots)) {}

Value& Evaluator::slot(VariableRef ref) {
  ActivationNode* activation = frame_.get();
  for (uint32_t i = 0; i < ref.hops; ++i)
    activation = static_cast<ActivationNode*>(activation->outer.get());
  return activation->slots[ref.slot];
}

Value Evaluator::eval_name(const Expr& expr) {
  const Value& value = slot(expr.variable);
  return value.is(Kind::kMissing) ? Value::undefined(expr.text) : value;
}

Value Evaluator::eval(const Expr& expr) {
  m_.at(expr.offset);
  m_.step();
  switch (expr.kind) {
    case ExprKind::kText:
    case ExprKind::kString:
      return Value::string(expr.text, Origin::kTemplate, expr.ascii);
    case ExprKind::kInteger:
      return Value::integer(expr.integer);
    case ExprKind::kFloat:
      return Value::real(expr.number);
    case ExprKind::kBoolean:
      return Value::boolean(expr.integer != 0);
    case ExprKind::kNone:
      return Value::none();
    case ExprKind::kName:
      return eval_name(expr);
    default:
      break;
  }
  const Machine::Deeper deeper(m_);
  return eval_composed(expr);
}

Value Evaluator::eval_composed(const Expr& expr) {
  const auto child = [&](size_t i) { return eval(*expr.children[i]); };
  switch (expr.kind) {
    case ExprKind::kTuple:
    case ExprKind::kList:
      return eval_sequence(expr);
    case ExprKind::kDict:
      return eval_dict(expr);
    case ExprKind::kAttribute: {
      const Value object = child(0);
      m_.at(expr.offset);
      return get_attribute(m_, object, expr.text);
    }
    case ExprKind::kItem: {
      const Value object = child(0), key = child(1);
      m_.at(expr.offset);
      return get_item(m_, object, key);
    }
    case ExprKind::kSlice: {
      const Value object = child(0);
      Value parts[3];
      for (size_t i = 0; i < 3; ++i)
        if (expr.children[i + 1]) parts[i] = child(i + 1);
      m_.at(expr.offset);
      // Jinja folds a slice of a literal beforehand, where a failure makes it undefined.
      if (is_literal(*expr.children[0])) return Value::undefined();
      return get_slice(m_, object, parts[0], parts[1], parts[2]);
    }
    case ExprKind::kCall:
      return eval_call(expr, nullptr);
    case ExprKind::kFilter:
      return eval_filter(expr, nullptr);
    case ExprKind::kTest: {
      const Value value = child(0);
      const CallArgs args = eval_arguments(expr.arguments.get(), nullptr);
      m_.at(expr.offset);
      return Value::boolean(call_test(m_, expr.text, value, args));
    }
    case ExprKind::kConditional:
      if (truthy(child(1))) return child(0);
      return expr.children[2] ? child(2) : Value::undefined();
    case ExprKind::kOr: {
      Value left = child(0);
      return truthy(left) ? left : child(1);
    }
    case ExprKind::kAnd: {
      Value left = child(0);
      return truthy(left) ? child(1) : left;
    }
    case ExprKind::kNot:
      return Value::boolean(!truthy(child(0)));
    case ExprKind::kNegative:
    case ExprKind::kPositive: {
      const Value value = child(0);
      m_.at(expr.offset);
      return negate(m_, expr.kind, value);
    }
    case ExprKind::kConcat:
      return eval_concat(expr);
    case ExprKind::kCompare:
      return eval_compare(expr);
    default: {
      const Value left = child(0), right = child(1);
      m_.at(expr.offset);
      return arithmetic(m_, expr.kind, left, right);
    }
  }
}

Value Evaluator::eval_sequence(const Expr& expr) {
  Ref<ListNode> items = m_.new_list();
  for (const ExprPtr& child : expr.children) items->push(eval(*child));
  return m_.list(std::move(items), expr.kind == ExprKind::kTuple ? Kind::kTuple : Kind::kList);
}

Value Evaluator::eval_dict(const Expr& expr) {
  Ref<DictNode> dict = m_.new_dict();
  for (size_t i = 0; i < expr.children.size(); i += 2) {
    const Value key = eval(*expr.children[i]);
    Value value = eval(*expr.children[i + 1]);
    m_.at(expr.offset);
    dict_set(m_, *dict, key, std::move(value));
  }
  return m_.dict(std::move(dict));
}

Value Evaluator::eval_concat(const Expr& expr) {
  std::vector<Value> parts;
  for (const ExprPtr& child : expr.children) parts.push_back(eval(*child));
  m_.at(expr.offset);
  TextBuilder out(m_.heap());
  for (const Value& part : parts) append_string(m_, out, part);
  return out.finish();
}

Value Evaluator::eval_compare(const Expr& expr) {
  Value left = eval(*expr.children[0]);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = eval(*expr.children[i + 1]);
    m_.at(expr.offset);
    if (!compare(m_, expr.operators[i], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

CallArgs Evaluator::eval_arguments(const Arguments* arguments, const Value* caller) {
  CallArgs out;
  if (arguments != nullptr) {
    for (const ExprPtr& value : arguments->positional) out.positional.push_back(eval(*value));
    for (const auto& [name, value] : arguments->named) out.named.emplace_back(name, eval(*value));
    if (caller != nullptr) out.named.emplace_back("caller", *caller);
    if (arguments->star) {
      const Value star = eval(*arguments->star);
      Iterator each(m_, star);
      for (Value item; each.next(item);) {
        if (out.positional.size() >= kMaxSpread) m_.exhausted("arguments", kMaxSpread);
        out.positional.push_back(std::move(item));
      }
    }
    if (arguments->star_star) {
      const Value star = eval(*arguments->star_star);
      if (star.is_undefined()) m_.fail_undefined(star);
      if (!star.is(Kind::kDict)) m_.fail("** needs a mapping");
      if (star.as<DictNode>().entries.size() > kMaxSpread) m_.exhausted("arguments", kMaxSpread);
      for (const auto& [key, value] : star.as<DictNode>().entries) {
        if (!key.is_string()) m_.fail("the names of arguments must be strings");
        for (const auto& [other, given] : out.named)
          if (other == key.text()) m_.fail("the argument '" + other + "' is given twice");
        m_.step(static_cast<int64_t>(out.named.size() / 16 + 1));
        out.named.emplace_back(std::string(key.text()), value);
      }
    }
  }
  return out;
}

// `caller`: the body of a call block, passed along by name.
Value Evaluator::eval_call(const Expr& expr, const Value* caller) {
  const Value callee = eval(*expr.children[0]);
  CallArgs args = eval_arguments(expr.arguments.get(), caller);
  m_.at(expr.offset);
  return call(callee, std::move(args));
}

Value Evaluator::call_joiner(const Value& value, const CallArgs& args) {
  if (!args.positional.empty() || !args.named.empty()) m_.fail("a joiner takes no arguments");
  auto& joiner = value.as<JoinerNode>();
  if (joiner.used) return joiner.separator;
  joiner.used = true;
  return Value::string("", Origin::kTemplate, true);
}

Value Evaluator::call(const Value& callee, CallArgs args) {
  switch (callee.kind()) {
    case Kind::kMacro:
      return call_macro(callee.as<MacroNode>(), std::move(args));
    case Kind::kMethod: {
      const Value keep = callee;
      return call_method(m_, keep.as<MethodNode>(), args);
    }
    case Kind::kFunction:
      return call_function(m_, static_cast<uint32_t>(callee.as_integer()), args);
    case Kind::kJoiner:
      return call_joiner(callee, args);
    case Kind::kLoop:
      m_.fail("a loop that is not recursive was called");
    default:
      break;
  }
  if (callee.is_undefined()) m_.fail_undefined(callee);
  m_.fail("a value of type " + std::string(type_name(callee)) + " cannot be called");
}

// `input`: the text of a filter block, which the innermost filter of the chain gets.
Value Evaluator::eval_filter(const Expr& expr, const Value* input) {
  Value value;
  if (expr.children[0] == nullptr) {
    value = *input;
  } else if (input != nullptr && expr.children[0]->kind == ExprKind::kFilter) {
    const Machine::Deeper deeper(m_);
    value = eval_filter(*expr.children[0], input);
  } else {
    value = eval(*expr.children[0]);
  }
  const CallArgs args = eval_arguments(expr.arguments.get(), nullptr);
  m_.at(expr.offset);
  return call_filter(m_, expr.text, value, args);
}

}  // namespace tulou::text::jinja
