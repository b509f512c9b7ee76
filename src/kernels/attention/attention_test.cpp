// Attention at each level, against double precision, and however rows are grouped.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <bit>

#include "kernels/testing.h"
#include "tensor/float16.h"

namespace tulou::kernels {
namespace {

using namespace testing;

constexpr CacheType kTypes[] = {CacheType::kF32, CacheType::kBF16, CacheType::kF16,
                                CacheType::kQ8_0};

// Value d of token t in a plane, by the layout of cache_type.h.
float stored(CacheType type, const std::byte* plane, int64_t head_dim, int64_t t, int64_t d) {
  const int64_t i = t * head_dim + d, groups = (head_dim + kCacheGroup - 1) / kCacheGroup;
  if (type == CacheType::kF32) {
    float value;
    std::memcpy(&value, plane + 4 * i, 4);
    return value;
  }
  uint16_t half;
  if (type != CacheType::kQ8_0) {
    std::memcpy(&half, plane + 2 * i, 2);
    return type == CacheType::kBF16 ? tensor::bf16_to_float(half) : tensor::fp16_to_float(half);
  }
  std::memcpy(&half, plane + 64 * head_dim + 2 * (t * groups + d / kCacheGroup), 2);
  return static_cast<float>(static_cast<int8_t>(plane[i])) * tensor::bf16_to_float(half);
}

// A sequence of `length` tokens in a cache whose blocks lie in a random order, and a query for each
// of its positions. What no row may look at is NaN.
struct Sequence {
  int64_t length, num_heads, head_dim, q_stride;
  CacheType type;
  float scale;
  std::vector<int32_t> blocks;
  int64_t block_stride, key_offset, value_offset;
  Fenced<float> q;
  Fenced<std::byte> cache;

  Sequence(Random& random, int64_t tokens, int64_t heads, int64_t dim, CacheType cache_type,
           double size = 1)
      : length(tokens),
        num_heads(heads),
        head_dim(dim),
        q_stride(heads * dim + random.below(7)),
        type(cache_type),
        scale(static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))),
        key_offset(8 * random.below(4)),
        q(uniform(random, (tokens - 1) * q_stride + heads * dim, -size, size)),
        cache(reserve(random)) {
    std::memset(cache.data(), 0xff, static_cast<size_t>(cache.size()));  // NaN in all types
    for (int64_t t = 0; t < length; ++t) {
      put(key_offset, t, uniform(random, head_dim, -size, size));
      put(value_offset, t, uniform(random, head_dim, -2, 2));
    }
  }

  // Chooses the layout; returns the bytes that the cache needs.
  int64_t reserve(Random& random) {
    const auto plane = static_cast<int64_t>(cache_plane_bytes(type, head_dim));
    value_offset = key_offset + plane + 4 * random.below(4);
    block_stride = value_offset + plane + 4 * random.below(4);
    const int64_t count = (length + kAttentionBlock - 1) / kAttentionBlock;
    for (int64_t i = 0; i < count; ++i) blocks.push_back(static_cast<int32_t>(i));
    for (int64_t i = count - 1; i > 0; --i)
      std::swap(blocks[static_cast<size_t>(i)], blocks[static_cast<size_t>(random.below(i + 1))]);
    return (count - 1) * block_stride + value_offset + plane;
  }
  const std::byte* plane(int64_t offset, int64_t t) const {
    return cache.data() + blocks[static_cast<size_t>(t / kAttentionBlock)] * block_stride + offset;
  }
  void put(int64_t offset, int64_t t, const Fenced<float>& row) {
    attention_kernels(levels().back())
        .cache_store(type, row.data(), head_dim, t % kAttentionBlock,
                     const_cast<std::byte*>(plane(offset, t)));
  }
  float get(int64_t offset, int64_t t, int64_t d) const {
    return stored(type, plane(offset, t), head_dim, t % kAttentionBlock, d);
  }

  Fenced<float> empty_out() const {
    Fenced<float> out(q.size());
    out.fill(kUntouched);
    return out;
  }
  // Rows [from, from + rows), heads [head, head + heads), whole or span by span.
  void run(hardware::Level level, int64_t from, int64_t rows, int64_t head, int64_t heads,
           Fenced<float>& out, bool by_spans = false) const {
    Fenced<float> scratch(attention_scratch(rows * heads, head_dim));
    AttentionArgs args;
    args.q = q.data() + from * q_stride + head * head_dim;
    args.q_stride = q_stride;
    args.q_head_stride = head_dim;
    args.rows = rows;
    args.num_heads = heads;
    args.head_dim = head_dim;
    args.position = from;
    args.base = cache.data();
    args.blocks = blocks.data();
    args.block_stride = static_cast<size_t>(block_stride);
    args.key_offset = static_cast<size_t>(key_offset);
    args.value_offset = static_cast<size_t>(value_offset);
    args.type = type;
    args.scale = scale;
    args.out = out.data() + from * q_stride + head * head_dim;
    args.out_stride = q_stride;
    args.scratch = scratch.data();
    const AttentionKernels& kernels = attention_kernels(level);
    if (!by_spans) return kernels.attention(args);
    const int64_t part = attention_partial(rows * heads, head_dim);
    Fenced<float> partials(args.spans() * part);
    partials.fill(std::numeric_limits<float>::quiet_NaN());
    for (int64_t span = args.spans(); span-- > 0;)
      kernels.attention_span(args, span, partials.data() + span * part);
    kernels.attention_merge(args, partials.data());
  }
};

