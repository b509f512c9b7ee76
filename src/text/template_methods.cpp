// Methods of values. The table is everything that can be called on one; what Python has beyond is
// there by name and refused.
#include <algorithm>
#include <array>
#include <cmath>

#include "text/template_filters.h"
#include "text/template_loop.h"
#include "text/template_string_methods.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

using Call = Value (*)(Machine&, const Value&, const Bound&);

struct Method {
  Kind of;
  std::string_view name;
  std::string_view parameters;
  size_t required;
  Call call;  // null: refused
};

Value make_view(Machine& m, const Value& dict, ViewKind kind) {
  Ref<ViewNode> node = make_node<ViewNode>(m.heap());
  node->dict = dict;
  node->view = kind;
  node->depth = static_cast<uint16_t>(dict.node()->depth + 1);
  return Value::object(Kind::kView, std::move(node));
}

Value dict_items(Machine& m, const Value& self, const Bound&) {
  return make_view(m, self, ViewKind::kItems);
}
Value dict_keys(Machine& m, const Value& self, const Bound&) {
  return make_view(m, self, ViewKind::kKeys);
}
Value dict_values(Machine& m, const Value& self, const Bound&) {
  return make_view(m, self, ViewKind::kValues);
}
Value dict_get(Machine& m, const Value& self, const Bound& args) {
  const Value* found = dict_find(m, self.as<DictNode>(), args[0]);
  if (found != nullptr) return *found;
  return args.has(1) ? args[1] : Value::none();
}
Value same_value(Machine&, const Value& self, const Bound&) { return self; }

Value sequence_count(Machine& m, const Value& self, const Bound& args) {
  int64_t count = 0;
  Iterator each(m, self);
  for (Value item; each.next(item);) count += same(item, args[0]) || equal(m, item, args[0]);
  return Value::integer(count);
}

Value sequence_index(Machine& m, const Value& self, const Bound& args) {
  if (args.has(1)) m.refuse("the method 'index' of a list with a range");
  int64_t at = 0;
  Iterator each(m, self);
  for (Value item; each.next(item); ++at)
    if (same(item, args[0]) || equal(m, item, args[0])) return Value::integer(at);
  m.fail("the value is not in the list");
}

Value float_is_integer(Machine&, const Value& self, const Bound&) {
  return Value::boolean(std::isfinite(self.as_real()) &&
                        self.as_real() == std::floor(self.as_real()));
}

Value int_bit_length(Machine&, const Value& self, const Bound&) {
  uint64_t size = self.as_integer() < 0 ? 0 - static_cast<uint64_t>(self.as_integer())
                                        : static_cast<uint64_t>(self.as_integer());
  int64_t bits = 0;
  for (; size != 0; size >>= 1) ++bits;
  return Value::integer(bits);
}

Value loop_cycle(Machine& m, const Value& self, const Bound& args) {
  const auto& items = args.all->positional;
  if (!args.all->named.empty() || items.empty()) m.fail("loop.cycle needs values");
  const int64_t at = self.as<LoopNode>().index0;
  return items[static_cast<size_t>(at) % items.size()];
}
Value loop_has_changed(Machine& m, const Value& self, const Bound& args) {
  if (!args.all->named.empty()) m.fail("loop.changed takes no named arguments");
  return Value::boolean(loop_changed(m, self.as<LoopNode>(), *args.all));
}

Value cycler_next(Machine&, const Value& self, const Bound&) {
  auto& cycler = self.as<CyclerNode>();
  Value item = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return item;
}
Value cycler_reset(Machine&, const Value& self, const Bound&) {
  self.as<CyclerNode>().position = 0;
  return Value::none();
}

