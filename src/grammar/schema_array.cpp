// JSON Schema: arrays.
#include <string>

#include "grammar/schema_walker.h"

namespace tulou::grammar {

SchemaWalker::Expr SchemaWalker::array(const Place& place) {
  if (place.has("uniqueItems") && place.at("uniqueItems") != Json(false)) {
    unsupported(place, "uniqueItems", "a grammar cannot compare items");
  }
  const char* items_keyword = place.has("items") ? "items" : "unevaluatedItems";
  std::vector<Expr> prefix;
  if (place.has("prefixItems")) {
    if (!place.at("prefixItems").is_array()) invalid(place, "\"prefixItems\" is not a list");
    for (size_t i = 0; i < place.at("prefixItems").size(); ++i) {
      prefix.push_back(schema(place.below("prefixItems", i)));
    }
  }
  const auto fixed = static_cast<uint32_t>(prefix.size());
  const uint32_t min = count(place, "minItems", 0);
  const uint32_t max = count(place, "maxItems", Rules::kUnbounded);
  // Without "items" anything may follow the prefix; it is written only where the minimum asks.
  Expr item = rules_.nothing();
  if (place.has(items_keyword)) {
    item = schema(place.below(items_keyword));
  } else if (fixed == 0 || min > fixed) {
    item = json_.value();
  }
  if (min > max) return rules_.nothing();
  if (max == 0) return json_.enclosed("[", std::nullopt, "]");

  // From the end: what may follow when `i` items stand already, each with its comma.
  const auto more_min = min > fixed ? min - fixed : 0;
  Expr rest = rules_.literal("");
  if (max > fixed) {
    const uint32_t more_max = max == Rules::kUnbounded ? max : max - fixed;
    const Expr next = fixed == 0 ? item : rules_.sequence({json_.comma(), item});
    if (fixed == 0) {
      const Expr further = rules_.sequence({json_.comma(), item});
      rest = rules_.sequence({next, rules_.repeat(further, more_min > 0 ? more_min - 1 : 0,
                                                  max == Rules::kUnbounded ? max : max - 1)});
    } else {
      rest = rules_.repeat(next, more_min, more_max);
    }
  }
  for (uint32_t i = fixed; i-- > 0;) {
    if (i >= max) continue;  // never written
    const Expr one = i == 0 ? prefix[i] : rules_.sequence({json_.comma(), prefix[i]});
    const Expr with = rules_.sequence({one, rest});
    rest = rules_.shared(i >= min && i > 0 ? rules_.optional(with) : with);
  }
  const Expr filled = json_.enclosed("[", rest, "]");
  if (min > 0) return filled;
  return rules_.choice({json_.enclosed("[", std::nullopt, "]"), filled});
}

}  // namespace tulou::grammar
