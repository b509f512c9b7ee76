// The names of one scope while a template is resolved, and what is known about each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/template_ast.h"

namespace tulou::text::jinja {

// The template itself, a macro, or the body of a call block: what has slots of its own.
struct FunctionScope {
  uint32_t depth = 0;
  uint32_t num_slots = 0;
};

// Where a variable lives while resolving.
struct Place {
  const FunctionScope* function = nullptr;
  uint32_t slot = 0;
};

// Counts the work of resolving, which grows faster than the template.
struct ResolveWork {
  int64_t left = 2'500'000;
  bool spent = false;
  void charge(size_t amount) {
    left -= static_cast<int64_t>(amount);
    spent = spent || left < 0;
  }
};

// One scope. Copies stand for the branches of an if and share the scope's slots.
class Symbols {
 public:
  Symbols(const Symbols* parent, FunctionScope* function, ResolveWork* work)
      : parent_(parent), function_(function), work_(work), slots_(std::make_shared<Slots>()) {}

  // A name is read: if no scope knows it, this one takes it from the template's variables.
  void load(std::string_view name);
  // A name is set.
  void store(std::string_view name);
  // A name is set by entering the scope: loop variables, parameters.
  Place declare_parameter(std::string_view name);
  // Takes over what the branches of an if say, in their order.
  void merge_branches(const std::vector<Symbols>& branches);

  std::optional<Place> find(std::string_view name) const;
  FunctionScope* function() const { return function_; }
  // What entering the scope does.
  std::vector<Load> loads() const;

 private:
  using Slots = std::unordered_map<std::string_view, uint32_t>;
  struct Entry {
    std::string_view name;
    uint32_t slot = 0;
    LoadKind kind = LoadKind::kUndefined;
    bool stored = false;
    Place alias;
  };

  Entry* own(std::string_view name);
  Entry& define(std::string_view name, LoadKind kind);

  const Symbols* parent_;
  FunctionScope* function_;
  ResolveWork* work_;
  std::shared_ptr<Slots> slots_;
  std::vector<Entry> entries_;
};

}  // namespace tulou::text::jinja
