// Filters and tests by name, and the arguments of built-in calls.
#include "text/template_filters.h"

#include <algorithm>
#include <span>

#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

constexpr std::string_view kFilters[] = {
    "abs",       "attr",       "batch",       "capitalize", "center",  "count",
    "d",         "default",    "dictsort",    "e",          "escape",  "filesizeformat",
    "first",     "float",      "forceescape", "format",     "groupby", "indent",
    "int",       "join",       "last",        "length",     "list",    "lower",
    "items",     "map",        "min",         "max",        "pprint",  "random",
    "reject",    "rejectattr", "replace",     "reverse",    "round",   "safe",
    "select",    "selectattr", "slice",       "sort",       "string",  "striptags",
    "sum",       "title",      "trim",        "truncate",   "unique",  "upper",
    "urlencode", "urlize",     "wordcount",   "wordwrap",   "xmlattr", "tojson"};

constexpr std::string_view kTests[] = {
    "odd",     "even",   "divisibleby", "defined",  "undefined", "filter", "test",    "none",
    "boolean", "false",  "true",        "integer",  "float",     "lower",  "upper",   "string",
    "mapping", "number", "sequence",    "iterable", "callable",  "sameas", "escaped", "in",
    "==",      "eq",     "equalto",     "!=",       "ne",        ">",      "gt",      "greaterthan",
    "ge",      ">=",     "<",           "lt",       "lessthan",  "<=",     "le"};

bool listed(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool is_filter(std::string_view name) { return listed(kFilters, name); }
bool is_test(std::string_view name) { return listed(kTests, name); }

Bound bind_arguments(Machine& m, std::string_view what, std::string_view parameters,
                     size_t required, const CallArgs& args) {
  Bound bound;
  bound.all = &args;
  if (parameters == "*") return bound;
  const bool nameless = parameters.starts_with('/');
  if (nameless) parameters.remove_prefix(1);
  std::vector<std::string_view> names;
  for (size_t at = 0; at < parameters.size();) {
    const size_t end = std::min(parameters.find(',', at), parameters.size());
    names.push_back(parameters.substr(at, end - at));
    at = end + 1;
  }
  if (args.positional.size() > names.size())
    m.fail("too many arguments for '" + std::string(what) + "'");
  for (size_t i = 0; i < args.positional.size(); ++i) bound.values[i] = args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto found = std::find(names.begin(), names.end(), name);
    const auto at = static_cast<size_t>(found - names.begin());
    if (nameless || found == names.end())
      m.fail("'" + std::string(what) + "' has no argument '" + name + "'");
    if (bound.has(at)) m.fail("the argument '" + name + "' is given twice");
    bound.values[at] = value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!bound.has(i))
      m.fail("'" + std::string(what) + "' needs the argument '" + std::string(names[i]) + "'");
  return bound;
}

Value call_filter(Machine& m, std::string_view name, const Value& value, const CallArgs& args) {
  m.step();
  const Machine::Deeper deeper(m);
  const Builtin* filter = find_text_filter(name);
  if (filter == nullptr) filter = find_sequence_filter(name);
  if (filter == nullptr) {
    if (is_filter(name)) m.refuse("the filter '" + std::string(name) + "'");
    m.fail("there is no filter '" + std::string(name) + "'");
  }
  return filter->call(m, value,
                      bind_arguments(m, name, filter->parameters, filter->required, args));
}

// "a.b.0" becomes the parts a, b, 0; a number is one part.
AttributePath::AttributePath(Machine& m, const Value& path) {
  if (path.is(Kind::kNone) || path.is(Kind::kMissing)) return;
  if (!path.is_string()) {
    parts_.push_back(path);
    return;
  }
  const std::string_view text = path.text();
  m.work(text.size() * 8);
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('.', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    const bool digits = !part.empty() && part.size() < 18 &&
                        part.find_first_not_of("0123456789") == std::string_view::npos;
    int64_t number = 0;
    for (const char c : digits ? part : std::string_view()) number = number * 10 + (c - '0');
    if (parts_.size() >= kMaxSpread) m.exhausted("parts of an attribute", kMaxSpread);
    parts_.push_back(digits ? Value::integer(number) : path.substring(at, end - at));
    at = end + 1;
  }
}

Value AttributePath::get(Machine& m, const Value& item, const Value* fallback) const {
  Value value = item;
  for (const Value& part : parts_) {
    m.step();
    value = get_item(m, value, part);
    if (fallback != nullptr && !fallback->is(Kind::kNone) && value.is_undefined())
      value = *fallback;
  }
  return value;
}

}  // namespace tulou::text::jinja
