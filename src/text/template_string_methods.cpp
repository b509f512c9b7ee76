// Methods of strings, as Python has them.
#include "text/template_string_methods.h"

#include <algorithm>

#include "text/template_filters.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

// A string argument; `none` allowed where Python allows None, given back as null.
const Value* string_argument(Machine& m, const Bound& args, size_t i, bool none_allowed) {
  if (!args.has(i) || (none_allowed && args[i].is(Kind::kNone))) return nullptr;
  if (args[i].is_undefined()) m.fail_undefined(args[i]);
  if (!args[i].is_string())
    m.fail("a string is needed here, not " + std::string(type_name(args[i])));
  return &args[i];
}

const Value& needed_string(Machine& m, const Bound& args, size_t i) {
  return *string_argument(m, args, i, false);
}

Value strip_both(Machine& m, const Value& self, const Bound& args) {
  return strip_text(m, self, string_argument(m, args, 0, true), true, true);
}
Value strip_left(Machine& m, const Value& self, const Bound& args) {
  return strip_text(m, self, string_argument(m, args, 0, true), true, false);
}
Value strip_right(Machine& m, const Value& self, const Bound& args) {
  return strip_text(m, self, string_argument(m, args, 0, true), false, true);
}
Value upper(Machine& m, const Value& self, const Bound&) {
  return change_case(m, self, Case::kUpper);
}
Value lower(Machine& m, const Value& self, const Bound&) {
  return change_case(m, self, Case::kLower);
}
Value title(Machine& m, const Value& self, const Bound&) {
  return change_case(m, self, Case::kTitle);
}
Value capitalize(Machine& m, const Value& self, const Bound&) {
  return change_case(m, self, Case::kCapitalize);
}

int64_t limit_argument(Machine& m, const Bound& args, size_t i) {
  return args.has(i) ? integer_of(m, args[i], "a count") : -1;
}

Value replace(Machine& m, const Value& self, const Bound& args) {
  return replace_text(m, self, needed_string(m, args, 0), needed_string(m, args, 1),
                      limit_argument(m, args, 2));
}

// Cuts at runs of whitespace.
Ref<ListNode> split_space(Machine& m, const Value& self, int64_t limit) {
  const std::string_view all = self.text();
  Ref<ListNode> out = m.new_list();
  size_t at = 0, size = 0;
  while (true) {
    while (at < all.size() && is_space(code_point_at(all, at, size))) at += size;
    if (at >= all.size()) return out;
    size_t end = at;
    if (limit == 0) {
      out->push(self.substring(at, all.size() - at));
      return out;
    }
    while (end < all.size() && !is_space(code_point_at(all, end, size))) end += size;
    m.step();
    out->push(self.substring(at, end - at));
    at = end;
    if (limit > 0) --limit;
  }
}

// The same from the right; the pieces come in reverse.
Ref<ListNode> rsplit_space(Machine& m, const Value& self, int64_t limit) {
  const std::string_view all = self.text();
  Ref<ListNode> out = m.new_list();
  size_t end = all.size(), size = 0;
  while (true) {
    while (end > 0 && is_space(code_point_at(all, previous_start(all, end), size)))
      end = previous_start(all, end);
    if (end == 0) return out;
    if (limit == 0) {
      out->push(self.substring(0, end));
      return out;
    }
    size_t begin = end;
    while (begin > 0 && !is_space(code_point_at(all, previous_start(all, begin), size)))
      begin = previous_start(all, begin);
    m.step();
    out->push(self.substring(begin, end - begin));
    end = begin;
    if (limit > 0) --limit;
  }
}

Value split(Machine& m, const Value& self, const Bound& args) {
  m.work(self.text().size());
  const Value* separator = string_argument(m, args, 0, true);
  int64_t limit = limit_argument(m, args, 1);
  if (separator == nullptr) return m.list(split_space(m, self, limit));
  if (separator->text().empty()) m.fail("split by an empty string");
  const std::string_view all = self.text(), wanted = separator->text();
  Ref<ListNode> out = m.new_list();
  size_t at = 0;
  for (size_t found; limit != 0 && (found = find_text(all, wanted, at)) != std::string_view::npos;
       --limit) {
    m.step();
    out->push(self.substring(at, found - at));
    at = found + wanted.size();
  }
  out->push(self.substring(at, all.size() - at));
  return m.list(std::move(out));
}

