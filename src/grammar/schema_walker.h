// The walk over a JSON Schema; see schema.h. One instance for one schema.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/json_value.h"
#include "grammar/json_text.h"
#include "grammar/rules.h"

namespace tulou::grammar {

// The types of JSON as bits; kInteger is the part of the numbers without a fraction.
enum JsonType : unsigned {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
  kNumber = kInteger | kFraction,
  kAnyType = 127,
};

class SchemaWalker {
 public:
  using Json = base::Json;
  using Expr = Rules::Expr;

  SchemaWalker(JsonText& json, const Json& root) : json_(json), rules_(json.rules()), root_(root) {}

  // The expression of the whole schema.
  Expr walk();

 private:
  // A schema and where it stands, as a JSON pointer beginning with "#".
  struct Place {
    const Json* schema;
    std::string pointer;
    const Json& at(std::string_view key) const { return schema->at(std::string(key)); }
    bool has(std::string_view key) const { return schema->contains(std::string(key)); }
    Place below(std::string_view key) const;
    Place below(std::string_view key, size_t index) const;
  };
  // How an object's further members may look.
  struct Members {
    std::vector<std::pair<std::string, Expr>> named;  // key and expression of key, colon and value
    std::set<std::string> required;
    std::optional<Expr> further;  // a member that is none of the named
    uint32_t min = 0, max = Rules::kUnbounded;
  };
  // What is known of all texts that a schema accepts, to tell that two accept none in common.
  struct Shape {
    unsigned types = kAnyType;
    std::optional<std::vector<Json>> values;             // it accepts these only
    std::map<std::string, std::vector<Json>> constants;  // members it requires, with their values
  };

  [[noreturn]] static void unsupported(const Place& place, std::string_view keyword,
                                       std::string_view why);
  [[noreturn]] static void invalid(const Place& place, std::string_view what);

  // schema.cpp
  Expr schema(const Place& place);
  // A schema for the same value as `from`: a branch, or what a reference points to.
  Expr in_place(const Place& from, const Place& place);
  Expr make(const Place& place);
  void check_circles() const;
  Expr typed(const Place& place);
  Expr of_type(const Place& place, JsonType type);
  void check_keywords(const Place& place) const;
  void check_alone(const Place& place, std::string_view keyword, bool with_type) const;
  Place target(const Place& place) const;
  unsigned declared_types(const Place& place) const;
  static unsigned type_of(const Json& value);
  static unsigned type_named(std::string_view name);
  // True for annotations and for keywords that speak of strings, "type" among them.
  static bool is_string_keyword(std::string_view name);

  // schema_values.cpp
  Expr constant(const Place& place, const Json& value) const;
  Expr constants(const Place& place);
  Expr string(const Place& place);
  Expr number(const Place& place, bool integer);
  Expr integer(const Place& place);
  Expr multiples(const Place& place, double step);
  std::optional<double> numeric(const Place& place, std::string_view keyword) const;
  std::optional<int64_t> integer_bound(const Place& place, bool lower) const;
  uint32_t count(const Place& place, std::string_view keyword, uint32_t fallback) const;

  // schema_object.cpp
  Expr object(const Place& place);
  Expr object_of_patterns(const Place& place);
  Expr object_of_names(const Place& place);
  Expr members(const Place& place, const Members& all);
  Expr member_list(const Place& place, const Members& all);
  Members read_members(const Place& place);
  std::optional<Expr> further_value(const Place& place, bool named);
  void check_object(const Place& place) const;
  std::set<std::string> required(const Place& place) const;

  // schema_array.cpp
  Expr array(const Place& place);

  // schema_union.cpp
  Expr any_of(const Place& place, std::string_view keyword);
  Expr all_of(const Place& place);
  void check_disjoint(const Place& place) const;
  Shape shape(Place place) const;
  void add_constants(const Place& place, Shape& result) const;
  static bool disjoint(const Shape& a, const Shape& b);

  JsonText& json_;
  Rules& rules_;
  const Json& root_;
  std::map<const Json*, Rules::Rule> done_;
  std::map<const Json*, std::vector<Place>> in_place_;  // what in_place() was called with
};

}  // namespace tulou::grammar
