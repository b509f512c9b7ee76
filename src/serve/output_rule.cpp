#include "serve/output_rule.h"

#include "base/error.h"
#include "serve/field.h"

namespace tulou::serve {
namespace {

void take(OutputRule rule, const std::string& path, OutputRule& into) {
  if (into.kind != OutputRule::Kind::kNone)
    throw base::Error("request.conflict", path,
                      "the request has another rule for its output, " + into.param);
  rule.param = path;
  into = std::move(rule);
}

// A schema as text. An object, true or false; also as a string that holds one (older clients).
std::string schema_text(const base::Json& value, const std::string& path) {
  base::Json parsed;
  if (value.is_string()) {
    parsed = base::parse_json(read_string(value, path, 1, kMaxRuleBytes), path,
                              {.max_values = kMaxJsonValues, .max_members = kMaxJsonMembers});
  }
  const base::Json& schema = value.is_string() ? parsed : value;
  if (!schema.is_boolean()) read_object(schema, path);
  std::string text = base::to_json_text(schema);
  if (std::cmp_greater(text.size(), kMaxRuleBytes))
    throw base::Error("request.too_long", path, text.size(), kMaxRuleBytes);
  return text;
}

std::vector<std::string> choices(const base::Json& value, const std::string& path) {
  read_array(value, path, kMaxRuleChoices);
  if (value.empty()) throw base::Error("request.empty", path);
  std::vector<std::string> result;
  for (size_t i = 0; i < value.size(); ++i)
    result.push_back(read_string(value[i], item_path(path, i), 1, kMaxRuleChoiceBytes));
  return result;
}

}  // namespace

void read_response_format(const base::Json& value, const std::string& path, OutputRule& rule) {
  read_object(value, path);
  const size_t type = read_word(member(value, path, "type"), member_path(path, "type"),
                                {"text", "json_object", "json_schema"});
  if (type == 0) return;
  const base::Json* direct = find_member(value, "schema");
  if (type == 1 && direct == nullptr) return take({OutputRule::Kind::kJsonObject}, path, rule);
  std::string schema_path = member_path(path, "schema");
  if (direct == nullptr) {
    const std::string inner_path = member_path(path, "json_schema");
    const base::Json& inner = read_object(member(value, path, "json_schema"), inner_path);
    schema_path = member_path(inner_path, "schema");
    direct = &member(inner, inner_path, "schema");
  }
  take({OutputRule::Kind::kJsonSchema, schema_text(*direct, schema_path)}, schema_path, rule);
}

void read_guided(std::string_view kind, const base::Json& value, const std::string& path,
                 OutputRule& rule) {
  using enum OutputRule::Kind;
  if (kind == "choice") return take({kChoice, "", choices(value, path)}, path, rule);
  if (kind == "json") return take({kJsonSchema, schema_text(value, path)}, path, rule);
  const std::string& text = read_string(value, path, 1, kMaxRuleBytes);
  take({kind == "regex" ? kRegex : kGrammar, text}, path, rule);
}

void read_structured_outputs(const base::Json& value, const std::string& path, OutputRule& rule) {
  read_object(value, path);
  const OutputRule::Kind before = rule.kind;
  for (const std::string_view kind : {"choice", "regex", "json", "grammar"}) {
    const base::Json* found = find_member(value, kind);
    if (found != nullptr) read_guided(kind, *found, member_path(path, kind), rule);
  }
  const base::Json* object = find_member(value, "json_object");
  if (object != nullptr && read_boolean(*object, member_path(path, "json_object")))
    take({OutputRule::Kind::kJsonObject}, member_path(path, "json_object"), rule);
  if (find_member(value, "structural_tag") != nullptr)
    throw base::Error("request.unsupported", member_path(path, "structural_tag"), "it");
  if (rule.kind == before)
    throw base::Error("request.bad_value", path, "one of choice, regex, json, grammar");
}

}  // namespace tulou::serve