Value rsplit(Machine& m, const Value& self, const Bound& args) {
  m.work(self.text().size());
  const Value* separator = string_argument(m, args, 0, true);
  int64_t limit = limit_argument(m, args, 1);
  Ref<ListNode> out;
  if (separator == nullptr) {
    out = rsplit_space(m, self, limit);
  } else {
    if (separator->text().empty()) m.fail("split by an empty string");
    out = m.new_list();
    const std::string_view all = self.text(), wanted = separator->text();
    size_t end = all.size();
    for (; limit != 0 && end >= wanted.size(); --limit) {
      const size_t found = rfind_text(m, all, wanted, end - wanted.size());
      if (found == std::string_view::npos) break;
      m.step();
      const size_t begin = found + wanted.size();
      out->push(self.substring(begin, end - begin));
      end = found;
    }
    out->push(self.substring(0, end));
  }
  std::reverse(out->items.begin(), out->items.end());
  return m.list(std::move(out));
}

Value splitlines(Machine& m, const Value& self, const Bound& args) {
  return m.list(split_lines(m, self, args.has(0) && truthy(args[0])));
}

Value make_partition(Machine& m, const Value& self, const Bound& args, bool last) {
  const Value& separator = needed_string(m, args, 0);
  if (separator.text().empty()) m.fail("split by an empty string");
  const std::string_view all = self.text();
  m.work(all.size());
  const size_t found =
      last ? rfind_text(m, all, separator.text()) : find_text(all, separator.text());
  Ref<ListNode> out = m.new_list();
  const Value empty = Value::string("", Origin::kTemplate, true);
  if (found == std::string_view::npos) {
    for (int i = 0; i < 3; ++i) out->push(i == (last ? 2 : 0) ? self : empty);
  } else {
    const size_t after = found + separator.text().size();
    out->push(self.substring(0, found));
    out->push(separator);
    out->push(self.substring(after, all.size() - after));
  }
  return m.list(std::move(out), Kind::kTuple);
}
Value partition(Machine& m, const Value& self, const Bound& args) {
  return make_partition(m, self, args, false);
}
Value rpartition(Machine& m, const Value& self, const Bound& args) {
  return make_partition(m, self, args, true);
}

// The part of the text that optional arguments `from` and `from + 1` (code points) delimit.
struct Window {
  Value text;
  int64_t start;
  bool reversed;  // start behind end: nothing is found in it, not even the empty string
};

Window window(Machine& m, const Value& self, const Bound& args, size_t from) {
  const Value start = args.has(from) ? args[from] : Value::none();
  const Value stop = args.has(from + 1) ? args[from + 1] : Value::none();
  if (start.is(Kind::kNone) && stop.is(Kind::kNone)) return {self, 0, false};
  const int64_t size = length(m, self);
  const auto clamp = [&](const Value& value, int64_t fallback) {
    if (value.is(Kind::kNone)) return fallback;
    int64_t at = integer_of(m, value, "a position");
    if (at < 0) at = std::max<int64_t>(at + size, 0);
    return at;
  };
  const int64_t first = clamp(start, 0), last = std::min(clamp(stop, size), size);
  return {get_slice(m, self, Value::integer(first), Value::integer(last), Value::none()), first,
          first > last};
}

int64_t find_in(Machine& m, const Value& self, const Bound& args, bool last) {
  const Value& wanted = needed_string(m, args, 0);
  const Window part = window(m, self, args, 1);
  if (part.reversed) return -1;
  const std::string_view all = part.text.text();
  m.work(all.size());
  const size_t found = last ? rfind_text(m, all, wanted.text()) : find_text(all, wanted.text());
  if (found == std::string_view::npos) return -1;
  return part.start + static_cast<int64_t>(count_code_points(all.substr(0, found)));
}
Value find(Machine& m, const Value& self, const Bound& args) {
  return Value::integer(find_in(m, self, args, false));
}
Value rfind(Machine& m, const Value& self, const Bound& args) {
  return Value::integer(find_in(m, self, args, true));
}
Value index(Machine& m, const Value& self, const Bound& args) {
  const int64_t found = find_in(m, self, args, false);
  if (found < 0) m.fail("the substring was not found");
  return Value::integer(found);
}
Value rindex(Machine& m, const Value& self, const Bound& args) {
  const int64_t found = find_in(m, self, args, true);
  if (found < 0) m.fail("the substring was not found");
  return Value::integer(found);
}

