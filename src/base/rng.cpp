#include "base/rng.h"

#include <array>

namespace tulou::base {
namespace {

struct Words {
  std::array<uint32_t, 4> counter;
};

// One round of Philox 4x32 with the constants of the paper (table 2).
Words round(const Words& in, uint32_t key0, uint32_t key1) {
  const uint64_t product0 = uint64_t{0xD2511F53} * in.counter[0];
  const uint64_t product1 = uint64_t{0xCD9E8D57} * in.counter[2];
  return {{static_cast<uint32_t>(product1 >> 32) ^ in.counter[1] ^ key0,
           static_cast<uint32_t>(product1),
           static_cast<uint32_t>(product0 >> 32) ^ in.counter[3] ^ key1,
           static_cast<uint32_t>(product0)}};
}

}  // namespace

double random_uniform(uint64_t seed, uint32_t choice, uint64_t position) {
  Words words = {
      {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), choice, 0}};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int i = 0; i < 10; ++i) {
    words = round(words, key0, key1);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  const uint64_t bits = (uint64_t{words.counter[0]} << 32 | words.counter[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace tulou::base
