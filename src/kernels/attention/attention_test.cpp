// Attention at each level, against double precision, and however rows are grouped.
#include "kernels/attention/attention.h"

#include <algorithm>

#include "kernels/testing.h"
#include "tensor/float16.h"

namespace tulou::kernels {
namespace {

using namespace testing;

// A sequence of `length` tokens in a cache whose blocks lie in a random order, and a query for each
// of its positions. What no row may look at is NaN.
struct Sequence {
  int64_t length, num_heads, head_dim, q_stride;
  bool bf16;
  float scale;
  std::vector<int32_t> blocks;
  int64_t block_stride, key_offset, value_offset;
  Fenced<float> q;
  Fenced<std::byte> cache;

  Sequence(Random& random, int64_t tokens, int64_t heads, int64_t dim, bool narrow, double size = 1)
      : length(tokens),
        num_heads(heads),
        head_dim(dim),
        q_stride(heads * dim + random.below(7)),
        bf16(narrow),
        scale(static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))),
        key_offset(8 * random.below(4)),
        q(uniform(random, (tokens - 1) * q_stride + heads * dim, -size, size)),
        cache(reserve(random)) {
    std::memset(cache.data(), 0xff, static_cast<size_t>(cache.size()));  // NaN in both types
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t d = 0; d < head_dim; ++d) {
        put(key_offset, t, d, random.uniform(-size, size));
        put(value_offset, t, d, random.uniform(-2, 2));
      }
    }
  }

  int64_t value_bytes() const { return bf16 ? 2 : 4; }
  // Chooses the layout; returns the bytes that the cache needs.
  int64_t reserve(Random& random) {
    const int64_t plane = kAttentionBlock * head_dim * value_bytes();
    value_offset = key_offset + plane + 4 * random.below(4);
    block_stride = value_offset + plane + 4 * random.below(4);
    const int64_t count = (length + kAttentionBlock - 1) / kAttentionBlock;
    for (int64_t i = 0; i < count; ++i) blocks.push_back(static_cast<int32_t>(i));
    for (int64_t i = count - 1; i > 0; --i)
      std::swap(blocks[static_cast<size_t>(i)], blocks[static_cast<size_t>(random.below(i + 1))]);
    return (count - 1) * block_stride + value_offset + plane;
  }
  const std::byte* place(int64_t offset, int64_t t, int64_t d) const {
    const int64_t block = blocks[static_cast<size_t>(t / kAttentionBlock)];
    return cache.data() + block * block_stride + offset +
           (t % kAttentionBlock * head_dim + d) * value_bytes();
  }
  void put(int64_t offset, int64_t t, int64_t d, float value) {
    const uint16_t half = tensor::float_to_bf16(value);
    auto* to = const_cast<std::byte*>(place(offset, t, d));
    std::memcpy(to, bf16 ? static_cast<const void*>(&half) : &value,
                static_cast<size_t>(value_bytes()));
  }
  float get(int64_t offset, int64_t t, int64_t d) const {
    if (bf16) {
      uint16_t half;
      std::memcpy(&half, place(offset, t, d), 2);
      return tensor::bf16_to_float(half);
    }
    float value;
    std::memcpy(&value, place(offset, t, d), 4);
    return value;
  }

  Fenced<float> empty_out() const {
    Fenced<float> out(q.size());
    out.fill(kUntouched);
    return out;
  }
  // Rows [from, from + rows), heads [head, head + heads).
  void run(hardware::Level level, int64_t from, int64_t rows, int64_t head, int64_t heads,
           Fenced<float>& out) const {
    Fenced<float> scratch(2 * rows * heads);
    AttentionArgs args;
    args.q = q.data() + from * q_stride + head * head_dim;
    args.q_stride = q_stride;
    args.rows = rows;
    args.num_heads = heads;
    args.head_dim = head_dim;
    args.position = from;
    args.base = cache.data();
    args.blocks = blocks.data();
    args.block_stride = static_cast<size_t>(block_stride);
    args.key_offset = static_cast<size_t>(key_offset);
    args.value_offset = static_cast<size_t>(value_offset);
    args.bf16 = bf16;
    args.scale = scale;
    args.out = out.data() + from * q_stride + head * head_dim;
    args.out_stride = q_stride;
    args.scratch = scratch.data();
    attention_kernels(level).attention(args);
  }
};