int64_t pieces(int64_t count, int64_t size) { return (count + size - 1) / size; }

// Bound, relative to the largest |v| (the weights sum to 1), in units u. With S the largest sum
// |q||k| scale, each weight is off by the score's roundings (dot + 1) S; by those of the
// differences to the largest score, in all blocks together at most 2 (2 S); by exp and the products
// that follow, 6 a block or span and 6; and the sums over tokens add dot_roundings(count) + count.
// Numerator and denominator both, so twice, and one division.
double bound_of(hardware::Level level, const Sequence& s, int64_t count, double largest_score) {
  const double blocks = static_cast<double>(pieces(count, kAttentionBlock));
  const double spans = static_cast<double>(pieces(count, kAttentionSpan));
  const double weight =
      (dot_roundings(level, s.head_dim) + 5) * largest_score + 6 * (blocks + spans) + 6;
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
      for (const CacheType type : kTypes) {
        const Sequence s(random, random.between(1, 9), num_heads, head_dim, type);
        for (const auto level : levels()) check_against_double(s, level);
      }
    }
  }
}

TEST(Attention, LengthsAroundBlocks) {
  Random random(2);
  for (const int64_t length :
       {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 127, 128, 129, 200, 511, 512, 513}) {
    for (const CacheType type : kTypes) {
      const Sequence s(random, length, 3, 24, type);
      for (const auto level : levels()) check_against_double(s, level);
    }
  }
}

// Scores of a few hundred: one token takes all the weight, others underflow to nothing.
TEST(Attention, LargeScores) {
  Random random(3);
  const Sequence s(random, 150, 2, 64, CacheType::kF32, 12);
  for (const auto level : levels()) check_against_double(s, level);
}

// The recipe rule: a row's bits depend on neither the other rows and heads of a call, nor the cut,
// nor on spans being computed one by one.
TEST(Attention, RowsHeadsAndSpansMayBeGroupedAnyHow) {
  Random random(4);
  for (int i = 0; i < 24; ++i) {
    const int64_t head_dim = i % 3 == 0 ? random.between(1, 100) : 32 * random.between(1, 4);
    const int64_t length = i % 6 == 5 ? random.between(500, 1100) : random.between(1, 200);
    const Sequence s(random, length, random.between(1, 6), i % 6 == 5 ? 9 : head_dim,
                     kTypes[random.below(4)]);
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
          s.run(level, t, rows, head, heads, grouped, random.flip());
          head += heads;
        }
        t += rows;
      }
      ASSERT_TRUE(alone.same_bits(all)) << hardware::name(level) << " dim " << head_dim;
      ASSERT_TRUE(grouped.same_bits(all)) << hardware::name(level) << " dim " << head_dim;
    }
  }
}

