// Predicates of Python's strings over their characters.
#include "text/template_string_methods.h"
#include "text/template_unicode.h"
#include "text/unicode.h"

namespace tulou::text::jinja {
namespace {

bool is_character(Machine& m, uint32_t c, Character wanted) {
  const bool digit = c >= '0' && c <= '9';
  const bool letter = c < 0x80 ? (c | 0x20) >= 'a' && (c | 0x20) <= 'z' : is_letter(c);
  switch (wanted) {
    case Character::kAlpha:
      return letter;
    case Character::kSpace:
      return is_space(c);
    case Character::kPrintable:
      return is_printable(c);
    case Character::kAlnum:
      if (letter) return true;
      [[fallthrough]];
    default:
      break;
  }
  if (c < 0x80) return digit;
  // Which numbers are digits is in no table here; letters may be numeric too (CJK).
  if (is_number(c) || (letter && wanted != Character::kDecimal && wanted != Character::kDigit))
    m.refuse("judging digits beyond ASCII");
  return false;
}

}  // namespace

bool all_characters(Machine& m, const Value& text, Character wanted) {
  const std::string_view all = text.text();
  m.work(all.size() * 4);
  for (size_t at = 0, size = 0; at < all.size(); at += size)
    if (!is_character(m, code_point_at(all, at, size), wanted)) return false;
  return !all.empty() || wanted == Character::kPrintable;
}

bool has_case(Machine& m, const Value& text, bool upper) {
  const std::string_view all = text.text();
  m.work(all.size() * 8);
  bool any = false;
  for (size_t at = 0, size = 0; at < all.size(); at += size) {
    const uint32_t c = code_point_at(all, at, size);
    if (c < 0x80) {
      const bool is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z';
      if (upper ? is_lower : is_upper) return false;
      any = any || is_upper || is_lower;
      continue;
    }
    if ((class_of(c) & tables::kCased) == 0) continue;
    const std::string_view one = all.substr(at, size);
    const bool has_upper = to_upper(one) != one, has_lower = to_lower(one) != one;
    if (has_upper == has_lower) m.refuse("judging the case of an unusual letter");
    if (upper ? has_upper : has_lower) return false;
    any = true;
  }
  return any;
}

}  // namespace tulou::text::jinja