// Bound, relative to the largest |v| (the weights sum to 1), in units u. With S the largest sum
// |q||k| scale, each weight is off by the score's roundings (dot + 1) S; by those of the
// differences to the largest score, in all blocks together at most 2 (2 S); by exp and the products
// that follow, 6 a block and 6; and the sums over tokens add dot_roundings(count) + count.
// Numerator and denominator both, so twice, and one division.
double bound_of(hardware::Level level, const Sequence& s, int64_t count, double largest_score) {
  const double blocks = static_cast<double>((count + kAttentionBlock - 1) / kAttentionBlock);
  const double weight = (dot_roundings(level, s.head_dim) + 5) * largest_score + 6 * blocks + 6;
  const double sums = dot_roundings(level, count) + static_cast<double>(2 * count);
  return 1.01 * (2 * (weight + sums) + 2) * kUnit;
}

void check_row(const Sequence& s, hardware::Level level, int64_t t, int64_t head,
               const float* got) {
  std::vector<double> weights(static_cast<size_t>(t + 1));
  const float* q = s.q.data() + t * s.q_stride + head * s.head_dim;
  double largest = -1e300, total = 0, largest_size = 0;
  for (int64_t j = 0; j <= t; ++j) {
    double score = 0, size = 0;
    for (int64_t d = 0; d < s.head_dim; ++d) {
      const double term = static_cast<double>(q[d]) * s.get(s.key_offset, j, d);
      score += term;
      size += std::abs(term);
    }
    weights[static_cast<size_t>(j)] = score * s.scale;
    largest = std::max(largest, score * s.scale);
    largest_size = std::max(largest_size, size * s.scale);
  }
  for (double& weight : weights) total += weight = std::exp(weight - largest);
  const double bound = bound_of(level, s, t + 1, largest_size);
  for (int64_t d = 0; d < s.head_dim; ++d) {
    double sum = 0, size = 0;
    for (int64_t j = 0; j <= t; ++j) {
      const double value = s.get(s.value_offset, j, d);
      sum += weights[static_cast<size_t>(j)] * value;
      size = std::max(size, std::abs(value));
    }
    ASSERT_NEAR(got[d], sum / total, bound * size + kSmallNormal)
        << hardware::name(level) << " row " << t << " head " << head << " dim " << d;
  }
}

void check_against_double(const Sequence& s, hardware::Level level) {
  Fenced<float> out = s.empty_out();
  s.run(level, 0, s.length, 0, s.num_heads, out);
  for (int64_t t = 0; t < s.length; ++t) {
    for (int64_t head = 0; head < s.num_heads; ++head)
      check_row(s, level, t, head, out.data() + t * s.q_stride + head * s.head_dim);
  }
  for (int64_t i = 0; i < out.size(); ++i) {
    if (i % s.q_stride >= s.num_heads * s.head_dim) {
      ASSERT_EQ(out[i], kUntouched);
    }
  }
}

TEST(Attention, HeadSizesAndCounts) {
  Random random(1);
  for (const int64_t head_dim : {1, 3, 4, 5, 8, 9, 12, 16, 17, 31, 32, 33, 64, 80, 128, 256}) {
    for (const int64_t num_heads : {1, 2, 3, 4, 5, 8}) {
      for (const bool bf16 : {false, true}) {
        const Sequence s(random, random.between(1, 9), num_heads, head_dim, bf16);
        for (const auto level : levels()) check_against_double(s, level);
      }
    }
  }
}

TEST(Attention, LengthsAroundBlocks) {
  Random random(2);
  for (const int64_t length : {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 127, 128, 129, 200}) {
    for (const bool bf16 : {false, true}) {
      const Sequence s(random, length, 3, 24, bf16);
      for (const auto level : levels()) check_against_double(s, level);
    }
  }
}

