// Attributes, items and slices of values. Nothing but data and a fixed table of methods can be
// reached from here.
#include <algorithm>
#include <array>

#include "text/template_loop.h"
#include "text/template_machine.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

// Methods that would change a value: Jinja's sandbox makes them undefined.
bool changes_value(const Value& object, std::string_view name) {
  static constexpr std::array<std::string_view, 8> kList = {"append", "clear", "pop",    "reverse",
                                                            "insert", "sort",  "extend", "remove"};
  static constexpr std::array<std::string_view, 5> kDict = {"clear", "pop", "popitem", "setdefault",
                                                            "update"};
  if (object.is(Kind::kList)) return std::find(kList.begin(), kList.end(), name) != kList.end();
  if (object.is(Kind::kDict)) return std::find(kDict.begin(), kDict.end(), name) != kDict.end();
  return false;
}

// What every Python object has, and no template may see.
bool is_internal(std::string_view name) {
  static constexpr std::array<std::string_view, 30> kNames = {
      "__class__",        "__contains__",
      "__delattr__",      "__dir__",
      "__doc__",          "__eq__",
      "__format__",       "__ge__",
      "__getattribute__", "__getitem__",
      "__gt__",           "__hash__",
      "__init__",         "__init_subclass__",
      "__iter__",         "__le__",
      "__len__",          "__lt__",
      "__ne__",           "__new__",
      "__reduce__",       "__reduce_ex__",
      "__repr__",         "__setattr__",
      "__sizeof__",       "__str__",
      "__subclasshook__", "__add__",
      "__mul__",          "__dict__"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// An attribute in Python's sense; missing if there is none.
Value python_attribute(Machine& m, const Value& object, std::string_view name) {
  if (is_internal(name)) return Value::undefined(name);
  if (changes_value(object, name)) return Value::undefined(name);
  switch (object.kind()) {
    case Kind::kNamespace: {
      const Value& attributes = object.as<NamespaceNode>().attributes;
      const Value* found = dict_find(m, attributes.as<DictNode>(), name);
      return found != nullptr ? *found : Value();
    }
    case Kind::kLoop:
      return loop_attribute(m, object, name);
    case Kind::kTuple:
      if (object.as<ListNode>().is_group && (name == "grouper" || name == "list"))
        return object.as<ListNode>().items[name == "list" ? 1 : 0];
      break;
    case Kind::kMacro:
      if (name == "name") return m.text(object.as<MacroNode>().stmt->function->name);
      if (name == "arguments" || name == "catch_kwargs" || name == "catch_varargs" ||
          name == "caller" || name == "explicit_caller")
        m.refuse("the attribute '" + std::string(name) + "' of a macro");
      return Value();
    case Kind::kCycler: {
      auto& cycler = object.as<CyclerNode>();
      if (name == "current") return cycler.items[cycler.position];
      break;
    }
    case Kind::kRange: {
      const auto& range = object.as<RangeNode>();
      if (name == "start") return Value::integer(range.start);
      if (name == "stop") return Value::integer(range.stop);
      if (name == "step") return Value::integer(range.step);
      break;
    }
    default:
      break;
  }
  const auto method = find_method(object, name);
  if (!method) return Value();
  Ref<MethodNode> node = make_node<MethodNode>(m.heap());
  node->self = object;
  node->method = *method;
  node->depth = object.node() != nullptr ? static_cast<uint16_t>(object.node()->depth + 1) : 1;
  return Value::object(Kind::kMethod, std::move(node));
}

// The position of an index in a sequence of `size`, or -1.
int64_t position(int64_t index, int64_t size) {
  if (index < 0) index += size;
  return index >= 0 && index < size ? index : -1;
}

// object[key] in Python's sense; missing where Python has a LookupError or a TypeError.
Value python_item(Machine& m, const Value& object, const Value& key) {
  if (object.is(Kind::kDict)) {
    if (key.is(Kind::kList) || key.is(Kind::kDict)) return Value();
    const Value* found = dict_find(m, object.as<DictNode>(), key);
    return found != nullptr ? *found : Value();
  }
  if (!key.is_integral()) return Value();
  const bool sequence = object.is(Kind::kList) || object.is(Kind::kTuple) ||
                        object.is(Kind::kRange) || object.is_string();
  if (!sequence) return Value();
  const int64_t at = position(key.as_integer(), length(m, object));
  if (at < 0) return Value();
  if (object.is(Kind::kRange)) return object.as<RangeNode>().at(at);
  if (!object.is_string()) return object.as<ListNode>().items[static_cast<size_t>(at)];
  const std::string_view text = object.text();
  if (object.ascii()) return object.substring(static_cast<size_t>(at), 1);
  m.work(text.size());
  const size_t begin = offset_of(text, static_cast<size_t>(at));
  size_t size = 0;
  code_point_at(text, begin, size);
  return object.substring(begin, size);
}

}  // namespace

Value get_attribute(Machine& m, const Value& object, std::string_view name) {
  if (object.is_undefined()) m.fail_undefined(object);
  Value found = python_attribute(m, object, name);
  if (!found.is(Kind::kMissing)) return found;
  if (object.is(Kind::kDict)) {
    const Value* item = dict_find(m, object.as<DictNode>(), name);
    if (item != nullptr) return *item;
  }
  return Value::undefined(name);
}

Value get_item(Machine& m, const Value& object, const Value& key) {
  if (object.is_undefined()) m.fail_undefined(object);
  Value found = python_item(m, object, key);
  if (!found.is(Kind::kMissing)) return found;
  if (!key.is_string()) return Value::undefined();
  found = python_attribute(m, object, key.text());
  if (!found.is_undefined()) return found;
  return Value::undefined(key.text(), key.shared());
}

namespace {

struct SliceRange {
  int64_t start, stop, step, count;
};

int64_t clamp_index(int64_t index, int64_t size, int64_t step) {
  if (index < 0) index += size;
  if (index < 0) return step < 0 ? -1 : 0;
  if (index >= size) return step < 0 ? size - 1 : size;
  return index;
}

SliceRange slice_range(Machine& m, const Value parts[3], int64_t size) {
  int64_t numbers[3] = {0, 0, 1};
  for (int i = 0; i < 3; ++i) {
    if (parts[i].is(Kind::kNone) || parts[i].is(Kind::kMissing)) continue;
    numbers[i] = integer_of(m, parts[i], "a part of a slice");
  }
  const auto given = [&](int i) {
    return !parts[i].is(Kind::kNone) && !parts[i].is(Kind::kMissing);
  };
  const int64_t step = numbers[2] == INT64_MIN ? INT64_MIN + 1 : numbers[2];
  if (step == 0) m.fail("the step of a slice is 0");
  const int64_t start = given(0) ? clamp_index(numbers[0], size, step) : step < 0 ? size - 1 : 0;
  const int64_t stop = given(1) ? clamp_index(numbers[1], size, step) : step < 0 ? -1 : size;
  int64_t count = 0;
  if (step > 0 && start < stop) count = (stop - start - 1) / step + 1;
  if (step < 0 && stop < start) count = (start - stop - 1) / -step + 1;
  return {start, stop, step, count};
}

Value slice_text(Machine& m, const Value& object, const SliceRange& range) {
  const std::string_view text = object.text();
  m.work(text.size());
  if (range.step == 1) {
    const auto from = static_cast<size_t>(range.start), count = static_cast<size_t>(range.count);
    if (object.ascii()) return object.substring(from, count);
    const size_t begin = offset_of(text, from);
    return object.substring(begin, offset_of(text.substr(begin), count));
  }
  std::vector<uint32_t> starts;  // of code points
  for (size_t at = 0, size = 0; !object.ascii() && at < text.size(); at += size) {
    if (starts.size() > m.options().budget.max_memory_bytes / 8)
      m.exhausted("bytes of values", static_cast<int64_t>(m.options().budget.max_memory_bytes));
    starts.push_back(static_cast<uint32_t>(at));
    code_point_at(text, at, size);
  }
  TextBuilder out(m.heap());
  for (int64_t i = 0, at = range.start; i < range.count; ++i, at += range.step) {
    m.step();
    const size_t begin = object.ascii() ? static_cast<size_t>(at) : starts[static_cast<size_t>(at)];
    size_t size = 0;
    code_point_at(text, begin, size);
    out.append(object.substring(begin, size));
  }
  return out.finish();
}

}  // namespace

Value get_slice(Machine& m, const Value& object, const Value& start, const Value& stop,
                const Value& step) {
  if (object.is_undefined()) m.fail_undefined(object);
  const bool sequence = object.is(Kind::kList) || object.is(Kind::kTuple) ||
                        object.is(Kind::kRange) || object.is_string();
  if (!sequence) m.fail("a value of type " + std::string(type_name(object)) + " cannot be sliced");
  const Value parts[3] = {start, stop, step};
  const SliceRange range = slice_range(m, parts, length(m, object));
  if (object.is_string()) return slice_text(m, object, range).with_markup(object.markup());
  if (object.is(Kind::kRange)) {
    const auto& from = object.as<RangeNode>();
    Ref<RangeNode> node = make_node<RangeNode>(m.heap());
    node->start = from.start + range.start * from.step;
    node->size = range.count;
    if (__builtin_mul_overflow(from.step, range.step, &node->step))
      m.refuse("an integer of more than 64 bits");
    node->stop = from.start + range.stop * from.step;
    return Value::object(Kind::kRange, std::move(node));
  }
  Ref<ListNode> out = m.new_list();
  const auto& items = object.as<ListNode>().items;
  m.step(range.count);
  for (int64_t i = 0, at = range.start; i < range.count; ++i, at += range.step)
    out->push(items[static_cast<size_t>(at)]);
  return m.list(std::move(out), object.kind()).with_origin(object.origin());
}

bool set_namespace(Machine& m, const Value& object, std::string_view name, Value value) {
  if (!object.is(Kind::kNamespace)) return false;
  if (name.starts_with('_'))
    m.fail("the name of a namespace's attribute starts with an underscore");
  auto& attributes = object.as<NamespaceNode>().attributes.as<DictNode>();
  dict_set(m, attributes, Value::string(name, Origin::kTemplate, is_ascii(name)), std::move(value));
  return true;
}

}  // namespace tulou::text::jinja
