// Filters over sequences and mappings.
#include <algorithm>

#include "text/template_filters.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

Value length_filter(Machine& m, const Value& self, const Bound&) {
  return Value::integer(length(m, self));
}

Value first(Machine& m, const Value& self, const Bound&) {
  Iterator each(m, self);
  Value item;
  return each.next(item) ? item : Value::undefined();
}

Value last(Machine& m, const Value& self, const Bound&) {
  if (self.is(Kind::kGenerator)) m.fail("a generator has no last item");
  if (self.is_string() && !self.text().empty()) {
    const size_t begin = previous_start(self.text(), self.text().size());
    return self.substring(begin, self.text().size() - begin);
  }
  const Ref<ListNode> items = to_list(m, self);
  return items->items.empty() ? Value::undefined() : items->items.back();
}

Value list(Machine& m, const Value& self, const Bound&) { return m.list(to_list(m, self)); }

Value items(Machine& m, const Value& self, const Bound&) {
  Ref<ListNode> out = m.new_list();
  if (!self.is_undefined()) {
    if (!self.is(Kind::kDict)) m.fail("items needs a mapping, not " + std::string(type_name(self)));
    for (const auto& [key, value] : self.as<DictNode>().entries) {
      m.step();
      out->push(m.tuple(key, value));
    }
  }
  return m.generator(out);
}

Value reverse(Machine& m, const Value& self, const Bound&) {
  if (self.is_string()) return reverse_text(m, self);
  Ref<ListNode> out = to_list(m, self);
  std::reverse(out->items.begin(), out->items.end());
  return self.is(Kind::kGenerator) ? m.list(std::move(out)) : m.generator(out);
}

Value default_filter(Machine&, const Value& self, const Bound& args) {
  const bool boolean = args.has(1) && truthy(args[1]);
  if (!self.is_undefined() && !(boolean && !truthy(self))) return self;
  return args.has(0) ? args[0] : Value::string("", Origin::kTemplate, true);
}

CallArgs rest_of(const CallArgs& args, size_t from) {
  CallArgs out;
  for (size_t i = from; i < args.positional.size(); ++i)
    out.positional.push_back(args.positional[i]);
  out.named = args.named;
  return out;
}

const Value& filter_name(Machine& m, const CallArgs& args, size_t at) {
  if (!args.positional[at].is_string())
    m.fail("the name of a filter or test must be a string, not " +
           std::string(type_name(args.positional[at])));
  return args.positional[at];
}

Value map_attribute(Machine& m, const Value& self, const CallArgs& args) {
  Value attribute, fallback = Value::none();
  for (const auto& [name, value] : args.named) {
    if (name == "attribute") {
      attribute = value;
    } else if (name == "default") {
      fallback = value;
    } else {
      m.fail("map has no argument '" + name + "'");
    }
  }
  const AttributePath path(m, attribute);
  Ref<ListNode> out = m.new_list();
  Iterator each(m, self);
  for (Value item; each.next(item);) out->push(path.get(m, item, &fallback));
  return m.generator(out);
}

Value map(Machine& m, const Value& self, const Bound& args) {
  if (!truthy(self)) return m.generator(m.new_list());
  const bool by_attribute =
      args.all->positional.empty() &&
      std::any_of(args.all->named.begin(), args.all->named.end(),
                  [](const auto& entry) { return entry.first == "attribute"; });
  if (by_attribute) return map_attribute(m, self, *args.all);
  if (args.all->positional.empty()) m.fail("map needs the name of a filter");
  const Value name = filter_name(m, *args.all, 0);
  const CallArgs rest = rest_of(*args.all, 1);
  Ref<ListNode> out = m.new_list();
  Iterator each(m, self);
  for (Value item; each.next(item);) out->push(call_filter(m, name.text(), item, rest));
  return m.generator(out);
}

Value choose(Machine& m, const Value& self, const CallArgs& args, bool wanted, bool by_attribute) {
  Ref<ListNode> out = m.new_list();
  if (!truthy(self)) return m.generator(out);
  const size_t at = by_attribute ? 1 : 0;
  if (args.positional.size() < at) m.fail("the name of an attribute is missing");
  const AttributePath path(m, by_attribute ? args.positional[0] : Value::none());
  const bool test = args.positional.size() > at;
  const Value name = test ? filter_name(m, args, at) : Value::none();
  const CallArgs rest = rest_of(args, at + 1);
  Iterator each(m, self);
  for (Value item; each.next(item);) {
    const Value judged = path.get(m, item);
    if ((test ? call_test(m, name.text(), judged, rest) : truthy(judged)) == wanted)
      out->push(item);
  }
  return m.generator(out);
}

Value select(Machine& m, const Value& self, const Bound& args) {
  return choose(m, self, *args.all, true, false);
}
Value reject(Machine& m, const Value& self, const Bound& args) {
  return choose(m, self, *args.all, false, false);
}
Value selectattr(Machine& m, const Value& self, const Bound& args) {
  return choose(m, self, *args.all, true, true);
}
Value rejectattr(Machine& m, const Value& self, const Bound& args) {
  return choose(m, self, *args.all, false, true);
}

