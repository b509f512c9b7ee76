#include "grammar/rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace tulou::grammar {
namespace {

// The limits of the lengths of UTF-8 and of its special second bytes (Unicode, table 3-7): a range
// that lies within one of them is well formed however it is cut into bytes.
constexpr std::array<CodePoints, 8> kUtf8Blocks = {{{0, 0x7F},
                                                    {0x80, 0x7FF},
                                                    {0x800, 0xFFF},
                                                    {0x1000, 0xD7FF},
                                                    {0xE000, 0xFFFF},
                                                    {0x10000, 0x3FFFF},
                                                    {0x40000, 0xFFFFF},
                                                    {0x100000, 0x10FFFF}}};

void write_hex(std::string& out, char32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += "0123456789abcdef"[(value >> shift) & 15];
  }
}

void write_in_class(std::string& out, char32_t c) {
  const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  if (plain) {
    out += static_cast<char>(c);
  } else if (c < 0x10000) {
    out += "\\u";
    write_hex(out, c, 4);
  } else {
    out += "\\U";
    write_hex(out, c, 8);
  }
}

void write_class(std::string& out, const std::vector<CodePoints>& ranges) {
  out += '[';
  for (const CodePoints& range : ranges) {
    for (const CodePoints& block : kUtf8Blocks) {
      const char32_t first = std::max(range.first, block.first);
      const char32_t last = std::min(range.last, block.last);
      if (first > last) continue;
      write_in_class(out, first);
      if (last > first) {
        out += '-';
        write_in_class(out, last);
      }
    }
  }
  out += ']';
}

