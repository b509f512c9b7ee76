// Python's arithmetic on values, and what is true.
#include <cmath>

#include "text/template_filters.h"
#include "text/template_machine.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBoolean:
      return "bool";
    case Kind::kInteger:
    case Kind::kUnsigned:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return "dict view";
    case Kind::kGenerator:
      return "generator";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kMacro:
      return "macro";
    case Kind::kMethod:
    case Kind::kFunction:
      return "function";
    case Kind::kLoop:
      return "loop";
    case Kind::kCycler:
      return "cycler";
    case Kind::kJoiner:
      return "joiner";
  }
  return "";
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBoolean:
    case Kind::kInteger:
    case Kind::kUnsigned:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_real() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.as<ListNode>().items.empty();
    case Kind::kDict:
      return !value.as<DictNode>().entries.empty();
    case Kind::kRange:
      return value.as<RangeNode>().size != 0;
    case Kind::kView:
      return truthy(value.as<ViewNode>().dict);
    default:
      return true;
  }
}

int64_t length(Machine& m, const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      if (value.ascii()) return static_cast<int64_t>(value.text().size());
      m.work(value.text().size());
      return static_cast<int64_t>(count_code_points(value.text()));
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.as<ListNode>().items.size());
    case Kind::kDict:
      return static_cast<int64_t>(value.as<DictNode>().entries.size());
    case Kind::kRange:
      return value.as<RangeNode>().size;
    case Kind::kView:
      return length(m, value.as<ViewNode>().dict);
    default:
      m.fail("a value of type " + std::string(type_name(value)) + " has no length");
  }
}

int64_t integer_of(Machine& m, const Value& value, std::string_view what) {
  if (value.is_integral()) return value.as_integer();
  if (value.is_undefined()) m.fail_undefined(value);
  if (value.is(Kind::kUnsigned)) m.refuse(std::string(what) + " of more than 63 bits");
  m.fail(std::string(what) + " must be an integer, not " + std::string(type_name(value)));
}

double real_of(const Value& number) {
  if (number.is(Kind::kFloat)) return number.as_real();
  if (number.is(Kind::kUnsigned)) return static_cast<double>(number.as_unsigned());
  return static_cast<double>(number.as_integer());
}

namespace {

std::string_view symbol(ExprKind op) {
  switch (op) {
    case ExprKind::kAdd:
      return "+";
    case ExprKind::kSubtract:
      return "-";
    case ExprKind::kMultiply:
      return "*";
    case ExprKind::kDivide:
      return "/";
    case ExprKind::kFloorDivide:
      return "//";
    case ExprKind::kModulo:
      return "%";
    default:
      return "**";
  }
}

[[noreturn]] void bad_operands(Machine& m, ExprKind op, const Value& left, const Value& right) {
  if (left.is_undefined()) m.fail_undefined(left);
  if (right.is_undefined()) m.fail_undefined(right);
  m.fail("'" + std::string(symbol(op)) + "' does not work on " + std::string(type_name(left)) +
         " and " + std::string(type_name(right)));
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

Value integer_power(Machine& m, int64_t base, int64_t exponent) {
  int64_t result = 1;
  bool overflow = false;
  while (exponent > 0) {
    if (exponent & 1) overflow = overflow || __builtin_mul_overflow(result, base, &result);
    exponent >>= 1;
    if (exponent > 0) overflow = overflow || __builtin_mul_overflow(base, base, &base);
    if (overflow) m.refuse("an integer of more than 64 bits");
  }
  return Value::integer(result);
}

Value divide_integers(Machine& m, int64_t a, int64_t b) {
  constexpr int64_t kExact = int64_t{1} << 53;
  if (a > kExact || a < -kExact || b > kExact || b < -kExact)
    m.refuse("a division of integers of more than 53 bits");
  return Value::real(static_cast<double>(a) / static_cast<double>(b));
}

Value integer_arithmetic(Machine& m, ExprKind op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  const bool division =
      op == ExprKind::kDivide || op == ExprKind::kFloorDivide || op == ExprKind::kModulo;
  if (division && b == 0) m.fail("division by zero");
  switch (op) {
    case ExprKind::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case ExprKind::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case ExprKind::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case ExprKind::kDivide:
      return divide_integers(m, a, b);
    case ExprKind::kFloorDivide:
      overflow = b == -1 && a == INT64_MIN;
      if (!overflow) result = floor_divide(a, b);
      break;
    case ExprKind::kModulo:
      if (b != -1) result = a % b;
      if (result != 0 && (result < 0) != (b < 0)) result += b;
      break;
    default:
      if (b >= 0) return integer_power(m, a, b);
      if (a == 0) m.fail("0 to a negative power");
      return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (overflow) m.refuse("an integer of more than 64 bits");
  return Value::integer(result);
}

// The remainder with the sign of the divisor.
double python_modulo(double a, double b) {
  double result = std::fmod(a, b);
  if (result == 0) return std::copysign(0.0, b);
  if ((b < 0) != (result < 0)) result += b;
  return result;
}

double python_floor_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return whole;
}

Value real_arithmetic(Machine& m, ExprKind op, double a, double b) {
  const bool division =
      op == ExprKind::kDivide || op == ExprKind::kFloorDivide || op == ExprKind::kModulo;
  if (division && b == 0) m.fail("division by zero");
  switch (op) {
    case ExprKind::kAdd:
      return Value::real(a + b);
    case ExprKind::kSubtract:
      return Value::real(a - b);
    case ExprKind::kMultiply:
      return Value::real(a * b);
    case ExprKind::kDivide:
      return Value::real(a / b);
    case ExprKind::kFloorDivide:
      return Value::real(python_floor_divide(a, b));
    case ExprKind::kModulo:
      return Value::real(python_modulo(a, b));
    default:
      break;
  }
  if (a == 0 && b < 0) m.fail("0 to a negative power");
  if (a < 0 && std::isfinite(b) && b != std::floor(b)) m.refuse("a complex number");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) m.fail("a result is too large");
  return Value::real(result);
}

Value add_sequences(Machine& m, const Value& left, const Value& right) {
  Ref<ListNode> result = m.new_list();
  for (const Value* side : {&left, &right}) {
    m.step(length(m, *side));
    for (const Value& item : side->as<ListNode>().items) result->push(item);
  }
  return m.list(std::move(result), left.kind());
}

Value add_strings(Machine& m, const Value& left, const Value& right) {
  const bool markup = left.markup() || right.markup();
  const Value a = markup && !left.markup() ? escape_text(m, left) : left;
  const Value b = markup && !right.markup() ? escape_text(m, right) : right;
  m.work(a.text().size() + b.text().size());
  TextBuilder out(m.heap());
  out.append(a);
  out.append(b);
  return out.finish().with_markup(markup);
}

}  // namespace