Value count(Machine& m, const Value& self, const Bound& args) {
  const Value& wanted = needed_string(m, args, 0);
  const Window part = window(m, self, args, 1);
  const std::string_view all = part.text.text();
  m.work(all.size());
  if (part.reversed) return Value::integer(0);
  if (wanted.text().empty()) return Value::integer(length(m, part.text) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = find_text(all, wanted.text(), at)) != std::string_view::npos;
       at += wanted.text().size())
    ++found;
  return Value::integer(found);
}

bool affix_matches(Machine& m, const Window& part, const Value& affix, bool end) {
  if (affix.is_undefined()) m.fail_undefined(affix);
  if (!affix.is_string())
    m.fail("a string or a tuple of strings is needed here, not " + std::string(type_name(affix)));
  m.work(affix.text().size());
  if (part.reversed) return false;
  return end ? part.text.text().ends_with(affix.text())
             : part.text.text().starts_with(affix.text());
}

Value has_affix(Machine& m, const Value& self, const Bound& args, bool end) {
  const Window part = window(m, self, args, 1);
  if (!args[0].is(Kind::kTuple)) return Value::boolean(affix_matches(m, part, args[0], end));
  for (const Value& affix : args[0].as<ListNode>().items)
    if (affix_matches(m, part, affix, end)) return Value::boolean(true);
  return Value::boolean(false);
}
Value startswith(Machine& m, const Value& self, const Bound& args) {
  return has_affix(m, self, args, false);
}
Value endswith(Machine& m, const Value& self, const Bound& args) {
  return has_affix(m, self, args, true);
}

Value removeprefix(Machine& m, const Value& self, const Bound& args) {
  const std::string_view prefix = needed_string(m, args, 0).text();
  if (!self.text().starts_with(prefix)) return self;
  return self.substring(prefix.size(), self.text().size() - prefix.size());
}
Value removesuffix(Machine& m, const Value& self, const Bound& args) {
  const std::string_view suffix = needed_string(m, args, 0).text();
  if (!self.text().ends_with(suffix)) return self;
  return self.substring(0, self.text().size() - suffix.size());
}

Value join(Machine& m, const Value& self, const Bound& args) {
  return join_texts(m, self, to_list(m, args[0]), true);
}

// Pads to a width with `fill`, `left_share` of it in front.
Value pad(Machine& m, const Value& self, const Bound& args, int side) {
  const int64_t width = integer_of(m, args[0], "a width");
  Value fill = Value::string(" ", Origin::kTemplate, true);
  if (const Value* given = string_argument(m, args, 1, false)) fill = *given;
  if (length(m, fill) != 1) m.fail("the character to fill with must be one");
  const int64_t missing = width - length(m, self);
  if (missing <= 0) return self;
  int64_t left = side < 0 ? 0 : missing;
  if (side == 0) left = missing / 2 + (missing & width & 1);  // as Python's center
  TextBuilder out(m.heap());
  out.append(repeat(m, fill, left));
  out.append(self);
  out.append(repeat(m, fill, missing - left));
  return out.finish();
}
Value ljust(Machine& m, const Value& self, const Bound& args) { return pad(m, self, args, -1); }
Value rjust(Machine& m, const Value& self, const Bound& args) { return pad(m, self, args, 1); }
Value center(Machine& m, const Value& self, const Bound& args) { return pad(m, self, args, 0); }

