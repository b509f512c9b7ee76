// JSON Schema: anyOf, oneOf, allOf. A grammar can join languages but neither intersect them nor
// leave one out, so oneOf needs a proof that its branches have nothing in common.
#include <algorithm>
#include <string>
#include <utility>

#include "grammar/schema_walker.h"

namespace tulou::grammar {

SchemaWalker::Expr SchemaWalker::any_of(const Place& place, std::string_view keyword) {
  check_alone(place, keyword, false);
  const Json& list = place.at(keyword);
  if (!list.is_array() || list.empty()) {
    invalid(place, "\"" + std::string(keyword) + "\" is not a list of schemas");
  }
  std::vector<Expr> options;
  for (size_t i = 0; i < list.size(); ++i)
    options.push_back(in_place(place, place.below(keyword, i)));
  if (keyword == "oneOf") check_disjoint(place);
  return rules_.choice(std::move(options));
}

SchemaWalker::Expr SchemaWalker::all_of(const Place& place) {
  check_alone(place, "allOf", false);
  const Json& list = place.at("allOf");
  if (!list.is_array() || list.empty()) invalid(place, "\"allOf\" is not a list of schemas");
  if (list.size() > 1) unsupported(place, "allOf", "only with one schema it is");
  return in_place(place, place.below("allOf", 0));
}

void SchemaWalker::check_disjoint(const Place& place) const {
  constexpr size_t kMaxBranches = 256;
  const size_t branches = place.at("oneOf").size();
  if (branches > kMaxBranches) unsupported(place, "oneOf", "it has more than 256 branches");
  std::vector<Shape> shapes;
  for (size_t i = 0; i < branches; ++i) shapes.push_back(shape(place.below("oneOf", i)));
  for (size_t i = 0; i < branches; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (disjoint(shapes[i], shapes[j])) continue;
      unsupported(place, "oneOf",
                  "branches " + std::to_string(j) + " and " + std::to_string(i) +
                      " may both match; use anyOf, or give them different types or a required "
                      "property with different constants");
    }
  }
}

SchemaWalker::Shape SchemaWalker::shape(Place place) const {
  constexpr int kMaxReferences = 32;
  for (int i = 0; place.schema->is_object(); ++i) {
    if (place.has("$ref")) {
      place = target(place);
    } else if (place.has("allOf") && place.at("allOf").is_array() &&
               place.at("allOf").size() == 1) {
      place = place.below("allOf", 0);
    } else {
      break;
    }
    if (i == kMaxReferences) return {};
  }
  Shape result;
  if (!place.schema->is_object()) return result;
  result.types = declared_types(place);
  if (place.has("const")) {
    result.values = std::vector<Json>{place.at("const")};
  } else if (place.has("enum") && place.at("enum").is_array()) {
    const Json& list = place.at("enum");
    result.values = std::vector<Json>(list.begin(), list.end());
  }
  if (result.values) {
    unsigned types = 0;
    for (const Json& value : *result.values) types |= type_of(value);
    result.types &= types;
  }
  add_constants(place, result);
  return result;
}

void SchemaWalker::add_constants(const Place& place, Shape& result) const {
  if (!place.has("properties") || !place.at("properties").is_object()) return;
  for (const std::string& name : required(place)) {
    if (!place.at("properties").contains(name)) continue;
    const Place member = place.below("properties").below(name);
    if (!member.schema->is_object()) continue;
    if (member.has("const")) {
      result.constants[name] = std::vector<Json>{member.at("const")};
    } else if (member.has("enum") && member.at("enum").is_array()) {
      const Json& list = member.at("enum");
      result.constants[name] = std::vector<Json>(list.begin(), list.end());
    }
  }
}

bool SchemaWalker::disjoint(const Shape& a, const Shape& b) {
  const unsigned common = a.types & b.types;
  if (common == 0) return true;
  const auto no_value_in_common = [](const std::vector<Json>& one, const std::vector<Json>& other) {
    return std::none_of(one.begin(), one.end(), [&](const Json& value) {
      return std::any_of(other.begin(), other.end(), [&](const Json& candidate) {
        // Members may stand in another order: two objects, or lists of them, count as equal.
        return value == candidate || (value.is_structured() && candidate.is_structured() &&
                                      value.is_object() == candidate.is_object());
      });
    });
  };
  if (a.values && b.values) return no_value_in_common(*a.values, *b.values);
  if (common != kObject) return false;
  return std::any_of(a.constants.begin(), a.constants.end(), [&](const auto& entry) {
    const auto other = b.constants.find(entry.first);
    return other != b.constants.end() && no_value_in_common(entry.second, other->second);
  });
}

}  // namespace tulou::grammar
