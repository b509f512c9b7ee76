// str() and repr() of Python.
#include <charconv>
#include <cmath>

#include "text/template_filters.h"
#include "text/template_loop.h"
#include "text/template_machine.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(written.ptr - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(),
                  exponent);
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  std::string out = text[0] == '-' ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    out += exponent < 0 ? "e-" : "e+";
    const int size = exponent < 0 ? -exponent : exponent;
    return out + (size < 10 ? "0" : "") + std::to_string(size);
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return out + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  const auto whole = static_cast<size_t>(exponent + 1);
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string number_text(const Value& number) {
  switch (number.kind()) {
    case Kind::kBoolean:
      return number.as_integer() != 0 ? "True" : "False";
    case Kind::kInteger:
      return std::to_string(number.as_integer());
    case Kind::kUnsigned:
      return std::to_string(number.as_unsigned());
    default:
      return float_repr(number.as_real());
  }
}

namespace {

void append_escaped(std::string& out, uint32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  out += '\\';
  out += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
  for (int i = digits - 1; i >= 0; --i) out += kHex[(c >> (4 * i)) & 15];
}

// One character inside of a repr with the given quote.
void append_quoted(std::string& out, std::string_view bytes, uint32_t c, char quote) {
  if (c == static_cast<unsigned char>(quote) || c == '\\') {
    out += '\\';
    out += bytes;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (is_printable(c)) {
    out += bytes;
  } else {
    append_escaped(out, c);
  }
}

void append_string_repr(Machine& m, TextBuilder& out, const Value& value) {
  const std::string_view text = value.text();
  m.work(text.size() * 8);
  const bool single =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = single ? '"' : '\'';
  const bool data = value.origin() != Origin::kTemplate;
  if (value.markup()) out.append("Markup(", false);
  out.append(std::string_view(&quote, 1), data);
  value.each_run([&](std::string_view run, bool from_data) {
    std::string piece;
    for (size_t at = 0, size = 0; at < run.size(); at += size) {
      const uint32_t c = code_point_at(run, at, size);
      append_quoted(piece, run.substr(at, size), c, quote);
      if (piece.size() > 4096) {
        out.append(piece, from_data);
        piece.clear();
      }
    }
    out.append(piece, from_data);
  });
  out.append(std::string_view(&quote, 1), data);
  if (value.markup()) out.append(")", false);
}

void append_items(Machine& m, TextBuilder& out, const Value& value, bool data) {
  const auto& items = value.as<ListNode>().items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ", data);
    append_repr(m, out, items[i]);
  }
}

void append_dict(Machine& m, TextBuilder& out, const Value& value, bool data) {
  out.append("{", data);
  bool first = true;
  for (const auto& [key, item] : value.as<DictNode>().entries) {
    if (!first) out.append(", ", data);
    first = false;
    append_repr(m, out, key);
    out.append(": ", data);
    append_repr(m, out, item);
  }
  out.append("}", data);
}

void append_range(TextBuilder& out, const RangeNode& range, bool data) {
  out.append("range(" + std::to_string(range.start) + ", " + std::to_string(range.stop), data);
  if (range.step != 1) out.append(", " + std::to_string(range.step), data);
  out.append(")", data);
}

void append_view(Machine& m, TextBuilder& out, const Value& value) {
  static constexpr std::string_view kNames[] = {"dict_items([", "dict_keys([", "dict_values(["};
  out.append(kNames[static_cast<size_t>(value.as<ViewNode>().view)], false);
  append_items(m, out, m.list(to_list(m, value)), false);
  out.append("])", false);
}

}  // namespace

void append_repr(Machine& m, TextBuilder& out, const Value& value) {
  m.step();
  const Machine::Deeper deeper(m);
  const bool data = value.from_data();
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      out.append("Undefined", false);
      return;
    case Kind::kNone:
      out.append("None", data);
      return;
    case Kind::kBoolean:
    case Kind::kInteger:
    case Kind::kUnsigned:
    case Kind::kFloat:
      out.append(number_text(value), data);
      return;
    case Kind::kString:
      append_string_repr(m, out, value);
      return;
    case Kind::kList:
      out.append("[", data);
      append_items(m, out, value, data);
      out.append("]", data);
      return;
    case Kind::kTuple:
      out.append("(", data);
      append_items(m, out, value, data);
      out.append(value.as<ListNode>().items.size() == 1 ? ",)" : ")", data);
      return;
    case Kind::kDict:
      append_dict(m, out, value, data);
      return;
    case Kind::kRange:
      append_range(out, value.as<RangeNode>(), data);
      return;
    case Kind::kView:
      append_view(m, out, value);
      return;
    case Kind::kNamespace:
      out.append("<Namespace ", false);
      append_repr(m, out, value.as<NamespaceNode>().attributes);
      out.append(">", false);
      return;
    case Kind::kMacro: {
      const Stmt& stmt = *value.as<MacroNode>().stmt;
      const bool named = stmt.kind == StmtKind::kMacro;
      out.append(named ? "<Macro '" + stmt.function->name + "'>" : "<Macro 'caller'>", false);
      return;
    }
    case Kind::kLoop: {
      auto& loop = value.as<LoopNode>();
      out.append("<LoopContext " + std::to_string(loop.index0 + 1) + "/" +
                     std::to_string(loop_length(m, loop)) + ">",
                 false);
      return;
    }
    default:
      m.refuse("printing a value of type " + std::string(type_name(value)));
  }
}

void append_string(Machine& m, TextBuilder& out, const Value& value) {
  if (value.is_undefined()) return;
  if (value.is_string()) {
    m.work(value.text().size());
    out.append(value);
  } else {
    append_repr(m, out, value);
  }
}

Value to_string(Machine& m, const Value& value) {
  if (value.is_string() && !value.markup()) return value;
  if (value.is_string()) return Value(value).with_markup(false);
  TextBuilder out(m.heap());
  append_string(m, out, value);
  return out.finish();
}

}  // namespace tulou::text::jinja