// Scores of a few hundred: one token takes all the weight, others underflow to nothing.
TEST(Attention, LargeScores) {
  Random random(3);
  const Sequence s(random, 150, 2, 64, false, 12);
  for (const auto level : levels()) check_against_double(s, level);
}

// The recipe rule: a row's bits depend on neither the other rows and heads of a call nor the cut.
TEST(Attention, RowsAndHeadsMayBeGroupedAnyHow) {
  Random random(4);
  for (int i = 0; i < 24; ++i) {
    const int64_t head_dim = i % 3 == 0 ? random.between(1, 100) : 32 * random.between(1, 4);
    const Sequence s(random, random.between(1, 200), random.between(1, 6), head_dim, random.flip());
    for (const auto level : levels()) {
      Fenced<float> all = s.empty_out(), alone = s.empty_out(), grouped = s.empty_out();
      s.run(level, 0, s.length, 0, s.num_heads, all);
      for (int64_t t = 0; t < s.length; ++t) {
        for (int64_t head = 0; head < s.num_heads; ++head) s.run(level, t, 1, head, 1, alone);
      }
      for (int64_t t = 0; t < s.length;) {
        const int64_t rows = std::min(s.length - t, random.between(1, 70));
        for (int64_t head = 0; head < s.num_heads;) {
          const int64_t heads = std::min(s.num_heads - head, random.between(1, 5));
          s.run(level, t, rows, head, heads, grouped);
          head += heads;
        }
        t += rows;
      }
      ASSERT_TRUE(alone.same_bits(all)) << hardware::name(level) << " dim " << head_dim;
      ASSERT_TRUE(grouped.same_bits(all)) << hardware::name(level) << " dim " << head_dim;
    }
  }
}

// A bf16 cache is an fp32 cache of rounded values, bit for bit.
TEST(Attention, NarrowCacheOnlyRoundsWhatItStores) {
  Random random(5);
  for (int i = 0; i < 12; ++i) {
    const Sequence narrow(random, random.between(1, 150), random.between(1, 4),
                          i < 4 ? random.between(1, 70) : 64, true);
    Sequence wide(random, narrow.length, narrow.num_heads, narrow.head_dim, false);
    for (int64_t t = 0; t < narrow.length; ++t) {
      for (int64_t d = 0; d < narrow.head_dim; ++d) {
        wide.put(wide.key_offset, t, d, narrow.get(narrow.key_offset, t, d));
        wide.put(wide.value_offset, t, d, narrow.get(narrow.value_offset, t, d));
      }
      for (int64_t d = 0; d < narrow.num_heads * narrow.head_dim; ++d)
        wide.q[t * wide.q_stride + d] = narrow.q[t * narrow.q_stride + d];
    }
    for (const auto level : levels()) {
      Fenced<float> a = narrow.empty_out(), b = wide.empty_out();
      narrow.run(level, 0, narrow.length, 0, narrow.num_heads, a);
      wide.run(level, 0, wide.length, 0, wide.num_heads, b);
      for (int64_t t = 0; t < narrow.length; ++t) {
        ASSERT_EQ(std::memcmp(a.data() + t * narrow.q_stride, b.data() + t * wide.q_stride,
                              static_cast<size_t>(narrow.num_heads * narrow.head_dim) * 4),
                  0)
            << hardware::name(level) << " row " << t;
      }
    }
  }
}

TEST(Attention, NanSpoilsOnlyItsOwnHead) {
  Random random(6);
  Sequence s(random, 3, 3, 20, false);
  s.q[s.q_stride + 25] = std::numeric_limits<float>::quiet_NaN();  // row 1, head 1
  for (const auto level : levels()) {
    Fenced<float> out = s.empty_out();
    s.run(level, 0, 3, 0, 3, out);
    for (int64_t t = 0; t < 3; ++t) {
      for (int64_t i = 0; i < 60; ++i)
        EXPECT_EQ(std::isnan(out[t * s.q_stride + i]), t == 1 && i / 20 == 1);
    }
  }
}

}  // namespace
}  // namespace tulou::kernels
