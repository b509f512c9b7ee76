// Filters that make text or numbers.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/template_filters.h"
#include "text/template_numbers.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

// What a filter of text works on: str() of its value.
Value text_of(Machine& m, const Value& value) {
  if (value.is_string() && value.markup()) m.refuse("this filter on a string marked as safe");
  return to_string(m, value);
}

Value upper(Machine& m, const Value& self, const Bound&) {
  return change_case(m, text_of(m, self), Case::kUpper);
}
Value lower(Machine& m, const Value& self, const Bound&) {
  return change_case(m, text_of(m, self), Case::kLower);
}
Value capitalize(Machine& m, const Value& self, const Bound&) {
  return change_case(m, text_of(m, self), Case::kCapitalize);
}

// Jinja's own idea: a word starts after spaces, hyphens and opening brackets.
Value title(Machine& m, const Value& self, const Bound&) {
  const Value text = text_of(m, self);
  const std::string_view all = text.text();
  const auto separates = [](uint32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  TextBuilder out(m.heap());
  for (size_t at = 0, size = 0; at < all.size();) {
    m.step(16);  // two new strings a word
    const bool separator = separates(code_point_at(all, at, size));
    size_t end = at + size;
    const size_t first = end;
    while (end < all.size() && separates(code_point_at(all, end, size)) == separator) end += size;
    out.append(change_case(m, text.substring(at, first - at), Case::kUpper));
    out.append(change_case(m, text.substring(first, end - first), Case::kLower));
    at = end;
  }
  return out.finish();
}

Value trim(Machine& m, const Value& self, const Bound& args) {
  const Value text = text_of(m, self);
  if (!args.has(0) || args[0].is(Kind::kNone)) return strip_text(m, text, nullptr, true, true);
  if (!args[0].is_string()) m.fail("trim needs a string of characters");
  return strip_text(m, text, &args[0], true, true);
}

Value replace(Machine& m, const Value& self, const Bound& args) {
  int64_t count = -1;
  if (args.has(2) && !args[2].is(Kind::kNone)) count = integer_of(m, args[2], "a count");
  return replace_text(m, to_string(m, self), to_string(m, args[0]), to_string(m, args[1]), count);
}

Value string(Machine& m, const Value& self, const Bound&) {
  return self.is_string() ? self : to_string(m, self);
}
Value safe(Machine& m, const Value& self, const Bound&) {
  return to_string(m, self).with_markup(true);
}
Value escape(Machine& m, const Value& self, const Bound&) {
  if (self.is_string() && self.markup()) return self;
  return escape_text(m, to_string(m, self));
}
Value force_escape(Machine& m, const Value& self, const Bound&) {
  return escape_text(m, to_string(m, self));
}

Value indent(Machine& m, const Value& self, const Bound& args) {
  if (self.is_undefined()) m.fail_undefined(self);
  if (!self.is_string()) m.fail("indent needs a string, not " + std::string(type_name(self)));
  if (self.markup()) m.refuse("this filter on a string marked as safe");
  Value width = Value::string("    ", Origin::kTemplate, true);
  if (args.has(0)) {
    width = args[0].is_string() ? args[0]
                                : repeat(m, Value::string(" ", Origin::kTemplate, true),
                                         integer_of(m, args[0], "a width"));
  }
  const bool first = args.has(1) && truthy(args[1]), blank = args.has(2) && truthy(args[2]);
  TextBuilder with_end(m.heap());
  with_end.append(self);
  with_end.append("\n", false);
  const Ref<ListNode> lines = split_lines(m, with_end.finish(), false);
  TextBuilder out(m.heap());
  for (size_t i = 0; i < lines->items.size(); ++i) {
    const Value& line = lines->items[i];
    m.work(line.text().size() + width.text().size());
    if (i > 0) out.append("\n", false);
    if (i == 0 ? first : (blank || !line.text().empty())) out.append(width);
    out.append(line);
  }
  return out.finish();
}

Value center(Machine& m, const Value& self, const Bound& args) {
  const Value text = text_of(m, self);
  const int64_t width = args.has(0) ? integer_of(m, args[0], "a width") : 80;
  const int64_t missing = width - length(m, text);
  if (missing <= 0) return text;
  const int64_t left = missing / 2 + (missing & width & 1);
  const Value space = Value::string(" ", Origin::kTemplate, true);
  TextBuilder out(m.heap());
  out.append(repeat(m, space, left));
  out.append(text);
  out.append(repeat(m, space, missing - left));
  return out.finish();
}

Value wordcount(Machine& m, const Value& self, const Bound&) {
  const Value text = text_of(m, self);
  m.work(text.text().size() * 4);
  if (!text.ascii()) m.refuse("wordcount of text beyond ASCII");
  int64_t count = 0;
  bool inside = false;
  for (const char c : text.text()) {
    const bool word =
        (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    count += word && !inside;
    inside = word;
  }
  return Value::integer(count);
}

Value truncate(Machine& m, const Value& self, const Bound& args) {
  if (!self.is_string() || self.markup()) m.refuse("truncate of what is not a plain string");
  const int64_t wanted = args.has(0) ? integer_of(m, args[0], "a length") : 255;
  Value end = Value::string("...", Origin::kTemplate, true);
  if (args.has(2)) end = args[2];
  if (!end.is_string()) m.fail("truncate needs a string for its end");
  const int64_t leeway =
      args.has(3) && !args[3].is(Kind::kNone) ? integer_of(m, args[3], "a leeway") : 5;
  const int64_t end_size = length(m, end);
  if (wanted < end_size || leeway < 0) m.fail("truncate: the length is less than that of its end");
  if (length(m, self) <= wanted + leeway) return self;
  Value kept = get_slice(m, self, Value::none(), Value::integer(wanted - end_size), Value::none());
  if (!args.has(1) || !truthy(args[1])) {
    const size_t space = kept.text().rfind(' ');
    if (space != std::string_view::npos) kept = kept.substring(0, space);
  }
  TextBuilder out(m.heap());
  out.append(kept);
  out.append(end);
  return out.finish();
}

Value format(Machine& m, const Value& self, const Bound& args) {
  if (!args.all->positional.empty() && !args.all->named.empty())
    m.fail("format takes either plain or named arguments");
  if (!args.all->named.empty()) {
    Ref<DictNode> dict = m.new_dict();
    for (const auto& [name, value] : args.all->named) dict_set(m, *dict, m.text(name), value);
    return percent_format(m, text_of(m, self), m.dict(std::move(dict)));
  }
  Ref<ListNode> items = m.new_list();
  for (const Value& value : args.all->positional) items->push(value);
  return percent_format(m, text_of(m, self), m.list(std::move(items), Kind::kTuple));
}

Value join(Machine& m, const Value& self, const Bound& args) {
  Value separator = Value::string("", Origin::kTemplate, true);
  if (args.has(0)) separator = to_string(m, args[0]);
  Ref<ListNode> items = to_list(m, self);
  if (args.has(1) && !args[1].is(Kind::kNone)) {
    const AttributePath path(m, args[1]);
    for (Value& item : items->items) item = path.get(m, item);
  }
  return join_texts(m, separator, items, false);
}

Value tojson(Machine& m, const Value& self, const Bound& args) {
  JsonStyle style;
  style.ascii = args.has(0) && truthy(args[0]);
  style.sort_keys = args.has(3) && truthy(args[3]);
  if (args.has(1) && !args[1].is(Kind::kNone)) {
    if (args[1].is_string()) {
      style.indent = std::string(args[1].text());
    } else {
      const int64_t width = integer_of(m, args[1], "an indent");
      if (width > 1000) m.refuse("an indent of more than 1000");
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (args.has(2) && !args[2].is(Kind::kNone)) {
    const bool pair = (args[2].is(Kind::kTuple) || args[2].is(Kind::kList)) &&
                      args[2].as<ListNode>().items.size() == 2;
    if (!pair) m.fail("the separators of tojson must be two strings");
    const auto& parts = args[2].as<ListNode>().items;
    if (!parts[0].is_string() || !parts[1].is_string())
      m.fail("the separators of tojson must be two strings");
    style.item_separator = parts[0].text();
    style.key_separator = parts[1].text();
  }
  return to_json(m, self, style);
}

constexpr Builtin kTextFilters[] = {
    {"upper", "", 0, upper},
    {"lower", "", 0, lower},
    {"capitalize", "", 0, capitalize},
    {"title", "", 0, title},
    {"trim", "chars", 0, trim},
    {"replace", "old,new,count", 2, replace},
    {"string", "", 0, string},
    {"safe", "", 0, safe},
    {"e", "", 0, escape},
    {"escape", "", 0, escape},
    {"forceescape", "", 0, force_escape},
    {"indent", "width,first,blank", 0, indent},
    {"center", "width", 0, center},
    {"wordcount", "", 0, wordcount},
    {"truncate", "length,killwords,end,leeway", 0, truncate},
    {"format", "*", 0, format},
    {"join", "d,attribute", 0, join},
    {"tojson", "ensure_ascii,indent,separators,sort_keys", 0, tojson},
    {"int", "default,base", 0, int_filter},
    {"float", "default", 0, float_filter},
    {"abs", "", 0, abs_filter},
    {"round", "precision,method", 0, round_filter},
};

}  // namespace

const Builtin* find_text_filter(std::string_view name) {
  for (const Builtin& filter : kTextFilters)
    if (filter.name == name) return &filter;
  return nullptr;
}

}  // namespace tulou::text::jinja
