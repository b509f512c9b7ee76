#include "grammar/source.h"

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "grammar/description.h"
#include "grammar/ebnf.h"
#include "grammar/json_text.h"
#include "grammar/regex.h"
#include "grammar/rules.h"
#include "grammar/schema.h"

namespace tulou::grammar {
namespace {

constexpr size_t kMaxChoiceBytes = 256 << 10;

Rules::Expr add_choice(Rules& rules, const std::string& text) {
  if (text.size() > kMaxChoiceBytes) {
    throw base::Error("grammar.too_large", "bytes in a list of choices", kMaxChoiceBytes);
  }
  const base::Json list = base::parse_json(text, "choice");
  if (!list.is_array() || list.empty()) throw base::Error("grammar.invalid_choice");
  std::vector<Rules::Expr> options;
  for (const base::Json& one : list) {
    if (!one.is_string()) throw base::Error("grammar.invalid_choice");
    const std::string option = one.get<std::string>();
    if (option.find('\0') != std::string::npos) throw base::Error("grammar.invalid_choice");
    options.push_back(rules.literal(option));
  }
  return rules.choice(std::move(options));
}

}  // namespace

Rules::Rule add_source(Rules& rules, const GrammarSource& source) {
  JsonText json(rules);
  const auto whole = [&](Rules::Expr body) {
    const Rules::Rule root = rules.declare();
    rules.define(root, body);
    return root;
  };
  switch (source.kind) {
    case GrammarKind::kJsonSchema:
      return add_schema(json, source.text);
    case GrammarKind::kJsonObject:
      return whole(json.object());
    case GrammarKind::kRegex:
      return whole(add_regex(rules, source.text));
    case GrammarKind::kChoice:
      return whole(add_choice(rules, source.text));
    case GrammarKind::kEbnf:
      return add_ebnf(rules, source.text);
    case GrammarKind::kDescription:
      return add_description(rules, json, source.text);
  }
  throw base::Error("grammar.unsatisfiable");
}

}  // namespace tulou::grammar
