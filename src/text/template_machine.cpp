// Budget, errors and variables of one rendering.
#include "text/template_machine.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_value.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

Machine::Machine(const Template& source, const RenderOptions& options)
    : template_(source),
      options_(options),
      heap_(options.budget.max_memory_bytes),
      context_heap_(SIZE_MAX),
      steps_left_(options.budget.max_steps) {
  const auto exhausted_heap = [](void* self) {
    const Machine& machine = *static_cast<const Machine*>(self);
    machine.exhausted("bytes of values",
                      static_cast<int64_t>(machine.options_.budget.max_memory_bytes));
  };
  heap_.on_exhausted = exhausted_heap;
  heap_.owner = this;
  context_heap_.on_exhausted = exhausted_heap;
  context_heap_.owner = this;
}

// Macros and namespaces can refer to each other in circles; this cuts them.
Machine::~Machine() {
  for (const auto& activation : activations_) activation->slots.clear();
  for (const auto& space : namespaces_) space->attributes = Value();
}

void Machine::exhausted(std::string_view what, int64_t limit) const {
  const auto [line, column] = position_of(template_.source, offset_);
  throw base::Error("template.budget", template_.name, line, column, limit, what);
}

void Machine::fail(const std::string& what) const {
  const auto [line, column] = position_of(template_.source, offset_);
  throw base::Error("template.failed", template_.name, line, column, what);
}

void Machine::refuse(const std::string& what) const {
  const auto [line, column] = position_of(template_.source, offset_);
  throw base::Error("template.unsupported", template_.name, line, column, what);
}

void Machine::raise(const std::string& message) const {
  const auto [line, column] = position_of(template_.source, offset_);
  throw base::Error("template.raised", template_.name, line, column, message);
}

void Machine::fail_undefined(const Value& value) const {
  if (value.text().empty()) fail("a value is undefined");
  fail("'" + std::string(value.text()) + "' is undefined");
}

void Machine::set_context(const base::Json& context) {
  const auto add = [this](const std::string& name, Value value) {
    variables_.emplace_back(name, std::move(value));
  };
  if (context.is_object()) {
    for (const auto& [name, value] : context.items()) {
      const bool trusted = std::find(options_.trusted.begin(), options_.trusted.end(), name) !=
                           options_.trusted.end();
      add(name, from_json(value, trusted ? Origin::kTemplate : Origin::kData, 1));
    }
  }
  const auto absent = [this](std::string_view name) {
    return std::none_of(variables_.begin(), variables_.end(),
                        [&](const auto& entry) { return entry.first == name; });
  };
  if (absent("messages")) add("messages", list(new_list()));
  if (absent("tools")) add("tools", Value::none());
  if (absent("documents")) add("documents", Value::none());
  if (absent("add_generation_prompt")) add("add_generation_prompt", Value::boolean(false));
}

Value Machine::from_json(const base::Json& json, Origin origin, int depth) {
  if (depth > kMaxValueDepth) exhausted("levels of nesting in the variables", kMaxValueDepth);
  switch (json.type()) {
    case base::Json::value_t::string: {
      const std::string& text = json.get_ref<const std::string&>();
      if (text.size() > UINT32_MAX) exhausted("bytes of a string", UINT32_MAX);
      return Value::string(text, origin, is_ascii(text));
    }
    case base::Json::value_t::boolean:
      return Value::boolean(json.get<bool>()).with_origin(origin);
    case base::Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>()).with_origin(origin);
    case base::Json::value_t::number_unsigned:
      return Value::unsigned_integer(json.get<uint64_t>()).with_origin(origin);
    case base::Json::value_t::number_float:
      return Value::real(json.get<double>()).with_origin(origin);
    case base::Json::value_t::array: {
      Ref<ListNode> node = make_node<ListNode>(context_heap_);
      for (const base::Json& item : json) node->push(from_json(item, origin, depth + 1));
      return Value::object(Kind::kList, std::move(node)).with_origin(origin);
    }
    case base::Json::value_t::object: {
      Ref<DictNode> node = make_node<DictNode>(context_heap_);
      for (const auto& [name, value] : json.items())
        node->push(Value::string(name, origin, is_ascii(name)),
                   from_json(value, origin, depth + 1));
      return Value::object(Kind::kDict, std::move(node)).with_origin(origin);
    }
    default:
      return Value::none().with_origin(origin);
  }
}

Value Machine::resolve(std::string_view name) const {
  if (name == "self") refuse("the variable 'self'");
  for (const auto& [key, value] : variables_)
    if (key == name) return value;
  if (const auto function = find_function(name)) return Value::function(*function);
  return Value();
}

void Machine::check_depth(const Node& node) const {
  if (node.depth > kMaxValueDepth) exhausted("levels of containers", kMaxValueDepth);
}

Value Machine::text(std::string_view from, Origin origin) {
  TextBuilder out(heap_);
  out.append(from, origin == Origin::kData);
  return out.finish();
}

Value Machine::list(Ref<ListNode> node, Kind kind) {
  check_depth(*node);
  return Value::object(kind, std::move(node));
}

Value Machine::tuple(const Value& first, const Value& second) {
  Ref<ListNode> node = new_list();
  node->push(first);
  node->push(second);
  return list(std::move(node), Kind::kTuple);
}

Value Machine::dict(Ref<DictNode> node, Kind kind) {
  check_depth(*node);
  return Value::object(kind, std::move(node));
}

Value Machine::generator(const Ref<ListNode>& items) {
  Ref<GeneratorNode> node = make_node<GeneratorNode>(heap_);
  check_depth(*items);
  node->charge(items->items.capacity() * sizeof(Value));
  node->items = std::move(items->items);
  node->depth = items->depth;
  return Value::object(Kind::kGenerator, std::move(node));
}

Value Machine::make_namespace(Value attributes) {
  Ref<NamespaceNode> node = make_node<NamespaceNode>(heap_);
  node->attributes = std::move(attributes);
  node->charge(sizeof(Ref<NamespaceNode>) * 4);
  namespaces_.push_back(node);
  return Value::object(Kind::kNamespace, std::move(node));
}

}  // namespace tulou::text::jinja
