// JSON Schema: objects. Properties are written in the order in which the schema lists them.
#include <algorithm>
#include <string>
#include <utility>

#include "grammar/regex.h"
#include "grammar/schema_walker.h"

namespace tulou::grammar {
namespace {

constexpr size_t kMaxStates = 20'000;

// Keywords with an effect on which members an object has.
bool has_any(const base::Json& schema, std::initializer_list<const char*> keywords) {
  return std::any_of(keywords.begin(), keywords.end(), [&](const char* keyword) {
    return schema.contains(keyword) && !schema.at(keyword).empty();
  });
}

}  // namespace

std::set<std::string> SchemaWalker::required(const Place& place) const {
  std::set<std::string> names;
  if (!place.has("required")) return names;
  const Json& list = place.at("required");
  if (!list.is_array()) invalid(place, "\"required\" is not a list of names");
  for (const Json& name : list) {
    if (!name.is_string()) invalid(place, "\"required\" is not a list of names");
    names.insert(name.get<std::string>());
  }
  return names;
}

void SchemaWalker::check_object(const Place& place) const {
  for (const char* keyword : {"properties", "patternProperties"}) {
    if (place.has(keyword) && !place.at(keyword).is_object()) {
      invalid(place, "\"" + std::string(keyword) + "\" is not an object");
    }
  }
  const Json& schema = *place.schema;
  if (has_any(schema, {"patternProperties"})) {
    if (has_any(schema, {"properties", "required", "propertyNames"})) {
      unsupported(place, "patternProperties",
                  "it stands beside properties, required or propertyNames");
    }
    if (place.at("patternProperties").size() > 1) {
      unsupported(place, "patternProperties", "more than one pattern");
    }
    if (place.has("additionalProperties") && place.at("additionalProperties") != Json(false)) {
      unsupported(place, "patternProperties",
                  "it stands beside additionalProperties other than false");
    }
  }
  if (has_any(schema, {"propertyNames"}) && has_any(schema, {"properties", "required"})) {
    unsupported(place, "propertyNames", "it stands beside properties or required");
  }
}

// The value of a member that is not named; nothing where there may be none. Without a keyword any
// may follow, but beside named ones none are written.
std::optional<SchemaWalker::Expr> SchemaWalker::further_value(const Place& place, bool named) {
  for (const char* keyword : {"additionalProperties", "unevaluatedProperties"}) {
    if (!place.has(keyword)) continue;
    if (place.at(keyword) == Json(false)) return std::nullopt;
    return schema(place.below(keyword));
  }
  if (named) return std::nullopt;
  return json_.value();
}

SchemaWalker::Expr SchemaWalker::object(const Place& place) {
  check_object(place);
  if (has_any(*place.schema, {"patternProperties"})) return object_of_patterns(place);
  if (has_any(*place.schema, {"propertyNames"})) return object_of_names(place);
  if (!has_any(*place.schema, {"properties", "required"}) && !place.has("additionalProperties") &&
      !place.has("unevaluatedProperties") && !place.has("minProperties") &&
      !place.has("maxProperties")) {
    return json_.object();
  }
  return members(place, read_members(place));
}

SchemaWalker::Members SchemaWalker::read_members(const Place& place) {
  Members result;
  result.required = required(place);
  std::vector<std::u32string> names;
  const auto add = [&](const std::string& name, Expr value) {
    names.push_back(to_code_points(name));
    result.named.emplace_back(
        name, rules_.shared(rules_.sequence(
                  {rules_.literal(base::to_json_text(Json(name))), json_.colon(), value})));
  };
  if (place.has("properties")) {
    const Place properties = place.below("properties");
    for (const auto& [name, value] : properties.schema->items()) {
      add(name, schema(properties.below(name)));
    }
  }
  const bool closed =
      (place.has("additionalProperties") && place.at("additionalProperties") == Json(false)) ||
      (!place.has("additionalProperties") && place.has("unevaluatedProperties") &&
       place.at("unevaluatedProperties") == Json(false));
  const auto further = further_value(place, !result.named.empty() || !result.required.empty());
  for (const std::string& name : result.required) {
    if (place.has("properties") && place.at("properties").contains(name)) continue;
    add(name, closed ? rules_.nothing() : further ? *further : json_.value());
  }
  if (further) {
    result.further =
        rules_.shared(rules_.sequence({json_.key_except(names), json_.colon(), *further}));
  }
  result.min = count(place, "minProperties", 0);
  result.max = count(place, "maxProperties", Rules::kUnbounded);
  return result;
}

SchemaWalker::Expr SchemaWalker::object_of_patterns(const Place& place) {
  const Place patterns = place.below("patternProperties");
  const std::string pattern = patterns.schema->items().begin().key();
  const Expr key = json_.quoted(add_json_pattern(json_, pattern));
  Members result;
  result.further =
      rules_.shared(rules_.sequence({key, json_.colon(), schema(patterns.below(pattern))}));
  result.min = count(place, "minProperties", 0);
  result.max = count(place, "maxProperties", Rules::kUnbounded);
  return members(place, result);
}

// Names that "propertyNames" allows, as a list of constants or as a kind of string.
SchemaWalker::Expr SchemaWalker::object_of_names(const Place& place) {
  Place names = place.below("propertyNames");
  if (names.schema->is_object() && names.has("$ref")) {
    check_keywords(names);
    check_alone(names, "$ref", false);
    names = target(names);
  }
  if (!names.schema->is_object()) unsupported(place, "propertyNames", "a boolean");
  check_keywords(names);
  const auto value = further_value(place, false);
  Members result;
  result.min = count(place, "minProperties", 0);
  result.max = count(place, "maxProperties", Rules::kUnbounded);
  const Expr any = value ? *value : rules_.nothing();
  if (names.has("enum") || names.has("const")) {
    const char* const keyword = names.has("const") ? "const" : "enum";
    check_alone(names, keyword, true);
    const Json& given = names.at(keyword);
    std::set<std::string> seen;
    for (const Json& name : given.is_array() ? given : Json::array({given})) {
      if (!name.is_string() || !seen.insert(name.get<std::string>()).second) continue;
      result.named.emplace_back(
          name.get<std::string>(),
          rules_.shared(rules_.sequence({constant(names, name), json_.colon(), any})));
    }
    return members(place, result);
  }
  for (const auto& [name, unused] : names.schema->items()) {
    if (is_string_keyword(name)) continue;
    unsupported(names, name, "only what speaks of strings is, for names");
  }
  if ((declared_types(names) & kString) == 0) return members(place, result);
  result.further = rules_.shared(rules_.sequence({string(names), json_.colon(), any}));
  return members(place, result);
}

SchemaWalker::Expr SchemaWalker::members(const Place& place, const Members& all) {
  if (all.further && all.min > 1) {
    // A name may come twice, and counts once.
    unsupported(place, "minProperties", "above 1 beside properties that are not named");
  }
  const bool may_be_empty = all.required.empty() && all.min == 0;
  if (all.min > all.max) return rules_.nothing();
  std::vector<Expr> options;
  if (may_be_empty) options.push_back(json_.enclosed("{", std::nullopt, "}"));
  if (all.max > 0) options.push_back(json_.enclosed("{", member_list(place, all), "}"));
  return rules_.choice(std::move(options));
}

// One rule for each place in the list and number of members before it (as far as that matters):
// what may follow there. At least one member is written.
SchemaWalker::Expr SchemaWalker::member_list(const Place& place, const Members& all) {
  const auto n = static_cast<uint32_t>(all.named.size());
  const uint32_t most = all.max == Rules::kUnbounded ? std::max(1u, all.min) : all.max;
  const uint32_t cap = std::min(most, n + 1);
  if ((static_cast<size_t>(n) + 1) * (cap + 1) > kMaxStates) {
    unsupported(place, all.max == Rules::kUnbounded ? "minProperties" : "maxProperties",
                "too many states: properties times their number");
  }
  const auto separated = [&](Expr member, uint32_t before) {
    return before == 0 ? member : rules_.sequence({json_.comma(), member});
  };
  std::vector<Expr> next;  // by the number of members before
  for (uint32_t c = 0; c <= cap; ++c) {
    std::vector<Expr> options;
    if (c > 0 && c >= all.min) options.push_back(rules_.literal(""));
    if (all.further && c < all.max) {
      const uint32_t room = all.max == Rules::kUnbounded ? all.max : all.max - c - 1;
      options.push_back(rules_.sequence(
          {separated(*all.further, c), rules_.repeat(separated(*all.further, 1), 0, room)}));
    }
    next.push_back(rules_.choice(std::move(options)));
  }
  for (uint32_t i = n; i-- > 0;) {
    std::vector<Expr> here;
    for (uint32_t c = 0; c <= std::min(cap, i); ++c) {
      std::vector<Expr> options;
      if (c < all.max) {
        options.push_back(
            rules_.sequence({separated(all.named[i].second, c), next[std::min(c + 1, cap)]}));
      }
      if (!all.required.contains(all.named[i].first)) options.push_back(next[c]);
      here.push_back(rules_.shared(rules_.choice(std::move(options))));
    }
    next = std::move(here);
  }
  return next[0];
}

}  // namespace tulou::grammar
