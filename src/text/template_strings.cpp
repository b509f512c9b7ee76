// Python's operations on strings that filters and methods share. Each keeps the provenance of every
// byte.
#include <string.h>  // memmem

#include <algorithm>

#include "text/template_filters.h"
#include "text/template_machine.h"
#include "text/template_unicode.h"
#include "text/unicode.h"

namespace tulou::text::jinja {

size_t find_text(std::string_view all, std::string_view wanted, size_t from) {
  if (from > all.size()) return std::string_view::npos;
  if (wanted.empty()) return from;
  const void* found = memmem(all.data() + from, all.size() - from, wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - all.data());
}

size_t rfind_text(Machine& m, std::string_view all, std::string_view wanted, size_t last) {
  if (wanted.size() > all.size()) return std::string_view::npos;
  for (size_t at = std::min(last, all.size() - wanted.size()) + 1; at-- > 0;) {
    size_t equal = 0;
    while (equal < wanted.size() && all[at + equal] == wanted[equal]) ++equal;
    if (equal == wanted.size()) return at;
    if (equal > 32) m.work(equal);
  }
  return std::string_view::npos;
}

Value strip_text(Machine& m, const Value& text, const Value* chars, bool left, bool right) {
  const std::string_view all = text.text();
  const auto drop = [&](size_t at, size_t& size) {
    const uint32_t c = code_point_at(all, at, size);
    if (chars == nullptr) return is_space(c);
    m.work(chars->text().size());
    const std::string_view set = chars->text(), wanted = all.substr(at, size);
    for (size_t i = 0, length = 0; i < set.size(); i += length) {
      code_point_at(set, i, length);
      if (set.substr(i, length) == wanted) return true;
    }
    return false;
  };
  size_t begin = 0, end = all.size(), size = 0;
  while (left && begin < end && drop(begin, size)) begin += size;
  while (right && end > begin) {
    const size_t start = previous_start(all, end);
    if (start < begin || !drop(start, size)) break;
    end = start;
  }
  m.work(all.size() - (end - begin));
  return text.substring(begin, end - begin);
}

Value replace_text(Machine& m, const Value& text, const Value& old, const Value& fresh,
                   int64_t count) {
  const std::string_view all = text.text(), wanted = old.text();
  m.work(all.size());
  if (count < 0) count = INT64_MAX;
  TextBuilder out(m.heap());
  size_t at = 0;
  if (wanted.empty()) {  // between all characters
    for (size_t size = 0; count > 0; --count) {
      m.work(fresh.text().size());
      out.append(fresh);
      if (at >= all.size()) return out.finish();
      code_point_at(all, at, size);
      out.append(text.substring(at, size));
      at += size;
    }
    out.append(text.substring(at, all.size() - at));
    return out.finish();
  }
  size_t found = find_text(all, wanted);
  if (found == std::string_view::npos || count == 0) return text;
  for (; found != std::string_view::npos && count > 0; --count) {
    m.work(fresh.text().size());
    out.append(text.substring(at, found - at));
    out.append(fresh);
    at = found + wanted.size();
    found = find_text(all, wanted, at);
  }
  out.append(text.substring(at, all.size() - at));
  return out.finish();
}

namespace {

std::string convert_case(std::string_view text, Case to) {
  switch (to) {
    case Case::kUpper:
      return to_upper(text);
    case Case::kLower:
      return to_lower(text);
    case Case::kTitle:
      return to_title(text);
    default:
      return to_capitalized(text);
  }
}

// Upper or lower case of text that is ASCII, where no letter depends on another.
Value change_ascii_case(Machine& m, const Value& text, bool upper) {
  m.work(text.text().size() * 2);
  TextBuilder out(m.heap());
  text.each_run([&](std::string_view run, bool data) {
    char buffer[256];
    for (size_t at = 0; at < run.size(); at += sizeof buffer) {
      const std::string_view part = run.substr(at, sizeof buffer);
      std::transform(part.begin(), part.end(), buffer, [upper](char c) {
        const bool letter = upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        return static_cast<char>(letter ? c ^ 0x20 : c);
      });
      out.append(std::string_view(buffer, part.size()), data);
    }
  });
  return out.finish();
}

}  // namespace

Value change_case(Machine& m, const Value& text, Case to) {
  if (text.ascii() && (to == Case::kUpper || to == Case::kLower))
    return change_ascii_case(m, text, to == Case::kUpper);
  m.work(text.text().size() * 32);
  const size_t allowed = m.options().budget.max_memory_bytes;
  if (text.text().size() > allowed / 4)  // case mapping makes up to three of one
    m.exhausted("bytes of values", static_cast<int64_t>(allowed));
  const std::string whole = convert_case(text.text(), to);
  TextBuilder out(m.heap());
  if (text.origin() != Origin::kMixed) {
    out.append(whole, text.origin() == Origin::kData);
    return out.finish();
  }
  // Piece by piece keeps the provenance, if the pieces do not depend on each other.
  bool first = true;
  text.each_run([&](std::string_view run, bool data) {
    const Case piece = to == Case::kCapitalize && !first ? Case::kLower : to;
    out.append(convert_case(run, piece), data);
    first = false;
  });
  Value pieces = out.finish();
  if (pieces.text() == whole) return pieces;
  return m.text(whole, Origin::kData);
}

Ref<ListNode> split_lines(Machine& m, const Value& text, bool keep_ends) {
  const std::string_view all = text.text();
  m.work(all.size());
  Ref<ListNode> out = m.new_list();
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin, size = 0;
    while (end < all.size() && !is_line_end(code_point_at(all, end, size))) end += size;
    size_t after = end;
    if (end < all.size()) {
      after += size;
      if (all[end] == '\r' && after < all.size() && all[after] == '\n') ++after;
    }
    m.step();
    out->push(text.substring(begin, (keep_ends ? after : end) - begin));
    begin = after;
  }
  return out;
}

