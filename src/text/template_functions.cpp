// The global functions of templates.
#include <array>
#include <ctime>

#include "text/template_filters.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

Value range(Machine& m, const Bound& args) {
  if (!args.all->named.empty()) m.fail("range takes no named arguments");
  const auto& given = args.all->positional;
  if (given.empty() || given.size() > 3) m.fail("range takes one to three numbers");
  int64_t numbers[3] = {0, 0, 1};
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i].is(Kind::kFloat)) m.fail("range takes integers");
    numbers[given.size() == 1 ? 1 : i] = integer_of(m, given[i], "a limit of range");
  }
  const auto [start, stop, step] = numbers;
  if (step == 0) m.fail("the step of range is 0");
  Ref<RangeNode> node = make_node<RangeNode>(m.heap());
  node->start = start;
  node->stop = stop;
  node->step = step;
  const bool forward = step > 0;
  if (forward ? start < stop : start > stop) {
    const uint64_t span = forward ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                  : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
    const uint64_t size = forward ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
    const uint64_t count = (span - 1) / size + 1;
    if (count > static_cast<uint64_t>(kMaxRange)) m.exhausted("items of a range", kMaxRange);
    node->size = static_cast<int64_t>(count);
  }
  return Value::object(Kind::kRange, std::move(node));
}

void add_pairs(Machine& m, DictNode& dict, const Value& from) {
  if (from.is(Kind::kDict)) {
    for (const auto& [key, value] : from.as<DictNode>().entries) dict_set(m, dict, key, value);
    return;
  }
  Iterator each(m, from);
  for (Value pair; each.next(pair);) {
    const Ref<ListNode> parts = to_list(m, pair);
    if (parts->items.size() != 2) m.fail("dict needs pairs");
    dict_set(m, dict, parts->items[0], parts->items[1]);
  }
}

Value make_dict(Machine& m, const CallArgs& args) {
  if (args.positional.size() > 1) m.fail("dict takes one plain argument");
  Ref<DictNode> dict = m.new_dict();
  if (!args.positional.empty()) add_pairs(m, *dict, args.positional[0]);
  for (const auto& [name, value] : args.named) dict_set(m, *dict, m.text(name), value);
  return m.dict(std::move(dict));
}

Value dict(Machine& m, const Bound& args) { return make_dict(m, *args.all); }

Value make_namespace(Machine& m, const Bound& args) {
  Value attributes = make_dict(m, *args.all);
  for (const auto& [key, value] : attributes.as<DictNode>().entries)
    if (key.is_string() && key.text().starts_with('_'))
      m.fail("the name of a namespace's attribute starts with an underscore");
  return m.make_namespace(std::move(attributes));
}

Value raise_exception(Machine& m, const Bound& args) {
  m.raise(std::string(to_string(m, args[0]).text()));
}

Value strftime_now(Machine& m, const Bound& args) {
  if (!args[0].is_string()) m.fail("strftime_now needs a string");
  const std::string format(args[0].text());
  if (format.size() > 1000) m.refuse("a date format of more than 1000 bytes");
  if (format.empty()) return m.text("");
  for (size_t at = 0; (at = format.find('%', at)) != std::string::npos; at += 2)
    if (at + 1 < format.size() && (format[at + 1] == 'f' || format[at + 1] == 'z' ||
                                   format[at + 1] == 'Z' || format[at + 1] == ':'))
      m.refuse("'%" + std::string(1, format[at + 1]) + "' in a date format");
  const std::time_t now = m.options().now ? *m.options().now : std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::array<char, 8192> buffer{};
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &parts);
  return m.text(std::string_view(buffer.data(), size),
                args[0].origin() == Origin::kTemplate ? Origin::kTemplate : Origin::kData);
}

Value cycler(Machine& m, const Bound& args) {
  if (!args.all->named.empty()) m.fail("cycler takes no named arguments");
  if (args.all->positional.empty()) m.fail("cycler needs at least one item");
  Ref<CyclerNode> node = make_node<CyclerNode>(m.heap());
  for (const Value& item : args.all->positional) node->push(item);
  return Value::object(Kind::kCycler, std::move(node));
}

Value joiner(Machine& m, const Bound& args) {
  Ref<JoinerNode> node = make_node<JoinerNode>(m.heap());
  node->separator = args.has(0) ? args[0] : Value::string(", ", Origin::kTemplate, true);
  return Value::object(Kind::kJoiner, std::move(node));
}

struct GlobalFunction {
  std::string_view name;
  std::string_view parameters;
  size_t required;
  Value (*call)(Machine& m, const Bound& args);  // null: refused
};

constexpr GlobalFunction kFunctions[] = {
    {"range", "*", 0, range},
    {"dict", "*", 0, dict},
    {"namespace", "*", 0, make_namespace},
    {"raise_exception", "message", 1, raise_exception},
    {"strftime_now", "format", 1, strftime_now},
    {"cycler", "*", 0, cycler},
    {"joiner", "sep", 0, joiner},
    {"lipsum", "*", 0, nullptr},
};

}  // namespace

std::optional<uint32_t> find_function(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kFunctions); ++i)
    if (kFunctions[i].name == name) return i;
  return std::nullopt;
}

Value call_function(Machine& m, uint32_t function, const CallArgs& args) {
  const GlobalFunction& entry = kFunctions[function];
  if (entry.call == nullptr) m.refuse("the function '" + std::string(entry.name) + "'");
  return entry.call(m, bind_arguments(m, entry.name, entry.parameters, entry.required, args));
}

}  // namespace tulou::text::jinja
