// str.format of Python.
#include <algorithm>

#include "base/number.h"
#include "text/template_filters.h"
#include "text/template_format.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Machine& m, const Value& format, const CallArgs& args)
      : m_(m), format_(format), text_(format.text()), args_(args), out_(m.heap()) {}

  Value run();

 private:
  void field(std::string_view inside);
  Value look_up(std::string_view path);
  Value first_value(std::string_view name);
  FormatSpec parse_spec(std::string_view spec);
  void write(const Value& value, const FormatSpec& spec);

  Machine& m_;
  const Value format_;
  std::string_view text_;
  const CallArgs& args_;
  TextBuilder out_;
  int64_t automatic_ = 0;
  bool manual_ = false;
};

Value BraceFormatter::first_value(std::string_view name) {
  int64_t index = automatic_;
  if (name.empty()) {
    if (manual_) m_.fail("a format mixes {} and {0}");
    ++automatic_;
  } else if (const auto number = base::parse_int(name); number && name[0] != '-') {
    if (automatic_ > 0) m_.fail("a format mixes {} and {0}");
    manual_ = true;
    index = *number;
  } else {
    for (const auto& [key, value] : args_.named)
      if (key == name) return value;
    m_.fail("the format's key '" + std::string(name) + "' is missing");
  }
  if (index >= static_cast<int64_t>(args_.positional.size()))
    m_.fail("not enough arguments for the format");
  return args_.positional[static_cast<size_t>(index)];
}

// "name", "0.attribute", "name[key]" and chains of these.
Value BraceFormatter::look_up(std::string_view path) {
  size_t at = std::min(path.find_first_of(".["), path.size());
  Value value = first_value(path.substr(0, at));
  while (at < path.size()) {
    m_.step();
    if (path[at] == '.') {
      const size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
      if (end == at + 1) m_.fail("an empty attribute in a format");
      // The name must outlive an undefined value made from it.
      const Value name =
          format_.substring(static_cast<size_t>(path.data() - text_.data()) + at + 1, end - at - 1);
      value = get_attribute(m_, value, name.text());
      at = end;
      continue;
    }
    const size_t end = path.find(']', at);
    if (path[at] != '[' || end == std::string_view::npos || end == at + 1)
      m_.fail("a malformed index in a format");
    const Value key =
        format_.substring(static_cast<size_t>(path.data() - text_.data()) + at + 1, end - at - 1);
    const auto number = base::parse_int(key.text());
    value = get_item(m_, value, number && key.text()[0] != '-' ? Value::integer(*number) : key);
    at = end + 1;
  }
  return value;
}

FormatSpec BraceFormatter::parse_spec(std::string_view spec) {
  FormatSpec out;
  size_t at = 0, size = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!spec.empty()) code_point_at(spec, 0, size);
  if (size > 0 && size < spec.size() && is_align(spec[size])) {
    out.fill = spec.substr(0, size);
    out.align = spec[size];
    at = size + 1;
  } else if (!spec.empty() && is_align(spec[0])) {
    out.align = spec[0];
    at = 1;
  }
  const auto take = [&](char c) {
    if (at >= spec.size() || spec[at] != c) return false;
    ++at;
    return true;
  };
  const auto number = [&](int64_t limit) {
    int64_t value = 0;
    for (; at < spec.size() && spec[at] >= '0' && spec[at] <= '9'; ++at) {
      value = value * 10 + (spec[at] - '0');
      if (value > limit) m_.refuse("a width or a precision this large");
    }
    return value;
  };
  if (take('+')) {
    out.sign = '+';
  } else if (take(' ')) {
    out.sign = ' ';
  } else {
    take('-');
  }
  out.alternate = take('#');
  out.zero = take('0');
  out.width = number(kMaxWidth);
  out.grouped = take(',');
  if (take('.')) out.precision = number(kMaxPrecision);
  if (at < spec.size()) out.type = spec[at++];
  if (at < spec.size()) m_.refuse("the format '" + std::string(spec) + "'");
  return out;
}

