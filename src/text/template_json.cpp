// json.dumps() of Python, as chat templates call it.
#include <cmath>

#include "text/template_filters.h"
#include "text/template_machine.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(Machine& m, const JsonStyle& style) : m_(m), style_(style), out_(m.heap()) {}

  void write(const Value& value, int level);
  Value finish() { return out_.finish(); }

 private:
  void write_string(const Value& value);
  void write_list(const Value& value, int level);
  void write_dict(const Value& value, int level);
  void write_key(const Value& key);
  void new_line(int level, bool data);
  void escape(std::string& piece, std::string_view bytes, uint32_t c) const;

  Machine& m_;
  const JsonStyle& style_;
  TextBuilder out_;
};

void JsonWriter::new_line(int level, bool data) {
  if (!style_.indent) return;
  std::string line = "\n";
  for (int i = 0; i < level; ++i) {
    m_.work(style_.indent->size());
    line += *style_.indent;
    if (line.size() > 1u << 16) m_.exhausted("bytes of indentation", 1 << 16);
  }
  out_.append(line, data);
}

std::string json_number(const Value& value) {
  if (value.is(Kind::kBoolean)) return value.as_integer() != 0 ? "true" : "false";
  if (value.is(Kind::kFloat)) {
    if (std::isnan(value.as_real())) return "NaN";
    if (std::isinf(value.as_real())) return value.as_real() < 0 ? "-Infinity" : "Infinity";
  }
  return number_text(value);
}

void append_hex4(std::string& out, uint32_t unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15];
}

void JsonWriter::escape(std::string& piece, std::string_view bytes, uint32_t c) const {
  switch (c) {
    case '"':
      piece += "\\\"";
      return;
    case '\\':
      piece += "\\\\";
      return;
    case '\n':
      piece += "\\n";
      return;
    case '\r':
      piece += "\\r";
      return;
    case '\t':
      piece += "\\t";
      return;
    case '\f':
      piece += "\\f";
      return;
    case '\b':
      piece += "\\b";
      return;
    default:
      break;
  }
  if (c < 0x20 || (style_.ascii && c > 0x7e && c < 0x10000)) {
    append_hex4(piece, c);
  } else if (style_.ascii && c >= 0x10000) {
    append_hex4(piece, 0xd800 + ((c - 0x10000) >> 10));
    append_hex4(piece, 0xdc00 + ((c - 0x10000) & 0x3ff));
  } else {
    piece += bytes;
  }
}

void JsonWriter::write_string(const Value& value) {
  const bool data = value.origin() != Origin::kTemplate;
  m_.work(value.text().size() * 4);
  out_.append("\"", data);
  value.each_run([&](std::string_view run, bool from_data) {
    size_t plain = 0;  // where text begins that needs no escape
    for (size_t at = 0, size = 0; at < run.size(); at += size) {
      const auto byte = static_cast<unsigned char>(run[at]);
      size = 1;
      if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7f || !style_.ascii)) continue;
      const uint32_t c = code_point_at(run, at, size);
      std::string piece;
      m_.step();
      escape(piece, run.substr(at, size), c);
      out_.append(run.substr(plain, at - plain), from_data);
      out_.append(piece, from_data);
      plain = at + size;
    }
    out_.append(run.substr(plain), from_data);
  });
  out_.append("\"", data);
}

void JsonWriter::write_list(const Value& value, int level) {
  const auto& items = value.as<ListNode>().items;
  const bool data = value.from_data();
  out_.append("[", data);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out_.append(style_.item_separator, data);
    new_line(level + 1, data);
    write(items[i], level + 1);
  }
  if (!items.empty()) new_line(level, data);
  out_.append("]", data);
}

void JsonWriter::write_key(const Value& key) {
  if (key.is_string()) {
    write_string(key);
  } else if (key.is_number() || key.is(Kind::kNone)) {
    const std::string text = key.is(Kind::kNone) ? "null" : json_number(key);
    out_.append("\"" + text + "\"", key.from_data());
  } else {
    m_.fail("keys of JSON must be strings, not " + std::string(type_name(key)));
  }
}

void JsonWriter::write_dict(const Value& value, int level) {
  const auto& entries = value.as<DictNode>().entries;
  const HeapLoan loan(m_.heap(), entries.size() * 2 * sizeof(uint32_t));
  std::vector<uint32_t> order;
  if (style_.sort_keys) order = sorted_order(m_, entries, false);
  const bool data = value.from_data();
  out_.append("{", data);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) out_.append(style_.item_separator, data);
    new_line(level + 1, data);
    const auto& [key, item] = entries[style_.sort_keys ? order[i] : i];
    write_key(key);
    out_.append(style_.key_separator, data);
    write(item, level + 1);
  }
  if (!entries.empty()) new_line(level, data);
  out_.append("}", data);
}

void JsonWriter::write(const Value& value, int level) {
  m_.step(2);
  const Machine::Deeper deeper(m_);
  switch (value.kind()) {
    case Kind::kNone:
      out_.append("null", value.from_data());
      return;
    case Kind::kBoolean:
    case Kind::kInteger:
    case Kind::kUnsigned:
    case Kind::kFloat:
      out_.append(json_number(value), value.from_data());
      return;
    case Kind::kString:
      write_string(value);
      return;
    case Kind::kList:
    case Kind::kTuple:
      write_list(value, level);
      return;
    case Kind::kDict:
      write_dict(value, level);
      return;
    default:
      if (value.is_undefined()) m_.fail("an undefined value cannot be JSON");
      m_.fail("a value of type " + std::string(type_name(value)) + " cannot be JSON");
  }
}

}  // namespace

Value to_json(Machine& m, const Value& value, const JsonStyle& style) {
  JsonWriter writer(m, style);
  writer.write(value, 0);
  return writer.finish();
}

}  // namespace tulou::text::jinja
