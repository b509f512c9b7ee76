#include "checkpoint/name_index.h"

#include <algorithm>

#include "base/assert.h"

namespace tulou::checkpoint {

NameIndex::NameIndex(size_t count, NameOf name_of) : name_of_(std::move(name_of)) {
  ASSERT(count < UINT32_MAX);
  slots_.reserve(count);
  for (size_t i = 0; i < count; ++i)
    slots_.push_back({std::hash<std::string_view>{}(name_of_(i)), static_cast<uint32_t>(i)});
  std::sort(slots_.begin(), slots_.end(), [&](const Slot& a, const Slot& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int order = name_of_(a.position).compare(name_of_(b.position));
    return order != 0 ? order < 0 : a.position < b.position;
  });
}

std::optional<size_t> NameIndex::find(std::string_view name) const {
  const uint64_t hash = std::hash<std::string_view>{}(name);
  const auto found =
      std::lower_bound(slots_.begin(), slots_.end(), hash, [&](const Slot& slot, uint64_t wanted) {
        if (slot.hash != wanted) return slot.hash < wanted;
        return name_of_(slot.position) < name;
      });
  if (found == slots_.end() || found->hash != hash || name_of_(found->position) != name)
    return std::nullopt;
  return found->position;
}

std::optional<std::pair<size_t, size_t>> NameIndex::duplicate() const {
  for (size_t i = 1; i < slots_.size(); ++i) {
    const Slot &a = slots_[i - 1], &b = slots_[i];
    if (a.hash == b.hash && name_of_(a.position) == name_of_(b.position))
      return std::pair<size_t, size_t>(a.position, b.position);
  }
  return std::nullopt;
}

}  // namespace tulou::checkpoint
