// Decoded blocks against those of the Python package gguf (tests/quant/make_blocks.py).
#include "kernels/quant/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/block_formats.h"

namespace tulou::kernels {
namespace {

using tensor::DType;

// Reads the fixture from its front.
struct Fixture {
  std::string content = base::read_file("tests/quant/blocks.bin", 1 << 20);
  size_t at = 0;

  const char* take(size_t bytes) {
    EXPECT_LE(at + bytes, content.size());
    at += bytes;
    return content.data() + at - bytes;
  }
  uint32_t word() {
    uint32_t value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
};

// The sequence of tests/quant/make_blocks.py, as bytes.
std::vector<uint8_t> splitmix64(size_t bytes, uint64_t seed) {
  std::vector<uint8_t> out((bytes + 7) / 8 * 8);
  for (size_t i = 0; i < out.size(); i += 8) {
    seed += 0x9E3779B97F4A7C15u;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    std::memcpy(out.data() + i, &z, 8);
  }
  return out;
}

class Crc32 {
 public:
  Crc32() {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c >> 1) ^ (c & 1 ? 0xEDB88320u : 0u);
      table_[i] = c;
    }
  }
  void add(uint32_t word) {
    for (int k = 0; k < 4; ++k, word >>= 8) state_ = table_[(state_ ^ word) & 255] ^ (state_ >> 8);
  }
  uint32_t value() const { return ~state_; }

 private:
  std::array<uint32_t, 256> table_;
  uint32_t state_ = ~0u;
};

// The same bits, or both NaN.
bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

TEST(Dequantize, EqualsTheGgufPackage) {
  Fixture fixture;
  for (int t = 0; t < tensor::kNumDTypes; ++t) {
    const std::string name(fixture.take(8));
    DType dtype = DType::kF32;
    while (tensor::name(dtype) != name) dtype = static_cast<DType>(static_cast<int>(dtype) + 1);
    const uint32_t num_blocks = fixture.word(), block_bytes = fixture.word();
    const uint32_t block_values = fixture.word(), crc = fixture.word();
    ASSERT_EQ(static_cast<uint32_t>(tensor::info(dtype).block_size), block_values);
    ASSERT_EQ(static_cast<uint32_t>(tensor::info(dtype).block_bytes), block_bytes);

    const char* blocks = fixture.take(num_blocks * block_bytes);
    std::vector<float> expected(num_blocks * block_values), got(expected.size(), -7.0f);
    std::memcpy(expected.data(), fixture.take(expected.size() * 4), expected.size() * 4);
    dequantize_row(dtype, blocks, got.data(), static_cast<int64_t>(got.size()));
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_TRUE(same(got[i], expected[i]))
          << name << " " << i << ": " << got[i] << " " << expected[i];

    const size_t count = (1u << 20) / block_bytes;
    const auto bytes = splitmix64(count * block_bytes, static_cast<uint64_t>(t));
    std::vector<float> values(count * block_values);
    dequantize_row(dtype, bytes.data(), values.data(), static_cast<int64_t>(values.size()));
    Crc32 sum;
    for (const float v : values) sum.add(std::isnan(v) ? 0x7FC00000u : std::bit_cast<uint32_t>(v));
    EXPECT_EQ(sum.value(), crc) << name;
  }
  EXPECT_EQ(fixture.at, fixture.content.size());
}

// Rows may begin at any address, and nothing outside of the row is written.
TEST(Dequantize, AnyAddress) {
  for (int t = 0; t < tensor::kNumDTypes; ++t) {
    const auto dtype = static_cast<DType>(t);
    const int64_t width = 256;
    const size_t bytes = tensor::row_bytes(dtype, width);
    const auto row = splitmix64(bytes, 99);
    std::vector<float> expected(256), got(258, -7.0f);
    dequantize_row(dtype, row.data(), expected.data(), width);
    for (size_t shift = 1; shift < 4; ++shift) {
      const std::vector<uint8_t> exact_end = [&] {
        std::vector<uint8_t> copy(shift + bytes);
        std::memcpy(copy.data() + shift, row.data(), bytes);
        return copy;
      }();
      dequantize_row(dtype, exact_end.data() + shift, got.data() + 1, width);
      EXPECT_EQ(std::memcmp(got.data() + 1, expected.data(), 256 * 4), 0) << tensor::name(dtype);
      EXPECT_EQ(got[0], -7.0f);
      EXPECT_EQ(got[257], -7.0f);
    }
  }
}

TEST(Float16, RoundTripsEveryValue) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = tensor::fp16_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(tensor::fp16_to_float(tensor::float_to_fp16(value))));
    } else {
      EXPECT_EQ(tensor::float_to_fp16(value), half);
    }
    const float wide = tensor::bf16_to_float(half);
    if (std::isnan(wide)) continue;
    EXPECT_EQ(tensor::float_to_bf16(wide), half);
  }
}

// Halfway between two neighbours the even one wins; a hair beyond, the nearer one.
TEST(Float16, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7bffu; ++bits) {
    const auto low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const float middle = (tensor::fp16_to_float(low) + tensor::fp16_to_float(high)) / 2;
    ASSERT_EQ(tensor::float_to_fp16(middle), bits % 2 == 0 ? low : high) << bits;
    ASSERT_EQ(tensor::float_to_fp16(std::nextafter(middle, 1e9f)), high) << bits;
    ASSERT_EQ(tensor::float_to_fp16(-std::nextafter(middle, 0.0f)), 0x8000u | low) << bits;
  }
  EXPECT_EQ(tensor::float_to_fp16(65519.9f), 0x7bffu);
  EXPECT_EQ(tensor::float_to_fp16(65520.0f), 0x7c00u);
  EXPECT_EQ(tensor::float_to_fp16(1e30f), 0x7c00u);
  EXPECT_EQ(tensor::float_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80u);
  EXPECT_EQ(tensor::float_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82u);
}

}  // namespace
}  // namespace tulou::kernels