constexpr Method kMethods[] = {
    {Kind::kDict, "items", "", 0, dict_items},
    {Kind::kDict, "keys", "", 0, dict_keys},
    {Kind::kDict, "values", "", 0, dict_values},
    {Kind::kDict, "get", "/key,default", 1, dict_get},
    {Kind::kDict, "copy", "", 0, same_value},
    {Kind::kDict, "fromkeys", "*", 0, nullptr},
    {Kind::kList, "count", "/value", 1, sequence_count},
    {Kind::kList, "index", "/value,start,stop", 1, sequence_index},
    {Kind::kList, "copy", "", 0, same_value},
    {Kind::kTuple, "count", "/value", 1, sequence_count},
    {Kind::kTuple, "index", "/value,start,stop", 1, sequence_index},
    {Kind::kRange, "count", "/value", 1, sequence_count},
    {Kind::kRange, "index", "/value", 1, sequence_index},
    {Kind::kView, "isdisjoint", "*", 0, nullptr},
    {Kind::kView, "mapping", "*", 0, nullptr},
    {Kind::kFloat, "is_integer", "", 0, float_is_integer},
    {Kind::kFloat, "hex", "*", 0, nullptr},
    {Kind::kFloat, "conjugate", "", 0, same_value},
    {Kind::kFloat, "real", "*", 0, nullptr},
    {Kind::kFloat, "imag", "*", 0, nullptr},
    {Kind::kFloat, "as_integer_ratio", "*", 0, nullptr},
    {Kind::kFloat, "fromhex", "*", 0, nullptr},
    {Kind::kInteger, "bit_length", "", 0, int_bit_length},
    {Kind::kInteger, "conjugate", "*", 0, nullptr},
    {Kind::kInteger, "real", "*", 0, nullptr},
    {Kind::kInteger, "imag", "*", 0, nullptr},
    {Kind::kInteger, "numerator", "*", 0, nullptr},
    {Kind::kInteger, "denominator", "*", 0, nullptr},
    {Kind::kInteger, "as_integer_ratio", "*", 0, nullptr},
    {Kind::kInteger, "bit_count", "*", 0, nullptr},
    {Kind::kInteger, "to_bytes", "*", 0, nullptr},
    {Kind::kInteger, "from_bytes", "*", 0, nullptr},
    {Kind::kGenerator, "send", "*", 0, nullptr},
    {Kind::kGenerator, "throw", "*", 0, nullptr},
    {Kind::kGenerator, "close", "*", 0, nullptr},
    {Kind::kGenerator, "gi_yieldfrom", "*", 0, nullptr},
    {Kind::kGenerator, "gi_running", "*", 0, nullptr},
    {Kind::kLoop, "cycle", "*", 0, loop_cycle},
    {Kind::kLoop, "changed", "*", 0, loop_has_changed},
    {Kind::kCycler, "next", "", 0, cycler_next},
    {Kind::kCycler, "reset", "", 0, cycler_reset},
    {Kind::kCycler, "items", "*", 0, nullptr},
    {Kind::kCycler, "pos", "*", 0, nullptr},
    {Kind::kJoiner, "sep", "*", 0, nullptr},
    {Kind::kJoiner, "used", "*", 0, nullptr},
};
constexpr uint32_t kStringMethods = 1000;  // numbers of string methods start here

}  // namespace

std::optional<uint32_t> find_method(const Value& object, std::string_view name) {
  if (object.is_string()) {
    const auto found = find_string_method(name);
    if (!found) return std::nullopt;
    return *found + kStringMethods;
  }
  Kind kind = object.kind();
  if (kind == Kind::kBoolean || kind == Kind::kUnsigned) kind = Kind::kInteger;
  for (uint32_t i = 0; i < std::size(kMethods); ++i)
    if (kMethods[i].of == kind && kMethods[i].name == name) return i;
  return std::nullopt;
}

Value call_method(Machine& m, const MethodNode& method, const CallArgs& args) {
  if (method.method >= kStringMethods)
    return call_string_method(m, method.method - kStringMethods, method.self, args);
  const Method& entry = kMethods[method.method];
  if (entry.call == nullptr || method.self.is(Kind::kUnsigned))
    m.refuse("'" + std::string(entry.name) + "' of a value of type " +
             std::string(type_name(method.self)));
  return entry.call(m, method.self,
                    bind_arguments(m, entry.name, entry.parameters, entry.required, args));
}

}  // namespace tulou::text::jinja