Value repeat(Machine& m, const Value& sequence, int64_t count) {
  if (sequence.is_string()) {
    TextBuilder out(m.heap());
    for (int64_t i = 0; i < count && !sequence.text().empty(); ++i) {
      m.work(sequence.text().size());
      out.append(sequence);
    }
    return out.finish().with_markup(sequence.markup());
  }
  Ref<ListNode> result = m.new_list();
  const auto& items = sequence.as<ListNode>().items;
  for (int64_t i = 0; i < count && !items.empty(); ++i) {
    m.step(static_cast<int64_t>(items.size()));
    for (const Value& item : items) result->push(item);
  }
  return m.list(std::move(result), sequence.kind());
}

Value arithmetic(Machine& m, ExprKind op, const Value& left, const Value& right) {
  const auto sequence = [](const Value& value) {
    return value.is_string() || value.is(Kind::kList) || value.is(Kind::kTuple);
  };
  if (left.is_number() && right.is_number()) {
    const Origin origin = left.from_data() || right.from_data() ? Origin::kData : Origin::kTemplate;
    if (left.is_integral() && right.is_integral())
      return integer_arithmetic(m, op, left.as_integer(), right.as_integer()).with_origin(origin);
    if (!left.is(Kind::kFloat) && !right.is(Kind::kFloat))
      m.refuse("an integer of more than 64 bits");
    return real_arithmetic(m, op, real_of(left), real_of(right)).with_origin(origin);
  }
  if (op == ExprKind::kModulo && left.is_string()) return percent_format(m, left, right);
  if (op == ExprKind::kAdd && left.is_string() && right.is_string())
    return add_strings(m, left, right);
  if (op == ExprKind::kAdd && left.kind() == right.kind() && sequence(left))
    return add_sequences(m, left, right);
  if (op == ExprKind::kMultiply && sequence(left) && right.is_integral())
    return repeat(m, left, right.as_integer());
  if (op == ExprKind::kMultiply && left.is_integral() && sequence(right))
    return repeat(m, right, left.as_integer());
  bad_operands(m, op, left, right);
}

Value negate(Machine& m, ExprKind op, const Value& value) {
  if (value.is_undefined()) m.fail_undefined(value);
  if (value.is(Kind::kUnsigned)) m.refuse("a sign before an integer of more than 63 bits");
  if (!value.is_number()) m.fail("a sign before a value of type " + std::string(type_name(value)));
  const bool negative = op == ExprKind::kNegative;
  if (value.is(Kind::kFloat))
    return Value::real(negative ? -value.as_real() : value.as_real()).with_origin(value.origin());
  if (negative && value.as_integer() == INT64_MIN) m.refuse("an integer of more than 64 bits");
  return Value::integer(negative ? -value.as_integer() : value.as_integer())
      .with_origin(value.origin());
}

}  // namespace tulou::text::jinja
