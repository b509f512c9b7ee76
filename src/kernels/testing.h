// What the kernels' tests share: seeded random numbers, buffers that end at an unreadable page, and
// the levels to test. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "hardware/cpu_features.h"

namespace tulou::kernels::testing {

inline constexpr double kUnit = 0x1p-24;       // half the distance from 1 to the next float
inline constexpr double kSmallest = 0x1p-149;  // the smallest float above 0
inline constexpr double kSmallNormal = 0x1p-126;

// The levels that the kernels are tested at. An emulated build (SIMDe, see CMakeLists.txt) runs
// AVX-512 on any machine.
inline std::vector<hardware::Level> levels() {
#ifdef TULOU_EMULATE_AVX512
  return {hardware::Level::kAvx512};
#else
  return hardware::available_levels();
#endif
}

inline int64_t lanes(hardware::Level level) {
  if (level >= hardware::Level::kAvx512) return 16;
  return level == hardware::Level::kAvx2 ? 8 : 4;
}

// Upper bound on the roundings that one term of a dot product of `count` goes through: a product
// and a sum a step (one if they are fused) and the tree of lanes.
inline double dot_roundings(hardware::Level level, int64_t count) {
  const int64_t width = lanes(level);
  const int64_t steps = (count + width - 1) / width;
  return 2.0 * static_cast<double>(steps) + std::log2(width);
}

// splitmix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(next() % static_cast<uint64_t>(bound));
  }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool flip() { return next() & 1; }
  float uniform(double low, double high) {
    return static_cast<float>(low + (high - low) * 0x1p-53 * static_cast<double>(next() >> 11));
  }

 private:
  uint64_t state_;
};

// `count` values that end where a page begins which may neither be read nor written, after guard
// bytes that are looked at in the end. So each read or write beyond the end is fatal in every
// build, each write before the beginning is seen, and the address is as odd as `count` is.
template <typename T>
class Fenced {
 public:
  explicit Fenced(int64_t count) : count_(count) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    inside_ = (bytes + kGuard + page - 1) / page * page;
    void* map =
        mmap(nullptr, inside_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(map != MAP_FAILED);
    map_ = static_cast<std::byte*>(map);
    whole_ = inside_ + page;
    ASSERT(mprotect(map_ + inside_, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(map_ + inside_ - bytes);
    std::memset(guard(), kPattern, kGuard);
  }
  Fenced(const Fenced& other) : Fenced(other.count_) {
    std::memcpy(data_, other.data_, static_cast<size_t>(count_) * sizeof(T));
  }
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() {
    for (size_t i = 0; i < kGuard; ++i)
      EXPECT_EQ(static_cast<int>(guard()[i]), kPattern) << "written before the buffer";
    munmap(map_, whole_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  void fill(T value) {
    for (int64_t i = 0; i < count_; ++i) data_[i] = value;
  }
  bool same_bits(const Fenced& other) const {
    return count_ == other.count_ &&
           std::memcmp(data_, other.data_, static_cast<size_t>(count_) * sizeof(T)) == 0;
  }

 private:
  static constexpr size_t kGuard = 192;
  static constexpr int kPattern = 0xA5;
  std::byte* guard() { return reinterpret_cast<std::byte*>(data_) - kGuard; }

  int64_t count_;
  size_t inside_ = 0, whole_ = 0;
  std::byte* map_ = nullptr;
  T* data_ = nullptr;
};

inline Fenced<float> uniform(Random& random, int64_t count, double low = -1, double high = 1) {
  Fenced<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = random.uniform(low, high);
  return values;
}

// The same bits, or both NaN: which NaN it is may differ.
inline bool same_value(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

// A value that kernels must leave alone: it fills the gaps between rows.
inline constexpr float kUntouched = -777.25f;

}  // namespace tulou::kernels::testing
