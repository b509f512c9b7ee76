// Hash tables of a tokenizer: open addressing, filled once, read often. A probe is at most
// kMaxProbes long, so that a file made to collide is refused instead of taking for ever.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace tulou::text {

inline constexpr size_t kMaxProbes = 512;

inline uint64_t mix(uint64_t x) {  // the finalizer of MurmurHash3
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDu;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53u;
  return x ^ (x >> 33);
}

inline uint64_t hash_bytes(std::string_view text) {
  uint64_t hash = text.size() * 0x9E3779B97F4A7C15u;
  const char* data = text.data();
  size_t left = text.size();
  for (; left >= 8; left -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    hash = mix(hash ^ word);
  }
  if (left > 0) {
    uint64_t word = 0;
    std::memcpy(&word, data, left);
    hash = mix(hash ^ word);
  }
  return hash;
}

// A power of two with room for twice the elements.
inline size_t table_size(size_t elements) { return std::bit_ceil(2 * elements + 2); }

// Pairs of 32-bit numbers -> a value.
template <typename Value>
class PairTable {
 public:
  explicit PairTable(size_t elements = 0)
      : slots_(table_size(elements)), mask_(slots_.size() - 1) {}

  enum class Insertion { kDone, kDuplicate, kTooManyCollisions };
  Insertion insert(uint32_t a, uint32_t b, Value value) {
    const uint64_t key = key_of(a, b);
    size_t at = mix(key) & mask_;
    for (size_t probes = 0; probes < kMaxProbes; ++probes, at = (at + 1) & mask_) {
      if (slots_[at].key == key) return Insertion::kDuplicate;
      if (slots_[at].key == kEmpty) {
        slots_[at] = {key, value};
        return Insertion::kDone;
      }
    }
    return Insertion::kTooManyCollisions;
  }

  // Null if the pair is not there.
  const Value* find(uint32_t a, uint32_t b) const {
    const uint64_t key = key_of(a, b);
    for (size_t at = mix(key) & mask_;; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return &slots_[at].value;
      if (slots_[at].key == kEmpty) return nullptr;
    }
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t key_of(uint32_t a, uint32_t b) { return uint64_t{a} << 32 | b; }
  struct Slot {
    uint64_t key = kEmpty;
    Value value{};
  };
  std::vector<Slot> slots_;
  size_t mask_;
};

}  // namespace tulou::text
