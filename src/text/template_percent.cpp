// "..." % arguments and the filter format.
#include <cmath>

#include "text/template_filters.h"
#include "text/template_format.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Machine& m, const Value& format, const Value& arguments)
      : m_(m), format_(format), text_(format.text()), arguments_(arguments), out_(m.heap()) {
    tuple_ = arguments.is(Kind::kTuple);
  }

  Value run();

 private:
  void one();
  bool parse(FormatSpec& spec, const Value*& keyed);
  const Value& next_argument();
  void write(const FormatSpec& spec, const Value& value);
  char peek() const {
    if (at_ >= text_.size()) m_.fail("a format ends in the middle");
    return text_[at_];
  }
  int64_t digits(int64_t limit);

  Machine& m_;
  const Value format_;
  std::string_view text_;
  const Value arguments_;
  bool tuple_;
  size_t at_ = 0;
  size_t used_ = 0;
  bool by_name_ = false;
  TextBuilder out_;
};

const Value& PercentFormatter::next_argument() {
  if (tuple_) {
    const auto& items = arguments_.as<ListNode>().items;
    if (used_ >= items.size()) m_.fail("not enough arguments for the format");
    return items[used_++];
  }
  if (used_++ > 0) m_.fail("not enough arguments for the format");
  return arguments_;
}

int64_t PercentFormatter::digits(int64_t limit) {
  if (peek() == '*') m_.refuse("'*' in a format");
  int64_t value = 0;
  for (; peek() >= '0' && peek() <= '9'; ++at_) {
    value = value * 10 + (text_[at_] - '0');
    if (value > limit) m_.refuse("a width or a precision this large");
  }
  return value;
}

// The part between % and the type.
bool PercentFormatter::parse(FormatSpec& spec, const Value*& keyed) {
  if (peek() == '(') {
    const size_t end = text_.find(')', at_);
    if (end == std::string_view::npos) m_.fail("a format's key is not closed");
    if (!arguments_.is(Kind::kDict)) m_.fail("a format with keys needs a mapping");
    const std::string_view key = text_.substr(at_ + 1, end - at_ - 1);
    if (key.find('(') != std::string_view::npos) m_.refuse("brackets in a format's key");
    keyed = dict_find(m_, arguments_.as<DictNode>(), key);
    if (keyed == nullptr) m_.fail("the format's key '" + std::string(key) + "' is missing");
    by_name_ = true;
    at_ = end + 1;
  }
  bool left = false;
  for (;; ++at_) {
    const char c = peek();
    if (c == '-') {
      left = true;
    } else if (c == '0') {
      spec.zero = true;
    } else if (c == '+' || (c == ' ' && spec.sign != '+')) {
      spec.sign = c;
    } else if (c == '#') {
      spec.alternate = true;
    } else if (c != ' ') {
      break;
    }
  }
  spec.width = digits(kMaxWidth);
  if (peek() == '.') {
    ++at_;
    spec.precision = digits(kMaxPrecision);
  }
  while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
  spec.type = peek();
  ++at_;
  if (left) spec.zero = false;
  spec.align = left ? '<' : 0;
  return true;
}

void PercentFormatter::write(const FormatSpec& given, const Value& value) {
  FormatSpec spec = given;
  if (spec.type == 's' || spec.type == 'r') {
    if (spec.align == 0) spec.align = '>';
    Value shown;
    if (spec.type == 's') {
      shown = to_string(m_, value);
    } else {
      TextBuilder repr(m_.heap());
      append_repr(m_, repr, value);
      shown = repr.finish();
    }
    format_string(m_, out_, shown, spec);
    return;
  }
  static constexpr std::string_view kIntegers = "diuxXo", kReals = "eEfFgG";
  const bool integer = kIntegers.find(spec.type) != std::string_view::npos;
  const bool real = kReals.find(spec.type) != std::string_view::npos;
  if (!integer && !real) m_.refuse("the format '%" + std::string(1, spec.type) + "'");
  if (value.is_undefined()) m_.fail_undefined(value);
  if (!value.is_number())
    m_.fail("the format '%" + std::string(1, spec.type) + "' needs a number, not " +
            std::string(type_name(value)));
  const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
  if (integer && value.is(Kind::kFloat)) {
    if (!decimal) m_.fail("this format needs an integer, not float");
    if (!(std::fabs(value.as_real()) < 9e18)) m_.refuse("an integer of more than 64 bits");
    spec.type = 'd';
    format_number(m_, out_,
                  Value::integer(static_cast<int64_t>(value.as_real())).with_origin(value.origin()),
                  spec);
    return;
  }
  if (decimal) spec.type = 'd';
  if (decimal) spec.alternate = false;
  if (real && spec.alternate) m_.refuse("'#' in this format");
  if (real && !value.is(Kind::kFloat)) {
    format_number(m_, out_, Value::real(real_of(value)).with_origin(value.origin()), spec);
  } else {
    format_number(m_, out_, value, spec);
  }
}

void PercentFormatter::one() {
  FormatSpec spec;
  const Value* keyed = nullptr;
  if (peek() == '%') {
    out_.append("%", format_.from_data());
    ++at_;
    return;
  }
  parse(spec, keyed);
  if (spec.type == '%') m_.refuse("a '%' with flags in a format");
  write(spec, keyed != nullptr ? *keyed : next_argument());
}

Value PercentFormatter::run() {
  if (format_.markup()) m_.refuse("a format marked as safe");
  while (at_ < text_.size()) {
    m_.step();
    const size_t percent = std::min(text_.find('%', at_), text_.size());
    out_.append(format_.substring(at_, percent - at_));
    at_ = percent + 1;
    if (percent < text_.size()) one();
  }
  const bool mapping = arguments_.is(Kind::kDict) || arguments_.is(Kind::kList);
  const size_t given = tuple_ ? arguments_.as<ListNode>().items.size() : 1;
  if (!by_name_ && used_ < given && !(mapping && used_ == 0))
    m_.fail("not all arguments were used by the format");
  return out_.finish();
}

}  // namespace

Value percent_format(Machine& m, const Value& format, const Value& arguments) {
  return PercentFormatter(m, format, arguments).run();
}

}  // namespace tulou::text::jinja
