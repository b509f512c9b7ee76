// Finds a tensor by name among a million in n log n, whatever names a hostile file chooses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace tulou::checkpoint {

// An immutable index over names that live elsewhere and must outlive it.
class NameIndex {
 public:
  using NameOf = std::function<std::string_view(size_t)>;

  NameIndex() = default;
  // Over the names name_of(0) ... name_of(count - 1); count < 2^32.
  NameIndex(size_t count, NameOf name_of);

  std::optional<size_t> find(std::string_view name) const;
  // Two positions that bear one name, in rising order, if there are any.
  std::optional<std::pair<size_t, size_t>> duplicate() const;

 private:
  // Sorted by hash, then name, then position: equal hashes cost a comparison, never a scan.
  struct Slot {
    uint64_t hash;
    uint32_t position;
  };
  NameOf name_of_;
  std::vector<Slot> slots_;
};

}  // namespace tulou::checkpoint
