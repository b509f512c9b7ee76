// Tests: what stands behind `is`.
#include "text/template_filters.h"
#include "text/template_string_methods.h"

namespace tulou::text::jinja {
namespace {

using Test = bool (*)(Machine& m, const Value& value, const Value& other);

bool is_remainder(Machine& m, const Value& value, const Value& divisor, int64_t wanted) {
  if (value.is_string()) m.fail("a string is neither odd nor even");
  const Value rest = arithmetic(m, ExprKind::kModulo, value, divisor);
  return equal(m, rest, Value::integer(wanted));
}
bool odd(Machine& m, const Value& value, const Value&) {
  return is_remainder(m, value, Value::integer(2), 1);
}
bool even(Machine& m, const Value& value, const Value&) {
  return is_remainder(m, value, Value::integer(2), 0);
}
bool divisible_by(Machine& m, const Value& value, const Value& other) {
  return is_remainder(m, value, other, 0);
}
bool defined(Machine&, const Value& value, const Value&) { return !value.is_undefined(); }
bool undefined(Machine&, const Value& value, const Value&) { return value.is_undefined(); }
bool filter(Machine& m, const Value& value, const Value&) {
  if (value.is(Kind::kList) || value.is(Kind::kDict)) hash_value(m, value);
  return value.is_string() && is_filter(value.text());
}
bool test(Machine& m, const Value& value, const Value&) {
  if (value.is(Kind::kList) || value.is(Kind::kDict)) hash_value(m, value);
  return value.is_string() && is_test(value.text());
}
bool none(Machine&, const Value& value, const Value&) { return value.is(Kind::kNone); }
bool boolean(Machine&, const Value& value, const Value&) { return value.is(Kind::kBoolean); }
bool is_false(Machine&, const Value& value, const Value&) {
  return value.is(Kind::kBoolean) && value.as_integer() == 0;
}
bool is_true(Machine&, const Value& value, const Value&) {
  return value.is(Kind::kBoolean) && value.as_integer() != 0;
}
bool integer(Machine&, const Value& value, const Value&) {
  return value.is(Kind::kInteger) || value.is(Kind::kUnsigned);
}
bool real(Machine&, const Value& value, const Value&) { return value.is(Kind::kFloat); }
bool lower(Machine& m, const Value& value, const Value&) {
  return has_case(m, to_string(m, value), false);
}
bool upper(Machine& m, const Value& value, const Value&) {
  return has_case(m, to_string(m, value), true);
}
bool string(Machine&, const Value& value, const Value&) { return value.is_string(); }
bool mapping(Machine&, const Value& value, const Value&) { return value.is(Kind::kDict); }
bool number(Machine&, const Value& value, const Value&) { return value.is_number(); }
bool sequence(Machine& m, const Value& value, const Value&) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    case Kind::kLoop:
      m.refuse("the test 'sequence' of a loop");
    default:
      return false;
  }
}
bool is_iterable(Machine&, const Value& value, const Value&) {
  return iterable(value) || value.is(Kind::kLoop);
}
bool is_callable(Machine&, const Value& value, const Value&) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kMacro:
    case Kind::kMethod:
    case Kind::kFunction:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}
bool same_as(Machine& m, const Value& value, const Value& other) {
  if (value.kind() == other.kind() &&
      (value.is_string() || value.is(Kind::kInteger) || value.is(Kind::kFloat) ||
       value.is(Kind::kUnsigned) || value.is_undefined() || value.is(Kind::kTuple)))
    m.refuse("the test 'sameas' of two values of this type");
  return same(value, other);
}
bool escaped(Machine&, const Value& value, const Value&) {
  return value.is_string() && value.markup();
}
bool in(Machine& m, const Value& value, const Value& other) { return contains(m, other, value); }

template <CompareOp kOp>
bool compared(Machine& m, const Value& value, const Value& other) {
  return compare(m, kOp, value, other);
}

struct Entry {
  std::string_view name;
  std::string_view parameter;  // empty: none
  Test test;
};

constexpr Entry kEntries[] = {
    {"odd", "", odd},
    {"even", "", even},
    {"divisibleby", "num", divisible_by},
    {"defined", "", defined},
    {"undefined", "", undefined},
    {"filter", "", filter},
    {"test", "", test},
    {"none", "", none},
    {"boolean", "", boolean},
    {"false", "", is_false},
    {"true", "", is_true},
    {"integer", "", integer},
    {"float", "", real},
    {"lower", "", lower},
    {"upper", "", upper},
    {"string", "", string},
    {"mapping", "", mapping},
    {"number", "", number},
    {"sequence", "", sequence},
    {"iterable", "", is_iterable},
    {"callable", "", is_callable},
    {"sameas", "other", same_as},
    {"escaped", "", escaped},
    {"in", "seq", in},
    {"==", "/other", compared<CompareOp::kEqual>},
    {"eq", "/other", compared<CompareOp::kEqual>},
    {"equalto", "/other", compared<CompareOp::kEqual>},
    {"!=", "/other", compared<CompareOp::kNotEqual>},
    {"ne", "/other", compared<CompareOp::kNotEqual>},
    {">", "/other", compared<CompareOp::kGreater>},
    {"gt", "/other", compared<CompareOp::kGreater>},
    {"greaterthan", "/other", compared<CompareOp::kGreater>},
    {"ge", "/other", compared<CompareOp::kGreaterEqual>},
    {">=", "/other", compared<CompareOp::kGreaterEqual>},
    {"<", "/other", compared<CompareOp::kLess>},
    {"lt", "/other", compared<CompareOp::kLess>},
    {"lessthan", "/other", compared<CompareOp::kLess>},
    {"<=", "/other", compared<CompareOp::kLessEqual>},
    {"le", "/other", compared<CompareOp::kLessEqual>},
};

}  // namespace

bool call_test(Machine& m, std::string_view name, const Value& value, const CallArgs& args) {
  m.step();
  const Machine::Deeper deeper(m);
  for (const Entry& entry : kEntries) {
    if (entry.name != name) continue;
    const Bound bound =
        bind_arguments(m, name, entry.parameter, entry.parameter.empty() ? 0 : 1, args);
    return entry.test(m, value, bound[0]);
  }
  m.fail("there is no test '" + std::string(name) + "'");
}

}  // namespace tulou::text::jinja
