// The names of filters and tests that Jinja has, and how built-in calls get their arguments.
#pragma once

#include <array>
#include <string_view>

#include "text/template_machine.h"

namespace tulou::text::jinja {

// True for every name that Jinja knows, supported or not.
bool is_filter(std::string_view name);
bool is_test(std::string_view name);

inline constexpr size_t kMaxParameters = 6;

// Arguments by place; missing ones are Kind::kMissing.
struct Bound {
  std::array<Value, kMaxParameters> values;
  const CallArgs* all = nullptr;
  const Value& operator[](size_t i) const { return values[i]; }
  bool has(size_t i) const { return !values[i].is(Kind::kMissing); }
};

// Puts arguments into the places of `parameters`, such as "old,new,count". A leading "/": they have
// no names for the caller; "*": everything is let through unbound. Unknown or too many: a failure
// naming `what`. The first `required` must be there.
Bound bind_arguments(Machine& m, std::string_view what, std::string_view parameters,
                     size_t required, const CallArgs& args);

struct Builtin {
  std::string_view name;
  std::string_view parameters;
  size_t required;
  Value (*call)(Machine& m, const Value& self, const Bound& args);
};

// Filters of each file.
const Builtin* find_text_filter(std::string_view name);
const Builtin* find_sequence_filter(std::string_view name);

// The value of an attribute path such as "function.name" or 0, as filters take it.
class AttributePath {
 public:
  AttributePath(Machine& m, const Value& path);
  Value get(Machine& m, const Value& item, const Value* fallback = nullptr) const;

 private:
  std::vector<Value> parts_;
};

// A string in lower case, other values as they are.
Value ignore_case(Machine& m, const Value& value);

// The first place of `wanted` from `from` on, or npos, in time linear in both (a naive search takes
// the product for hostile texts).
size_t find_text(std::string_view all, std::string_view wanted, size_t from = 0);
// The last place where `wanted` begins at `last` or before, or npos; the work is counted.
size_t rfind_text(Machine& m, std::string_view all, std::string_view wanted,
                  size_t last = std::string_view::npos);

// Python's string methods that filters share (template_strings.cpp).
Value strip_text(Machine& m, const Value& text, const Value* chars, bool left, bool right);
Value replace_text(Machine& m, const Value& text, const Value& old, const Value& fresh,
                   int64_t count);
enum class Case : uint8_t { kUpper, kLower, kTitle, kCapitalize, kSwap };
Value change_case(Machine& m, const Value& text, Case to);
Ref<ListNode> split_lines(Machine& m, const Value& text, bool keep_ends);
Value join_texts(Machine& m, const Value& separator, const Ref<ListNode>& items, bool strict);
Value percent_format(Machine& m, const Value& format, const Value& arguments);
Value brace_format(Machine& m, const Value& format, const CallArgs& args);
Value reverse_text(Machine& m, const Value& text);
Value escape_text(Machine& m, const Value& text);
// The order of the pairs by their first values, stable, as Python's sorted() has it.
std::vector<uint32_t> sorted_order(Machine& m, const std::vector<std::pair<Value, Value>>& keyed,
                                   bool reverse);

}  // namespace tulou::text::jinja