void write_literal(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u";
      write_hex(out, byte, 4);
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

std::vector<CodePoints> all_code_points() { return {{0, 0xD7FF}, {0xE000, 0x10FFFF}}; }

std::vector<CodePoints> subtract(std::vector<CodePoints> from, std::vector<CodePoints> without) {
  const auto by_first = [](const CodePoints& a, const CodePoints& b) { return a.first < b.first; };
  std::sort(from.begin(), from.end(), by_first);
  std::sort(without.begin(), without.end(), by_first);
  std::vector<CodePoints> left;
  for (CodePoints range : from) {
    if (!left.empty() && range.first <= left.back().last) {  // overlaps what was kept
      if (range.last <= left.back().last) continue;
      range.first = left.back().last + 1;
    }
    bool open = true;
    for (const CodePoints& hole : without) {
      if (hole.last < range.first || hole.first > range.last) continue;
      if (hole.first > range.first) left.push_back({range.first, hole.first - 1});
      if (hole.last >= range.last) {
        open = false;
        break;
      }
      range.first = hole.last + 1;
    }
    if (open) left.push_back(range);
  }
  return left;
}

std::u32string to_code_points(std::string_view utf8) {
  std::u32string text;
  for (size_t at = 0; at < utf8.size();) {
    const base::Utf8Step step = base::decode_utf8(utf8, at);
    text += static_cast<char32_t>(step.code_point);
    at += step.length;
  }
  return text;
}

Rules::Expr Rules::add(Node node) {
  if (nodes_.size() >= kMaxExpressions) {
    throw base::Error("grammar.too_large", "expressions", kMaxExpressions);
  }
  for (const Expr part : node.parts) node.size += this->node(part).size;
  if (node.kind == Kind::kRepeat && !is_countable(node.parts[0])) {
    node.size *= std::max(1u, node.max == kUnbounded ? node.min : node.max);
    if (node.size > 2 * kMaxRepetitions) {
      throw base::Error("grammar.too_large", "repetitions within each other", kMaxRepetitions);
    }
  }
  nodes_.push_back(std::move(node));
  return static_cast<Expr>(nodes_.size() - 1);
}

Rules::Expr Rules::nothing() { return add({.kind = Kind::kChoice}); }

Rules::Expr Rules::literal(std::string_view text) {
  return add({.kind = Kind::kLiteral, .text = std::string(text)});
}

Rules::Expr Rules::one_of(std::vector<CodePoints> code_points) {
  if (code_points.empty()) return nothing();
  return add({.kind = Kind::kClass, .code_points = std::move(code_points)});
}

Rules::Expr Rules::sequence(std::vector<Expr> parts) {
  return add({.kind = Kind::kSequence, .parts = std::move(parts)});
}

Rules::Expr Rules::choice(std::vector<Expr> options) {
  return add({.kind = Kind::kChoice, .parts = std::move(options)});
}

Rules::Expr Rules::repeat(Expr body, uint32_t min, uint32_t max) {
  return add({.kind = Kind::kRepeat, .parts = {body}, .min = min, .max = max});
}

Rules::Rule Rules::declare() {
  if (bodies_.size() >= kMaxExpressions) {
    throw base::Error("grammar.too_large", "rules", kMaxExpressions);
  }
  const Expr undefined = nothing();
  bodies_.push_back(undefined);
  return static_cast<Rule>(bodies_.size() - 1);
}

void Rules::define(Rule rule, Expr body) { bodies_[static_cast<size_t>(rule)] = body; }

Rules::Expr Rules::call(Rule rule) { return add({.kind = Kind::kCall, .rule = rule}); }

Rules::Expr Rules::shared(Expr body) {
  const Rule rule = declare();
  define(rule, body);
  return call(rule);
}

bool Rules::is_empty_allowed(Expr expr) const {
  const Node& n = node(expr);
  const auto part_allows = [&](Expr part) { return is_empty_allowed(part); };
  switch (n.kind) {
    case Kind::kLiteral:
      return n.text.empty();
    case Kind::kClass:
      return false;
    case Kind::kSequence:
      return std::all_of(n.parts.begin(), n.parts.end(), part_allows);
    case Kind::kChoice:
      return std::any_of(n.parts.begin(), n.parts.end(), part_allows);
    case Kind::kRepeat:
      return n.min == 0 || part_allows(n.parts[0]);
    case Kind::kCall:
      return is_empty_allowed(bodies_[static_cast<size_t>(n.rule)]);
  }
  return false;
}

bool Rules::is_countable(Expr expr) const {
  const auto is_short = [&](auto& self, Expr part) -> bool {
    const Node& n = node(part);
    if (n.kind == Kind::kCall) return false;
    if (n.kind == Kind::kRepeat && (n.max == kUnbounded ? n.min : n.max) > kFewRounds) return false;
    return std::all_of(n.parts.begin(), n.parts.end(), [&](Expr one) { return self(self, one); });
  };
  return is_short(is_short, expr) && !is_empty_allowed(expr);
}

bool Rules::is_finite(Expr expr, const std::vector<bool>& finite) const {
  const Node& n = node(expr);
  const auto part_is_finite = [&](Expr part) { return is_finite(part, finite); };
  switch (n.kind) {
    case Kind::kLiteral:
    case Kind::kClass:
      return true;
    case Kind::kSequence:
      return std::all_of(n.parts.begin(), n.parts.end(), part_is_finite);
    case Kind::kChoice:
      return std::any_of(n.parts.begin(), n.parts.end(), part_is_finite);
    case Kind::kRepeat:
      return n.min <= n.max && (n.min == 0 || part_is_finite(n.parts[0]));
    case Kind::kCall:
      return finite[static_cast<size_t>(n.rule)];
  }
  return false;
}

// Which rules match at least one finite text: the least fixed point, a round for each new level.
std::vector<bool> Rules::finite_rules() const {
  std::vector<bool> finite(bodies_.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    // Backwards: a rule is mostly declared before those that it calls.
    for (size_t i = bodies_.size(); i-- > 0;) {
      if (!finite[i] && is_finite(bodies_[i], finite)) {
        finite[i] = true;
        changed = true;
      }
    }
  }
  return finite;
}

// In parentheses unless it is one element already.
void Rules::write_group(std::string& out, Expr expr, const std::vector<bool>& finite) const {
  const Kind kind = node(expr).kind;
  const bool single = kind == Kind::kLiteral || kind == Kind::kClass || kind == Kind::kCall;
  if (!single) out += '(';
  write(out, expr, finite);
  if (!single) out += ')';
}

void Rules::write(std::string& out, Expr expr, const std::vector<bool>& finite) const {
  const Node& n = node(expr);
  switch (n.kind) {
    case Kind::kLiteral:
      return write_literal(out, n.text);
    case Kind::kClass:
      return write_class(out, n.code_points);
    case Kind::kCall:
      out += "r" + std::to_string(static_cast<size_t>(n.rule));
      return;
    case Kind::kSequence:
      if (n.parts.empty()) out += "\"\"";
      for (size_t i = 0; i < n.parts.size(); ++i) {
        if (i > 0) out += ' ';
        write_group(out, n.parts[i], finite);
      }
      return;
    case Kind::kChoice: {
      bool first = true;
      for (const Expr option : n.parts) {
        if (!is_finite(option, finite)) continue;
        if (!first) out += " | ";
        first = false;
        write_group(out, option, finite);
      }
      return;
    }
    case Kind::kRepeat:
      if (n.max == 0 || !is_finite(n.parts[0], finite)) {
        out += "\"\"";
        return;
      }
      write_group(out, n.parts[0], finite);
      if (n.max != kUnbounded) {
        out += "{" + std::to_string(n.min) + "," + std::to_string(n.max) + "}";
      } else if (n.min == 0) {
        out += '*';
      } else {
        out += "{" + std::to_string(n.min) + ",}";
      }
      return;
  }
}

std::string Rules::ebnf(Rule root) const {
  const std::vector<bool> finite = finite_rules();
  if (!finite[static_cast<size_t>(root)]) throw base::Error("grammar.unsatisfiable");
  // Only what can be reached, so that unused helpers make no difference.
  std::vector<bool> seen(bodies_.size(), false);
  std::vector<Rule> waiting = {root};
  seen[static_cast<size_t>(root)] = true;
  std::string out = "root ::= r" + std::to_string(static_cast<size_t>(root)) + "\n";
  std::vector<Expr> stack;
  while (!waiting.empty()) {
    const Rule rule = waiting.back();
    waiting.pop_back();
    const Expr body = bodies_[static_cast<size_t>(rule)];
    out += "r" + std::to_string(static_cast<size_t>(rule));
    out += " ::= ";
    write(out, body, finite);
    out += '\n';
    for (stack.assign(1, body); !stack.empty();) {
      const Node& n = node(stack.back());
      stack.pop_back();
      if (n.kind == Kind::kCall && !seen[static_cast<size_t>(n.rule)] &&
          finite[static_cast<size_t>(n.rule)]) {
        seen[static_cast<size_t>(n.rule)] = true;
        waiting.push_back(n.rule);
      }
      stack.insert(stack.end(), n.parts.begin(), n.parts.end());
    }
  }
  return out;
}

}  // namespace tulou::grammar
