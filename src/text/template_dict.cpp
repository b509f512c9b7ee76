// Dicts with the order of insertion: searched one by one while small, by a hash index when large.
#include <cmath>
#include <functional>

#include "text/template_machine.h"

namespace tulou::text::jinja {
namespace {

constexpr size_t kSmallDict = 8;

// Rebuilds the index when entries were added since.
void build_index(Machine& m, DictNode& dict) {
  size_t size = 16;
  while (size < dict.entries.size() * 2) size *= 2;
  if (size > dict.index.size()) dict.charge((size - dict.index.size()) * sizeof(uint32_t));
  dict.index.assign(size, 0);
  m.step(static_cast<int64_t>(dict.entries.size()));
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    size_t at = hash_value(m, dict.entries[i].first) & (size - 1);
    for (; dict.index[at] != 0; at = (at + 1) & (size - 1)) m.step();
    dict.index[at] = static_cast<uint32_t>(i + 1);
  }
}

bool equal_keys(Machine& m, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) return left.text() == right.text();
  return same(left, right) || equal(m, left, right);
}

size_t find_entry(Machine& m, const DictNode& dict, const Value& key) {
  const uint64_t hash = hash_value(m, key);
  if (dict.entries.size() <= kSmallDict) {
    for (size_t i = 0; i < dict.entries.size(); ++i)
      if (equal_keys(m, dict.entries[i].first, key)) return i;
    return dict.entries.size();
  }
  auto& indexed = const_cast<DictNode&>(dict);  // the index is a cache
  if (dict.index.empty()) build_index(m, indexed);
  const size_t mask = dict.index.size() - 1;
  for (size_t at = hash & mask; dict.index[at] != 0; at = (at + 1) & mask) {
    m.step();
    if (equal_keys(m, dict.entries[dict.index[at] - 1].first, key)) return dict.index[at] - 1;
  }
  return dict.entries.size();
}

}  // namespace

uint64_t hash_value(Machine& m, const Value& key) {
  switch (key.kind()) {
    case Kind::kString:
      m.work(key.text().size());
      return std::hash<std::string_view>()(key.text());
    case Kind::kNone:
      return 0x9e3779b97f4a7c15u;
    case Kind::kBoolean:
    case Kind::kInteger:
    case Kind::kUnsigned:
      return std::hash<double>()(real_of(key));
    case Kind::kFloat:
      return std::hash<double>()(key.as_real());
    case Kind::kTuple: {
      const Machine::Deeper deeper(m);
      uint64_t hash = 0x345678;
      for (const Value& item : key.as<ListNode>().items) {
        m.step();
        hash = (hash ^ hash_value(m, item)) * 1000003u;
      }
      return hash;
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      m.fail("a value of type " + std::string(type_name(key)) + " cannot be a key");
    case Kind::kMissing:
    case Kind::kUndefined:
      return 1;
    default:
      m.refuse("a key of type " + std::string(type_name(key)));
  }
}

const Value* dict_find(Machine& m, const DictNode& dict, const Value& key) {
  const size_t found = find_entry(m, dict, key);
  return found < dict.entries.size() ? &dict.entries[found].second : nullptr;
}

const Value* dict_find(Machine& m, const DictNode& dict, std::string_view key) {
  return dict_find(m, dict, Value::string(key, Origin::kTemplate, true));
}

void dict_set(Machine& m, DictNode& dict, const Value& key, Value value) {
  const size_t found = find_entry(m, dict, key);
  if (found < dict.entries.size()) {
    if (value.node() != nullptr && value.node()->depth >= dict.depth)
      dict.depth = static_cast<uint16_t>(value.node()->depth + 1);
    dict.entries[found].second = std::move(value);
    return;
  }
  dict.push(key, std::move(value));
  if (dict.index.empty()) return;
  if (dict.entries.size() * 2 > dict.index.size()) {
    build_index(m, dict);
    return;
  }
  const size_t mask = dict.index.size() - 1;
  size_t at = hash_value(m, key) & mask;
  for (; dict.index[at] != 0; at = (at + 1) & mask) m.step();
  dict.index[at] = static_cast<uint32_t>(dict.entries.size());
}

}  // namespace tulou::text::jinja