void BraceFormatter::write(const Value& value, const FormatSpec& spec) {
  static constexpr std::string_view kIntegers = "dxXob", kReals = "eEfFgG%";
  if (value.is_string() && !value.markup()) {
    if (spec.type != 0 && spec.type != 's') m_.fail("this format does not fit a string");
    if (spec.align == '=' || spec.sign != '-' || spec.alternate || spec.grouped || spec.zero)
      m_.refuse("this format of a string");
    format_string(m_, out_, value, spec);
    return;
  }
  const bool plain = spec.type == 0 && spec.width == 0 && spec.precision < 0 && spec.sign == '-' &&
                     !spec.alternate && !spec.grouped && !spec.zero && spec.align == 0;
  if (plain) {
    append_string(m_, out_, value);
    return;
  }
  if (!value.is_number())
    m_.refuse("this format of a value of type " + std::string(type_name(value)));
  const bool integer = spec.type == 0 || kIntegers.find(spec.type) != std::string_view::npos;
  const bool real = kReals.find(spec.type) != std::string_view::npos;
  if (value.is(Kind::kFloat) ? !(real || spec.type == 0) : !(integer || real))
    m_.fail("this format does not fit the number");
  if (value.is(Kind::kBoolean) && spec.type == 0) m_.refuse("this format of a boolean");
  if (!value.is(Kind::kFloat) && integer && spec.precision >= 0)
    m_.fail("a precision does not fit an integer");
  if (real && !value.is(Kind::kFloat)) {
    format_number(m_, out_, Value::real(real_of(value)).with_origin(value.origin()), spec);
  } else {
    format_number(m_, out_, value, spec);
  }
}

void BraceFormatter::field(std::string_view inside) {
  if (inside.find('{') != std::string_view::npos) m_.refuse("a nested field in a format");
  const size_t colon = inside.find(':');
  std::string_view path = inside.substr(0, colon);
  const std::string_view spec =
      colon == std::string_view::npos ? std::string_view() : inside.substr(colon + 1);
  char conversion = 0;
  if (const size_t mark = path.find('!'); mark != std::string_view::npos) {
    if (mark + 2 != path.size()) m_.fail("a malformed conversion in a format");
    conversion = path[mark + 1];
    path = path.substr(0, mark);
  }
  Value value = look_up(path);
  if (conversion == 's') {
    value = to_string(m_, value);
  } else if (conversion == 'r') {
    TextBuilder repr(m_.heap());
    append_repr(m_, repr, value);
    value = repr.finish();
  } else if (conversion != 0) {
    m_.refuse("the conversion '!" + std::string(1, conversion) + "' in a format");
  }
  if (value.is_undefined()) {
    if (!spec.empty()) m_.fail_undefined(value);
    return;
  }
  write(value, parse_spec(spec));
}

Value BraceFormatter::run() {
  for (size_t at = 0; at < text_.size();) {
    m_.step();
    const size_t brace = std::min(text_.find_first_of("{}", at), text_.size());
    out_.append(format_.substring(at, brace - at));
    if (brace >= text_.size()) break;
    if (brace + 1 < text_.size() && text_[brace + 1] == text_[brace]) {
      out_.append(format_.substring(brace, 1));
      at = brace + 2;
      continue;
    }
    if (text_[brace] == '}') m_.fail("a single '}' in a format");
    const size_t end = text_.find('}', brace);
    if (end == std::string_view::npos) m_.fail("a single '{' in a format");
    field(text_.substr(brace + 1, end - brace - 1));
    at = end + 1;
  }
  return out_.finish();
}

}  // namespace

Value brace_format(Machine& m, const Value& format, const CallArgs& args) {
  return BraceFormatter(m, format, args).run();
}

}  // namespace tulou::text::jinja