Value join_texts(Machine& m, const Value& separator, const Ref<ListNode>& items, bool strict) {
  TextBuilder out(m.heap());
  bool first = true;
  for (const Value& item : items->items) {
    if (strict && !item.is_string())
      m.fail("join needs strings, not " + std::string(type_name(item)));
    if (!first) {
      m.work(separator.text().size());
      out.append(separator);
    }
    first = false;
    append_string(m, out, item);
  }
  return out.finish();
}

Value reverse_text(Machine& m, const Value& text) {
  return get_slice(m, text, Value::none(), Value::none(), Value::integer(-1));
}

Value escape_text(Machine& m, const Value& text) {
  TextBuilder out(m.heap());
  m.work(text.text().size());
  text.each_run([&](std::string_view run, bool data) {
    size_t begin = 0;
    for (size_t at = 0; at < run.size(); ++at) {
      std::string_view entity;
      switch (run[at]) {
        case '&':
          entity = "&amp;";
          break;
        case '<':
          entity = "&lt;";
          break;
        case '>':
          entity = "&gt;";
          break;
        case '"':
          entity = "&#34;";
          break;
        case '\'':
          entity = "&#39;";
          break;
        default:
          continue;
      }
      out.append(run.substr(begin, at - begin), data);
      out.append(entity, data);
      begin = at + 1;
    }
    out.append(run.substr(begin), data);
  });
  return out.finish().with_markup(true);
}

Value ignore_case(Machine& m, const Value& value) {
  return value.is_string() ? change_case(m, value, Case::kLower) : value;
}

namespace {

using Keyed = std::vector<std::pair<Value, Value>>;

// Merges the sorted runs [begin, middle) and [middle, end) of `from` into `to`; of equal items the
// one in front stays in front.
void merge_runs(Machine& m, const Keyed& keyed, const std::vector<uint32_t>& from,
                std::vector<uint32_t>& to, size_t begin, size_t middle, size_t end, bool reverse) {
  size_t left = begin, right = middle;
  for (size_t at = begin; at < end; ++at) {
    bool take_right = left == middle;
    if (!take_right && right < end) {
      const Value& a = keyed[from[left]].first;
      const Value& b = keyed[from[right]].first;
      take_right = reverse ? less(m, a, b) : less(m, b, a);
    }
    to[at] = from[take_right ? right++ : left++];
  }
}

}  // namespace

std::vector<uint32_t> sorted_order(Machine& m, const Keyed& keyed, bool reverse) {
  std::vector<uint32_t> order(keyed.size()), other(keyed.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<uint32_t>(i);
    const Value& key = keyed[i].first;
    if (key.is(Kind::kFloat) && key.as_real() != key.as_real()) m.refuse("sorting by NaN");
  }
  for (size_t width = 1; width < order.size(); width *= 2) {
    for (size_t begin = 0; begin < order.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, order.size());
      merge_runs(m, keyed, order, other, begin, middle, std::min(middle + width, order.size()),
                 reverse);
    }
    order.swap(other);
  }
  return order;
}

}  // namespace tulou::text::jinja
