// Bookkeeping of one scope's names.
#include "text/template_symbols.h"

#include <algorithm>

namespace tulou::text::jinja {

Symbols::Entry* Symbols::own(std::string_view name) {
  work_->charge(entries_.size() / 8 + 1);
  for (Entry& entry : entries_)
    if (entry.name == name) return &entry;
  return nullptr;
}

Symbols::Entry& Symbols::define(std::string_view name, LoadKind kind) {
  Entry* entry = own(name);
  if (entry == nullptr) {
    entries_.emplace_back();
    entry = &entries_.back();
    entry->name = name;
    const auto [found, fresh] = slots_->try_emplace(name, function_->num_slots);
    if (fresh) ++function_->num_slots;
    entry->slot = found->second;
  }
  entry->kind = kind;
  return *entry;
}

std::optional<Place> Symbols::find(std::string_view name) const {
  for (const Symbols* scope = this; scope != nullptr; scope = scope->parent_) {
    work_->charge(scope->entries_.size() / 8 + 1);
    for (const Entry& entry : scope->entries_)
      if (entry.name == name) return Place{scope->function_, entry.slot};
  }
  return std::nullopt;
}

void Symbols::load(std::string_view name) {
  if (!find(name)) define(name, LoadKind::kResolve);
}

void Symbols::store(std::string_view name) {
  if (Entry* entry = own(name)) {
    entry->stored = true;
    return;
  }
  const std::optional<Place> outer = parent_ != nullptr ? parent_->find(name) : std::nullopt;
  Entry& entry = define(name, outer ? LoadKind::kAlias : LoadKind::kUndefined);
  if (outer) entry.alias = *outer;
  entry.stored = true;
}

Place Symbols::declare_parameter(std::string_view name) {
  Entry& entry = define(name, LoadKind::kParameter);
  entry.stored = true;
  return {function_, entry.slot};
}

// A name that only some branches set keeps its outer value in the others, so the scope starts it
// with that.
void Symbols::merge_branches(const std::vector<Symbols>& branches) {
  std::unordered_map<std::string_view, size_t> setters;
  for (const Symbols& branch : branches) {
    work_->charge(branch.entries_.size());
    for (const Entry& entry : branch.entries_) {
      if (!entry.stored) continue;
      const Entry* mine = own(entry.name);
      if (mine == nullptr || !mine->stored) ++setters[entry.name];
    }
  }
  for (const Symbols& branch : branches) {
    for (const Entry& entry : branch.entries_) {
      Entry* mine = own(entry.name);
      const bool stored = entry.stored || (mine != nullptr && mine->stored);
      if (mine == nullptr) {
        entries_.push_back(entry);
      } else {
        *mine = entry;
      }
      own(entry.name)->stored = stored;
    }
  }
  for (const auto& [name, count] : setters) {
    if (count == branches.size()) continue;
    Entry* entry = own(name);
    const std::optional<Place> outer = parent_ != nullptr ? parent_->find(name) : std::nullopt;
    entry->kind = outer ? LoadKind::kAlias : LoadKind::kResolve;
    if (outer) entry->alias = *outer;
  }
}

std::vector<Load> Symbols::loads() const {
  std::vector<Load> out;
  for (const Entry& entry : entries_) {
    Load load;
    load.kind = entry.kind;
    load.slot = entry.slot;
    load.name = entry.name;
    if (entry.kind == LoadKind::kAlias)
      load.alias = {function_->depth - entry.alias.function->depth, entry.alias.slot};
    out.push_back(load);
  }
  return out;
}

}  // namespace tulou::text::jinja