// Sorts items by keys and gives a list.
Value sorted_list(Machine& m, const Ref<ListNode>& items, const Ref<ListNode>& keys,
                  bool reversed) {
  const HeapLoan loan(m.heap(), items->items.size() * (2 * sizeof(Value) + 2 * sizeof(uint32_t)));
  std::vector<std::pair<Value, Value>> keyed;
  keyed.reserve(items->items.size());
  for (size_t i = 0; i < items->items.size(); ++i)
    keyed.emplace_back(keys->items[i], items->items[i]);
  Ref<ListNode> out = m.new_list();
  for (const uint32_t at : sorted_order(m, keyed, reversed)) out->push(std::move(keyed[at].second));
  return m.list(std::move(out));
}

Value sort(Machine& m, const Value& self, const Bound& args) {
  const bool reversed = args.has(0) && truthy(args[0]);
  const bool sensitive = args.has(1) && truthy(args[1]);
  std::vector<AttributePath> paths;
  if (args.has(2) && args[2].is_string()) {
    const std::string_view all = args[2].text();
    for (size_t at = 0; at <= all.size();) {
      const size_t end = std::min(all.find(',', at), all.size());
      if (paths.size() >= 100) m.exhausted("attributes to sort by", 100);
      paths.emplace_back(m, args[2].substring(at, end - at));
      at = end + 1;
    }
  } else {
    paths.emplace_back(m, args[2]);
  }
  const Ref<ListNode> items = to_list(m, self);
  Ref<ListNode> keys = m.new_list();
  for (const Value& item : items->items) {
    Ref<ListNode> key = m.new_list();
    for (const AttributePath& path : paths) {
      const Value value = path.get(m, item);
      key->push(sensitive ? value : ignore_case(m, value));
    }
    keys->push(m.list(std::move(key)));
  }
  return sorted_list(m, items, keys, reversed);
}

Value dictsort(Machine& m, const Value& self, const Bound& args) {
  const bool sensitive = args.has(0) && truthy(args[0]);
  const std::string_view by = !args.has(1) ? "key" : args[1].is_string() ? args[1].text() : "";
  const bool reversed = args.has(2) && truthy(args[2]);
  if (by != "key" && by != "value") m.fail("dictsort sorts by \"key\" or \"value\"");
  if (self.is_undefined()) m.fail_undefined(self);
  if (!self.is(Kind::kDict))
    m.fail("dictsort needs a mapping, not " + std::string(type_name(self)));
  Ref<ListNode> items = m.new_list(), keys = m.new_list();
  for (const auto& [key, value] : self.as<DictNode>().entries) {
    items->push(m.tuple(key, value));
    const Value& chosen = by == "key" ? key : value;
    keys->push(sensitive ? chosen : ignore_case(m, chosen));
  }
  return sorted_list(m, items, keys, reversed);
}

Value unique(Machine& m, const Value& self, const Bound& args) {
  const bool sensitive = args.has(0) && truthy(args[0]);
  const AttributePath path(m, args[1]);
  Ref<DictNode> seen = m.new_dict();
  Ref<ListNode> out = m.new_list();
  Iterator each(m, self);
  for (Value item; each.next(item);) {
    Value key = path.get(m, item);
    if (!sensitive) key = ignore_case(m, key);
    if (dict_find(m, *seen, key) != nullptr) continue;
    dict_set(m, *seen, key, Value::none());
    out->push(std::move(item));
  }
  return m.generator(out);
}

Value extreme(Machine& m, const Value& self, const Bound& args, bool greatest) {
  const bool sensitive = args.has(0) && truthy(args[0]);
  const AttributePath path(m, args[1]);
  Iterator each(m, self);
  Value best, best_key;
  for (Value item; each.next(item);) {
    Value key = path.get(m, item);
    if (!sensitive) key = ignore_case(m, key);
    if (!best.is(Kind::kMissing) && !(greatest ? less(m, best_key, key) : less(m, key, best_key)))
      continue;
    best = std::move(item);
    best_key = std::move(key);
  }
  return best.is(Kind::kMissing) ? Value::undefined() : best;
}
Value min(Machine& m, const Value& self, const Bound& args) {
  return extreme(m, self, args, false);
}
Value max(Machine& m, const Value& self, const Bound& args) { return extreme(m, self, args, true); }

Value sum(Machine& m, const Value& self, const Bound& args) {
  const AttributePath path(m, args[0]);
  Value total = args.has(1) ? args[1] : Value::integer(0);
  if (total.is_string()) m.fail("sum adds no strings");
  Iterator each(m, self);
  for (Value item; each.next(item);)
    total = arithmetic(m, ExprKind::kAdd, total, path.get(m, item));
  return total;
}