// A narrow cache is an fp32 cache of rounded values, bit for bit.
TEST(Attention, NarrowCacheOnlyRoundsWhatItStores) {
  Random random(5);
  for (int i = 0; i < 24; ++i) {
    const Sequence narrow(random, random.between(1, 150), random.between(1, 4),
                          i < 9 ? random.between(1, 70) : 64, kTypes[1 + i % 3]);
    Sequence wide(random, narrow.length, narrow.num_heads, narrow.head_dim, CacheType::kF32);
    for (int64_t t = 0; t < narrow.length; ++t) {
      Fenced<float> key(narrow.head_dim), value(narrow.head_dim);
      for (int64_t d = 0; d < narrow.head_dim; ++d) {
        key[d] = narrow.get(narrow.key_offset, t, d);
        value[d] = narrow.get(narrow.value_offset, t, d);
      }
      wide.put(wide.key_offset, t, key);
      wide.put(wide.value_offset, t, value);
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

// What a value may lose: half a unit in the last place of bf16 and f16, half a step of q8_0, whose
// scale is at most 1 + 2^-7 times the group's largest value / 127.
double rounding(CacheType type, float x, float largest) {
  const double size = std::abs(x);
  if (type == CacheType::kF32) return 0;
  if (type == CacheType::kBF16) return size * 0x1p-8;
  if (type == CacheType::kF16) return std::max(size * 0x1p-11, 0x1p-25);
  const double scale = static_cast<double>(largest) / 127 * (1 + 0x1p-7);
  return scale < 0x1p-125 ? 0x1p-118 : scale * (0.5 + 0x1p-16);
}

TEST(CacheStore, RoundsToNearestAndLeavesOtherTokensAlone) {
  Random random(7);
  for (const int64_t head_dim : {1, 5, 31, 32, 33, 64, 100, 256}) {
    for (const double size : {1e-30, 1e-3, 1.0, 300.0}) {
      const auto x = uniform(random, head_dim, -size, size);
      const int64_t slot = random.below(kAttentionBlock);
      for (const CacheType type : kTypes) {
        Fenced<std::byte> first(static_cast<int64_t>(cache_plane_bytes(type, head_dim)));
        for (const auto level : levels()) {
          Fenced<std::byte> plane(first.size());
          plane.fill(std::byte{0x41});
          attention_kernels(level).cache_store(type, x.data(), head_dim, slot, plane.data());
          for (int64_t d = 0; d < head_dim; ++d) {
            float largest = 0;
            const int64_t group = d / kCacheGroup * kCacheGroup;
            for (int64_t i = group; i < std::min(head_dim, group + kCacheGroup); ++i)
              largest = std::max(largest, std::abs(x[i]));
            ASSERT_NEAR(stored(type, plane.data(), head_dim, slot, d), x[d],
                        rounding(type, x[d], largest))
                << hardware::name(level) << " type " << static_cast<int>(type) << " of " << size;
          }
          Fenced<std::byte> others(plane);
          const Fenced<float> zeros = uniform(random, head_dim, 0, 0);
          attention_kernels(level).cache_store(type, zeros.data(), head_dim, slot, others.data());
          int64_t changed = 0;
          for (int64_t i = 0; i < plane.size(); ++i) changed += plane[i] != std::byte{0x41};
          ASSERT_LE(changed, static_cast<int64_t>(cache_row_bytes(type, head_dim)));
          for (int64_t d = 0; d < head_dim; ++d)
            ASSERT_EQ(stored(type, others.data(), head_dim, slot, d), 0.0f);
          if (level == levels().front()) std::memcpy(first.data(), plane.data(), plane.size());
          ASSERT_TRUE(plane.same_bits(first)) << hardware::name(level);
        }
      }
    }
  }
}

// f16 ends at 65,504; what lies beyond stays finite, at the end of the range.
TEST(CacheStore, F16KeepsWhatIsTooLargeAtItsLargest) {
  const float x[] = {65504, -65504, 65519, 65520, -65520, 1e6f, -3.4e38f, -0.0f, 0x1p-24f, -7};
  const float wanted[] = {65504, -65504, 65504, 65504, -65504, 65504, -65504, -0.0f, 0x1p-24f, -7};
  constexpr int64_t kCount = std::size(x);
  for (const auto level : levels()) {
    Fenced<float> row(4 * kCount);
    for (int64_t i = 0; i < row.size(); ++i) row[i] = x[i % kCount];
    const auto bytes = static_cast<int64_t>(cache_plane_bytes(CacheType::kF16, row.size()));
    Fenced<std::byte> plane(bytes);
    attention_kernels(level).cache_store(CacheType::kF16, row.data(), row.size(), 5, plane.data());
    for (int64_t i = 0; i < row.size(); ++i) {
      const float kept = stored(CacheType::kF16, plane.data(), row.size(), 5, i);
      EXPECT_EQ(std::bit_cast<uint32_t>(kept), std::bit_cast<uint32_t>(wanted[i % kCount]))
          << hardware::name(level) << " " << x[i % kCount] << " became " << kept;
    }
  }
}

TEST(CacheStore, NoNumberStaysNoNumber) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const CacheType type : kTypes) {
      for (const auto level : levels()) {
        Fenced<float> x(70);
        x.fill(1);
        x[40] = bad;
        Fenced<std::byte> plane(static_cast<int64_t>(cache_plane_bytes(type, 70)));
        attention_kernels(level).cache_store(type, x.data(), 70, 3, plane.data());
        EXPECT_FALSE(std::isfinite(stored(type, plane.data(), 70, 3, 40)));
        EXPECT_EQ(stored(type, plane.data(), 70, 3, 69),
                  type == CacheType::kQ8_0 ? 126 * 0x1.04p-7f : 1.0f);
        EXPECT_TRUE(std::isfinite(stored(type, plane.data(), 70, 3, 0)));
      }
    }
  }
}

TEST(Attention, NanSpoilsOnlyItsOwnHead) {
  Random random(6);
  Sequence s(random, 3, 3, 20, CacheType::kF32);
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
