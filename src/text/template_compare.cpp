// Python's comparisons: equality, order, containment, identity.
#include <cmath>

#include "text/template_filters.h"
#include "text/template_machine.h"

namespace tulou::text::jinja {
namespace {

int sign(bool less_than, bool greater) { return less_than ? -1 : greater ? 1 : 0; }

// An integer against a double, exactly; NaN gives 2.
int compare_mixed(int64_t a, double b) {
  if (std::isnan(b)) return 2;
  if (b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const double whole = std::floor(b);
  const auto integer = static_cast<int64_t>(whole);
  if (a != integer) return a < integer ? -1 : 1;
  return b > whole ? -1 : 0;
}

int compare_unsigned(uint64_t a, const Value& b) {
  if (b.is(Kind::kUnsigned)) return sign(a<b.as_unsigned(), a> b.as_unsigned());
  if (!b.is(Kind::kFloat)) return 1;
  const double other = b.as_real();
  if (std::isnan(other)) return 2;
  if (other >= 18446744073709551616.0) return -1;
  if (other < 9223372036854775808.0) return 1;
  const auto integer = static_cast<uint64_t>(other);
  return sign(a<integer, a> integer);
}

// -1, 0, 1; 2 if a NaN is in it.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is(Kind::kUnsigned)) return compare_unsigned(a.as_unsigned(), b);
  if (b.is(Kind::kUnsigned)) {
    const int other = compare_unsigned(b.as_unsigned(), a);
    return other == 2 ? 2 : -other;
  }
  if (a.is_integral() && b.is_integral())
    return sign(a.as_integer() < b.as_integer(), a.as_integer() > b.as_integer());
  if (a.is_integral()) return compare_mixed(a.as_integer(), b.as_real());
  if (b.is_integral()) {
    const int other = compare_mixed(b.as_integer(), a.as_real());
    return other == 2 ? 2 : -other;
  }
  if (std::isnan(a.as_real()) || std::isnan(b.as_real())) return 2;
  return sign(a.as_real() < b.as_real(), a.as_real() > b.as_real());
}

bool equal_items(Machine& m, const Value& left, const Value& right) {
  const auto& a = left.as<ListNode>().items;
  const auto& b = right.as<ListNode>().items;
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!same(a[i], b[i]) && !equal(m, a[i], b[i])) return false;
  return true;
}

bool equal_dicts(Machine& m, const DictNode& a, const DictNode& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = dict_find(m, b, key);
    if (other == nullptr || (!same(value, *other) && !equal(m, value, *other))) return false;
  }
  return true;
}

bool equal_ranges(const RangeNode& a, const RangeNode& b) {
  return a.size == b.size &&
         (a.size == 0 || (a.start == b.start && (a.size == 1 || a.step == b.step)));
}

bool is_set_view(const Value& value) {
  return value.is(Kind::kView) && value.as<ViewNode>().view != ViewKind::kValues;
}

}  // namespace

bool same(const Value& left, const Value& right) {
  if (left.is_undefined() && right.is_undefined()) return false;  // each access makes its own
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBoolean:
      return left.as_integer() == right.as_integer();
    case Kind::kFunction:
      return left.as_integer() == right.as_integer();
    case Kind::kInteger:
    case Kind::kUnsigned:
    case Kind::kFloat:
    case Kind::kString:
      return false;  // unknowable; callers compare by value next
    default:
      return left.node() == right.node();
  }
}

bool equal(Machine& m, const Value& left, const Value& right) {
  m.step();
  const Machine::Deeper deeper(m);
  if (left.is_undefined() || right.is_undefined())
    return left.is_undefined() && right.is_undefined();
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == 0;
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kString:
      m.work(left.text().size() == right.text().size() ? left.text().size() : 0);
      return left.text() == right.text();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(m, left, right);
    case Kind::kDict:
      return equal_dicts(m, left.as<DictNode>(), right.as<DictNode>());
    case Kind::kRange:
      return equal_ranges(left.as<RangeNode>(), right.as<RangeNode>());
    case Kind::kView:
      if (is_set_view(left) && is_set_view(right)) m.refuse("comparing views of dicts");
      return left.node() == right.node();
    case Kind::kMethod:
      m.refuse("comparing methods");
    default:
      return same(left, right);
  }
}

namespace {

[[noreturn]] void no_order(Machine& m, const Value& left, const Value& right) {
  if (left.is_undefined()) m.fail_undefined(left);
  if (right.is_undefined()) m.fail_undefined(right);
  if (left.is(Kind::kView) && right.is(Kind::kView)) m.refuse("comparing views of dicts");
  m.fail("values of type " + std::string(type_name(left)) + " and " +
         std::string(type_name(right)) + " have no order");
}

// left < right, or left <= right if `or_equal`.
bool ordered(Machine& m, const Value& left, const Value& right, bool or_equal) {
  m.step();
  const Machine::Deeper deeper(m);
  if (left.is_number() && right.is_number()) {
    const int order = compare_numbers(left, right);
    return order == -1 || (or_equal && order == 0);
  }
  if (left.kind() != right.kind()) no_order(m, left, right);
  if (left.is_string()) {
    m.work(std::min(left.text().size(), right.text().size()));
    const int order = left.text().compare(right.text());
    return order < 0 || (or_equal && order == 0);
  }
  if (!left.is(Kind::kList) && !left.is(Kind::kTuple)) no_order(m, left, right);
  const auto& a = left.as<ListNode>().items;
  const auto& b = right.as<ListNode>().items;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (!same(a[i], b[i]) && !equal(m, a[i], b[i])) return ordered(m, a[i], b[i], or_equal);
  return a.size() < b.size() || (or_equal && a.size() == b.size());
}

}  // namespace

bool less(Machine& m, const Value& left, const Value& right) {
  return ordered(m, left, right, false);
}

bool compare(Machine& m, CompareOp op, const Value& left, const Value& right) {
  switch (op) {
    case CompareOp::kEqual:
      return equal(m, left, right);
    case CompareOp::kNotEqual:
      return !equal(m, left, right);
    case CompareOp::kLess:
      return ordered(m, left, right, false);
    case CompareOp::kLessEqual:
      return ordered(m, left, right, true);
    case CompareOp::kGreater:
      return ordered(m, right, left, false);
    case CompareOp::kGreaterEqual:
      return ordered(m, right, left, true);
    case CompareOp::kIn:
      return contains(m, right, left);
    case CompareOp::kNotIn:
      return !contains(m, right, left);
  }
  return false;
}

bool contains(Machine& m, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (item.is_undefined()) m.fail_undefined(item);
    if (!item.is_string())
      m.fail("'in <string>' needs a string, not " + std::string(type_name(item)));
    m.work(container.text().size());
    return find_text(container.text(), item.text()) != std::string_view::npos;
  }
  if (container.is(Kind::kDict)) return dict_find(m, container.as<DictNode>(), item) != nullptr;
  if (container.is(Kind::kView) && container.as<ViewNode>().view == ViewKind::kKeys)
    return contains(m, container.as<ViewNode>().dict, item);
  if (!iterable(container))
    m.fail("a value of type " + std::string(type_name(container)) + " contains nothing");
  Iterator each(m, container);
  for (Value candidate; each.next(candidate);)
    if (same(candidate, item) || equal(m, candidate, item)) return true;
  return false;
}

}  // namespace tulou::text::jinja
