// What one rendering shares: the budget, the place in the template for errors, the variables, and
// the operations of Python on values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/template.h"
#include "text/template_ast.h"
#include "text/template_value.h"

namespace tulou::text::jinja {

inline constexpr int kMaxValueDepth = 100;     // containers inside each other
inline constexpr int kMaxEvalDepth = 1'000;    // of the interpreter's own recursion
inline constexpr size_t kMaxSpread = 10'000;   // arguments given by *list
inline constexpr int64_t kMaxRange = 100'000;  // as Jinja's sandbox allows

// The variables of one running function. Macros made in it keep it alive.
struct ActivationNode : Node {
  Ref<Node> outer;    // the activation the function was made in
  bool kept = false;  // until the rendering ends, as a macro refers to it
  std::vector<Value> slots;
  ActivationNode(Heap& the_heap, size_t num_slots)
      : Node(the_heap, sizeof(ActivationNode) + num_slots * sizeof(Value)), slots(num_slots) {}
};

struct MacroNode : Node {
  const Stmt* stmt = nullptr;
  Ref<Node> scope;  // an ActivationNode
  explicit MacroNode(Heap& the_heap) : Node(the_heap, sizeof(MacroNode)) {}
};

// Evaluated arguments of a call.
struct CallArgs {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Machine {
 public:
  Machine(const Template& source, const RenderOptions& options);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Budget. A step is about 50 ns of work.
  void step(int64_t count = 1) {
    steps_left_ -= count;
    if (steps_left_ < 0) exhausted("steps", options_.budget.max_steps);
  }
  void work(size_t bytes) { step(1 + static_cast<int64_t>(bytes / 64)); }
  Heap& heap() { return heap_; }
  const RenderOptions& options() const { return options_; }
  [[noreturn]] void exhausted(std::string_view what, int64_t limit) const;

  // Errors, at the place that is being evaluated.
  void at(uint32_t offset) { offset_ = offset; }
  uint32_t offset() const { return offset_; }
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void refuse(const std::string& what) const;
  [[noreturn]] void raise(const std::string& message) const;
  // The value is undefined and what is done with it needs one.
  [[noreturn]] void fail_undefined(const Value& value) const;

  // Variables.
  void set_context(const base::Json& context);
  Value resolve(std::string_view name) const;
  void keep(Ref<ActivationNode> activation) { activations_.push_back(std::move(activation)); }

  // Making values.
  Value text(std::string_view from, Origin origin = Origin::kTemplate);  // copies
  Value list(Ref<ListNode> node, Kind kind = Kind::kList);
  Value tuple(const Value& first, const Value& second);
  Value dict(Ref<DictNode> node, Kind kind = Kind::kDict);
  // Takes what is in the list, which is empty afterwards.
  Value generator(const Ref<ListNode>& items);
  Value make_namespace(Value attributes);
  Ref<ListNode> new_list() { return make_node<ListNode>(heap_); }
  Ref<DictNode> new_dict() { return make_node<DictNode>(heap_); }

  // Depth of the interpreter's recursion.
  struct Deeper {
    explicit Deeper(Machine& machine) : depth(machine.depth_) {
      if (++depth > kMaxEvalDepth) {
        --depth;
        machine.exhausted("levels of recursion", kMaxEvalDepth);
      }
    }
    ~Deeper() { --depth; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    int& depth;
  };
  int macro_depth = 0;

 private:
  Value from_json(const base::Json& json, Origin origin, int depth);
  void check_depth(const Node& node) const;

  const Template& template_;
  const RenderOptions& options_;
  Heap heap_;
  Heap context_heap_;
  int64_t steps_left_;
  uint32_t offset_ = 0;
  int depth_ = 0;
  std::vector<std::pair<std::string, Value>> variables_;
  std::vector<Ref<ActivationNode>> activations_;  // those that macros refer to
  std::vector<Ref<NamespaceNode>> namespaces_;
};

// Python's operations (template_operators.cpp, template_compare.cpp, template_print.cpp).
bool truthy(const Value& value);
int64_t length(Machine& m, const Value& value);
bool equal(Machine& m, const Value& left, const Value& right);
bool less(Machine& m, const Value& left, const Value& right);  // errors for types without order
bool compare(Machine& m, CompareOp op, const Value& left, const Value& right);
bool contains(Machine& m, const Value& container, const Value& item);
Value arithmetic(Machine& m, ExprKind op, const Value& left, const Value& right);
Value negate(Machine& m, ExprKind op, const Value& value);
Value repeat(Machine& m, const Value& sequence, int64_t count);
// The integer of an integral value; a failure naming `what` for others.
int64_t integer_of(Machine& m, const Value& value, std::string_view what);
double real_of(const Value& number);
std::string_view type_name(const Value& value);
bool same(const Value& left, const Value& right);  // Python's `is`

// Texts (template_print.cpp).
Value to_string(Machine& m, const Value& value);  // str()
void append_string(Machine& m, TextBuilder& out, const Value& value);
void append_repr(Machine& m, TextBuilder& out, const Value& value);
std::string float_repr(double value);
std::string number_text(const Value& number);  // of bool, integers, float: as str() gives it
struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level; absent: all in one line
  std::string item_separator = ", ", key_separator = ": ";
};
Value to_json(Machine& m, const Value& value, const JsonStyle& style);

// Dicts (template_dict.cpp).
uint64_t hash_value(Machine& m, const Value& key);  // a failure for lists and dicts
const Value* dict_find(Machine& m, const DictNode& dict, const Value& key);
const Value* dict_find(Machine& m, const DictNode& dict, std::string_view key);
void dict_set(Machine& m, DictNode& dict, const Value& key, Value value);

// Attributes and items (template_attributes.cpp).
Value get_attribute(Machine& m, const Value& object, std::string_view name);
Value get_item(Machine& m, const Value& object, const Value& key);
Value get_slice(Machine& m, const Value& object, const Value& start, const Value& stop,
                const Value& step);
bool set_namespace(Machine& m, const Value& object, std::string_view name, Value value);

// Walks over what Python can iterate; a failure for the rest.
class Iterator {
 public:
  Iterator(Machine& m, const Value& value);
  bool next(Value& out);

 private:
  Machine& m_;
  Value value_;
  size_t at_ = 0;
};
bool iterable(const Value& value);
// All items, as list(value) has them.
Ref<ListNode> to_list(Machine& m, const Value& value);

// Calls by name (template_filters.cpp, template_tests.cpp, template_methods.cpp,
// template_functions.cpp).
Value call_filter(Machine& m, std::string_view name, const Value& value, const CallArgs& args);
bool call_test(Machine& m, std::string_view name, const Value& value, const CallArgs& args);
std::optional<uint32_t> find_method(const Value& object, std::string_view name);
Value call_method(Machine& m, const MethodNode& method, const CallArgs& args);
std::optional<uint32_t> find_function(std::string_view name);
Value call_function(Machine& m, uint32_t function, const CallArgs& args);

}  // namespace tulou::text::jinja