Value zfill(Machine& m, const Value& self, const Bound& args) {
  const int64_t missing = integer_of(m, args[0], "a width") - length(m, self);
  if (missing <= 0) return self;
  const bool sign = !self.text().empty() && (self.text()[0] == '+' || self.text()[0] == '-');
  TextBuilder out(m.heap());
  out.append(self.substring(0, sign ? 1 : 0));
  out.append(repeat(m, Value::string("0", Origin::kTemplate, true), missing));
  out.append(self.substring(sign ? 1 : 0, self.text().size() - (sign ? 1 : 0)));
  return out.finish();
}

template <Character kWanted>
Value is_all(Machine& m, const Value& self, const Bound&) {
  return Value::boolean(all_characters(m, self, kWanted));
}
Value isupper(Machine& m, const Value& self, const Bound&) {
  return Value::boolean(has_case(m, self, true));
}
Value islower(Machine& m, const Value& self, const Bound&) {
  return Value::boolean(has_case(m, self, false));
}
Value isascii(Machine&, const Value& self, const Bound&) { return Value::boolean(self.ascii()); }

Value format(Machine& m, const Value& self, const Bound& args) {
  return brace_format(m, self, *args.all);
}

constexpr Builtin kStringMethods[] = {
    {"strip", "/chars", 0, strip_both},
    {"lstrip", "/chars", 0, strip_left},
    {"rstrip", "/chars", 0, strip_right},
    {"upper", "", 0, upper},
    {"lower", "", 0, lower},
    {"title", "", 0, title},
    {"capitalize", "", 0, capitalize},
    {"replace", "/old,new,count", 2, replace},
    {"split", "sep,maxsplit", 0, split},
    {"rsplit", "sep,maxsplit", 0, rsplit},
    {"splitlines", "keepends", 0, splitlines},
    {"partition", "/sep", 1, partition},
    {"rpartition", "/sep", 1, rpartition},
    {"find", "/sub,start,end", 1, find},
    {"rfind", "/sub,start,end", 1, rfind},
    {"index", "/sub,start,end", 1, index},
    {"rindex", "/sub,start,end", 1, rindex},
    {"count", "/sub,start,end", 1, count},
    {"startswith", "/prefix,start,end", 1, startswith},
    {"endswith", "/suffix,start,end", 1, endswith},
    {"removeprefix", "/prefix", 1, removeprefix},
    {"removesuffix", "/suffix", 1, removesuffix},
    {"join", "/iterable", 1, join},
    {"ljust", "/width,fillchar", 1, ljust},
    {"rjust", "/width,fillchar", 1, rjust},
    {"center", "/width,fillchar", 1, center},
    {"zfill", "/width", 1, zfill},
    {"isalpha", "", 0, is_all<Character::kAlpha>},
    {"isdigit", "", 0, is_all<Character::kDigit>},
    {"isdecimal", "", 0, is_all<Character::kDecimal>},
    {"isnumeric", "", 0, is_all<Character::kNumeric>},
    {"isalnum", "", 0, is_all<Character::kAlnum>},
    {"isspace", "", 0, is_all<Character::kSpace>},
    {"isprintable", "", 0, is_all<Character::kPrintable>},
    {"isupper", "", 0, isupper},
    {"islower", "", 0, islower},
    {"isascii", "", 0, isascii},
    {"format", "*", 0, format},
    {"casefold", "*", 0, nullptr},
    {"encode", "*", 0, nullptr},
    {"expandtabs", "*", 0, nullptr},
    {"format_map", "*", 0, nullptr},
    {"isidentifier", "*", 0, nullptr},
    {"istitle", "*", 0, nullptr},
    {"maketrans", "*", 0, nullptr},
    {"swapcase", "*", 0, nullptr},
    {"translate", "*", 0, nullptr},
};

}  // namespace

std::optional<uint32_t> find_string_method(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kStringMethods); ++i)
    if (kStringMethods[i].name == name) return i;
  return std::nullopt;
}

Value call_string_method(Machine& m, uint32_t method, const Value& self, const CallArgs& args) {
  const Builtin& entry = kStringMethods[method];
  if (entry.call == nullptr) m.refuse("the string method '" + std::string(entry.name) + "'");
  if (self.markup()) m.refuse("a method of a string marked as safe");
  return entry.call(m, self, bind_arguments(m, entry.name, entry.parameters, entry.required, args));
}

}  // namespace tulou::text::jinja