Value batch(Machine& m, const Value& self, const Bound& args) {
  if (!args[0].is_integral()) m.fail("batch needs a number of items");
  const int64_t size = args[0].as_integer();
  Ref<ListNode> out = m.new_list(), row = m.new_list();
  Iterator each(m, self);
  for (Value item; each.next(item);) {
    if (static_cast<int64_t>(row->items.size()) == size) {
      out->push(m.list(std::move(row)));
      row = m.new_list();
    }
    row->push(std::move(item));
  }
  if (!row->items.empty()) {
    if (args.has(1) && !args[1].is(Kind::kNone))
      while (static_cast<int64_t>(row->items.size()) < size) {
        m.step();
        row->push(args[1]);
      }
    out->push(m.list(std::move(row)));
  }
  return m.generator(out);
}

Value slice(Machine& m, const Value& self, const Bound& args) {
  const int64_t slices = integer_of(m, args[0], "a number of slices");
  const Ref<ListNode> all = to_list(m, self);
  if (slices == 0) m.fail("slice into 0 parts");
  const auto size = static_cast<int64_t>(all->items.size());
  const int64_t each = slices > 0 ? size / slices : 0, extra = slices > 0 ? size % slices : 0;
  Ref<ListNode> out = m.new_list();
  for (int64_t i = 0, at = 0; i < slices; ++i) {
    m.step();
    const int64_t end = at + each + (i < extra ? 1 : 0);
    Ref<ListNode> row = m.new_list();
    for (; at < end; ++at) row->push(all->items[static_cast<size_t>(at)]);
    if (args.has(1) && !args[1].is(Kind::kNone) && i >= extra) row->push(args[1]);
    out->push(m.list(std::move(row)));
  }
  return m.generator(out);
}

Value group_key(Machine& m, const AttributePath& path, const Value& item, const Value& fallback,
                bool sensitive) {
  const Value key = path.get(m, item, &fallback);
  return sensitive ? key : ignore_case(m, key);
}

Value groupby(Machine& m, const Value& self, const Bound& args) {
  const AttributePath path(m, args[0]);
  const Value fallback = args.has(1) ? args[1] : Value::none();
  const bool sensitive = args.has(2) && truthy(args[2]);
  const Ref<ListNode> items = to_list(m, self);
  Ref<ListNode> keys = m.new_list();
  for (const Value& item : items->items) keys->push(group_key(m, path, item, fallback, sensitive));
  const Value sorted = sorted_list(m, items, keys, false);
  Ref<ListNode> out = m.new_list(), group;
  Value current;
  const auto finish = [&] {
    if (!group) return;
    const Value shown = path.get(m, group->items[0], &fallback);
    const Value pair = m.tuple(shown, m.list(group));
    pair.as<ListNode>().is_group = true;
    out->push(pair);
  };
  for (const Value& item : sorted.as<ListNode>().items) {
    Value key = group_key(m, path, item, fallback, sensitive);
    if (!group || !equal(m, key, current)) {
      finish();
      group = m.new_list();
      current = std::move(key);
    }
    group->push(item);
  }
  finish();
  return m.list(std::move(out));
}

Value attr(Machine& m, const Value& self, const Bound& args) {
  if (!args[0].is_string()) m.fail("attr needs the name of an attribute");
  if (self.is_undefined()) m.fail_undefined(self);
  if (self.is(Kind::kDict)) {  // the attribute only, not the item
    if (find_method(self, args[0].text())) return get_attribute(m, self, args[0].text());
    return Value::undefined(args[0].text(), args[0].shared());
  }
  const Value found = get_attribute(m, self, args[0].text());
  return found.is_undefined() ? Value::undefined(args[0].text(), args[0].shared()) : found;
}

constexpr Builtin kSequenceFilters[] = {
    {"length", "", 0, length_filter},
    {"count", "", 0, length_filter},
    {"first", "", 0, first},
    {"last", "", 0, last},
    {"list", "", 0, list},
    {"items", "", 0, items},
    {"reverse", "", 0, reverse},
    {"default", "default_value,boolean", 0, default_filter},
    {"d", "default_value,boolean", 0, default_filter},
    {"map", "*", 0, map},
    {"select", "*", 0, select},
    {"reject", "*", 0, reject},
    {"selectattr", "*", 0, selectattr},
    {"rejectattr", "*", 0, rejectattr},
    {"sort", "reverse,case_sensitive,attribute", 0, sort},
    {"dictsort", "case_sensitive,by,reverse", 0, dictsort},
    {"unique", "case_sensitive,attribute", 0, unique},
    {"min", "case_sensitive,attribute", 0, min},
    {"max", "case_sensitive,attribute", 0, max},
    {"sum", "attribute,start", 0, sum},
    {"batch", "linecount,fill_with", 1, batch},
    {"slice", "slices,fill_with", 1, slice},
    {"groupby", "attribute,default,case_sensitive", 1, groupby},
    {"attr", "name", 1, attr},
};

}  // namespace

const Builtin* find_sequence_filter(std::string_view name) {
  for (const Builtin& filter : kSequenceFilters)
    if (filter.name == name) return &filter;
  return nullptr;
}

}  // namespace tulou::text::jinja
