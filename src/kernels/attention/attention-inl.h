// The kernels of attention.h on the vectors of simd-inl.h; included once a level by attention.cpp.

#include "kernels/attention/cache-inl.h"

// Sums that are kept in registers at a time.
#if TULOU_SIMD == 1 || TULOU_SIMD == 3
constexpr int kSums = 16;
#else
constexpr int kSums = 8;
#endif
constexpr int kQueries = 4;  // queries that use a loaded key or value together

// Running state of one query over what it has seen: largest score and sum of exponentials.
struct Running {
  float largest, sum;
};
// A finite start: exp(start - score) is 0 without an infinity minus an infinity.
constexpr Running kStart = {-3.0e38f, 0.0f};

// A call's queries, numbered row by row, and where their scores and results are.
struct Queries {
  const AttentionArgs& args;
  float* scores;   // [queries][64]
  float* sums;     // [queries][head_dim]
  float* running;  // [queries][2]

  const float* query(int64_t i) const {
    return args.q + i / args.num_heads * args.q_stride + i % args.num_heads * args.q_head_stride;
  }
  // How many tokens of a block query i looks at; not above 0 if it ends before.
  int64_t count(int64_t i, int64_t block) const {
    return std::min(kAttentionBlock,
                    args.position + i / args.num_heads + 1 - block * kAttentionBlock);
  }
};

// Scores of kRows queries with kKeys keys. A score is one vector of partial sums over rising
// dimensions, then the tree of reduce_add, whoever else is in the tile.
template <typename Cache, int kRows, int kKeys>
TULOU_INLINE void score_tile(const float* const* q, const Cache& keys, int64_t j, int64_t head_dim,
                             float* scores) {
  V sums[kRows * kKeys];
  typename Cache::Row rows[kKeys];
  for (int u = 0; u < kKeys; ++u) rows[u] = keys.row(j + u);
  for (int i = 0; i < kRows * kKeys; ++i) sums[i] = zero();
  for_lanes(head_dim, [&](int64_t d, int64_t n) {
    V key[kKeys];
    for (int u = 0; u < kKeys; ++u) key[u] = Cache::load_some_of(rows[u], d, n);
    for (int r = 0; r < kRows; ++r) {
      const V part = load_some(q[r] + d, n);
      for (int u = 0; u < kKeys; ++u) sums[r * kKeys + u] = fma(part, key[u], sums[r * kKeys + u]);
    }
  });
  float results[kRows * kKeys];
  if constexpr (kRows * kKeys % 4 == 0) {
    for (int i = 0; i < kRows * kKeys; i += 4) reduce_add4(sums + i, results + i);
  } else {
    for (int i = 0; i < kRows * kKeys; ++i) results[i] = reduce_add(sums[i]);
  }
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kKeys; ++u) scores[r * kAttentionBlock + j + u] = results[r * kKeys + u];
  }
}

// Queries [first, first + kRows) with keys [begin, end) of a block, which `keys` holds from its
// token begin - offset on.
template <typename Cache, int kRows>
TULOU_INLINE void score_rows(const Queries& all, int64_t first, const Cache& keys, int64_t begin,
                             int64_t end) {
  constexpr int kKeys = kSums / kRows;
  const float* q[kRows];
  for (int r = 0; r < kRows; ++r) q[r] = all.query(first + r);
  float* scores = all.scores + first * kAttentionBlock;
  int64_t j = begin;
  for (; j + kKeys <= end; j += kKeys)
    score_tile<Cache, kRows, kKeys>(q, keys, j, all.args.head_dim, scores);
  for (; j < end; ++j) score_tile<Cache, kRows, 1>(q, keys, j, all.args.head_dim, scores);
}

// sums[r][d] += sum over j in [begin, end) of weight[r][j] * values[j][d], j rising, for kVectors
// vectors from dimension d on; n is the count of the last one.
template <typename Cache, int kRows, int kVectors>
TULOU_INLINE void add_tile(const Queries& all, int64_t first, const Cache& values, int64_t begin,
                           int64_t end, int64_t d) {
  const int64_t width = all.args.head_dim;
  const int64_t n = kVectors == 1 ? std::min(kLanes, width - d) : kLanes;
  const float* weights = all.scores + first * kAttentionBlock;
  float* out = all.sums + first * width + d;
  V sums[kRows * kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kVectors; ++u)
      sums[r * kVectors + u] = load_some(out + r * width + u * kLanes, n);
  }
  for (int64_t j = begin; j < end; ++j) {
    const typename Cache::Row row = values.row(j);
    V value[kVectors];
    for (int u = 0; u < kVectors; ++u) value[u] = Cache::load_some_of(row, d + u * kLanes, n);
    for (int r = 0; r < kRows; ++r) {
      const V weight = set1(weights[r * kAttentionBlock + j]);
      for (int u = 0; u < kVectors; ++u)
        sums[r * kVectors + u] = fma(weight, value[u], sums[r * kVectors + u]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kVectors; ++u)
      store_some(out + r * width + u * kLanes, sums[r * kVectors + u], n);
  }
}

template <typename Cache, int kRows>
TULOU_INLINE void add_rows(const Queries& all, int64_t first, const Cache& values, int64_t begin,
                           int64_t end) {
  constexpr int kVectors = kSums / kRows;
  if (begin >= end) return;
  int64_t d = 0;
  for (; d + kVectors * kLanes <= all.args.head_dim; d += kVectors * kLanes)
    add_tile<Cache, kRows, kVectors>(all, first, values, begin, end, d);
  for (; d < all.args.head_dim; d += kLanes)
    add_tile<Cache, kRows, 1>(all, first, values, begin, end, d);
}

// Scores of tokens [begin, end) of a block for all queries from `first` on. A group of queries may
// compute some that its first ones do not look at.
template <typename Cache>
TULOU_INLINE void score_tokens(const Queries& all, int64_t first, int64_t block, const Cache& keys,
                               int64_t begin, int64_t end) {
  const int64_t queries = all.args.queries();
  int64_t i = first;
  for (; i + kQueries <= queries; i += kQueries)
    score_rows<Cache, kQueries>(all, i, keys, begin,
                                std::min(end, all.count(i + kQueries - 1, block)));
  for (; i < queries; ++i)
    score_rows<Cache, 1>(all, i, keys, begin, std::min(end, all.count(i, block)));
}

// Adds the values of tokens [begin, end) of a block. No query touches a value beyond its own count,
// not even with a weight of 0: that value may be anything.
template <typename Cache>
TULOU_INLINE void add_tokens(const Queries& all, int64_t first, int64_t block, const Cache& values,
                             int64_t begin, int64_t end) {
  const int64_t queries = all.args.queries();
  int64_t i = first;
  for (; i + kQueries <= queries; i += kQueries) {
    const int64_t common = std::min(end, std::max(begin, all.count(i, block)));
    add_rows<Cache, kQueries>(all, i, values, begin, common);
    if (all.count(i + kQueries - 1, block) <= common) continue;
    for (int64_t r = i; r < i + kQueries; ++r)
      add_rows<Cache, 1>(all, r, values, common, std::min(end, all.count(r, block)));
  }
  for (; i < queries; ++i)
    add_rows<Cache, 1>(all, i, values, begin, std::min(end, all.count(i, block)));
}

// Scores to weights: exp(score * scale - largest). What was summed up is brought to the new largest
// score.
TULOU_INLINE void weigh(const Queries& all, int64_t i, int64_t count) {
  auto* running = reinterpret_cast<Running*>(all.running) + i;
  float* scores = all.scores + i * kAttentionBlock;
  const V scale = set1(all.args.scale);
  float lanes[kLanes];
  // max returns its second operand if either is NaN, so a NaN is passed over here and spoils the
  // weights below.
  V largest_lanes = set1(running->largest);
  for_lanes(count, [&](int64_t j, int64_t n) {
    const V scaled = mul(load_some(scores + j, n), scale);
    store_some(scores + j, scaled, n);
    if (n == kLanes) largest_lanes = max(scaled, largest_lanes);
  });
  store(lanes, largest_lanes);
  float largest = lanes[0];
  for (int64_t j = 1; j < kLanes; ++j) largest = lanes[j] > largest ? lanes[j] : largest;
  for (int64_t j = count / kLanes * kLanes; j < count; ++j)
    largest = scores[j] > largest ? scores[j] : largest;
  V sums = zero();
  for_lanes(count, [&](int64_t j, int64_t n) {
    const V p = exp(sub(load_some(scores + j, n), set1(largest)));
    store_some(scores + j, p, n);
    sums = add(sums, n == kLanes ? p : load_partial(scores + j, n));
  });
  if (largest != running->largest) {
    const V factor = exp(set1(running->largest - largest));
    store(lanes, factor);
    running->sum *= lanes[0];
    float* out = all.sums + i * all.args.head_dim;
    for_lanes(all.args.head_dim, [&](int64_t d, int64_t n) {
      store_some(out + d, mul(load_some(out + d, n), factor), n);
    });
  }
  running->largest = largest;
  running->sum += reduce_add(sums);
}

TULOU_INLINE void prefetch(const std::byte* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(data + i);
}

// One block for all queries from `first` on. `next` is read after it: it is fetched meanwhile.
template <typename Cache>
TULOU_INLINE void attend_block(const Queries& all, int64_t first, int64_t block,
                               const std::byte* data, const std::byte* next, float* converted) {
  const AttentionArgs& a = all.args;
  const int64_t queries = a.queries();
  const int64_t end = all.count(queries - 1, block);
  // Few queries convert what they load, many share what was converted once.
  const bool few = queries <= 2 * kQueries;
  const Cache keys(data + a.key_offset, a.head_dim), values(data + a.value_offset, a.head_dim);
  const size_t row_bytes = cache_row_bytes(a.type, a.head_dim);
  for (int64_t j = 0; j < end; j += kAttentionTokens) {
    const int64_t stop = std::min(end, j + kAttentionTokens);
    if (few) {
      prefetch(data + a.value_offset + static_cast<size_t>(j) * row_bytes,
               static_cast<size_t>(stop - j) * row_bytes);
      score_tokens<Cache>(all, first, block, keys, j, stop);
    } else {
      score_tokens<F32Cache>(all, first, block, convert(keys, j, stop, a.head_dim, converted), j,
                             stop);
    }
  }
  for (int64_t i = first; i < queries; ++i) weigh(all, i, all.count(i, block));
  for (int64_t j = 0; j < end; j += kAttentionTokens) {
    const int64_t stop = std::min(end, j + kAttentionTokens);
    if (few) {
      prefetch(next + a.key_offset + static_cast<size_t>(j) * row_bytes,
               static_cast<size_t>(stop - j) * row_bytes);
      add_tokens<Cache>(all, first, block, values, j, stop);
    } else {
      add_tokens<F32Cache>(all, first, block, convert(values, j, stop, a.head_dim, converted), j,
                           stop);
    }
  }
}

template <typename Cache>
TULOU_INLINE void attend_span(const AttentionArgs& a, int64_t span, float* partial) {
  const int64_t queries = a.queries();
  const Queries all = {a, a.scratch, partial, partial + queries * a.head_dim};
  float* converted = a.scratch + queries * kAttentionBlock;
  constexpr int64_t kBlocks = kAttentionSpan / kAttentionBlock;
  const int64_t length = (a.position + a.rows + kAttentionBlock - 1) / kAttentionBlock;
  const auto data = [&](int64_t block) {
    return a.base + static_cast<size_t>(a.blocks[block]) * a.block_stride;
  };
  for (int64_t block = span * kBlocks; block < std::min(length, (span + 1) * kBlocks); ++block) {
    // Rows that end before this block are done.
    const int64_t first = std::max<int64_t>(0, block * kAttentionBlock - a.position) * a.num_heads;
    if (block == span * kBlocks) {
      for (int64_t i = first; i < queries; ++i) reinterpret_cast<Running*>(all.running)[i] = kStart;
      std::memset(all.sums + first * a.head_dim, 0,
                  static_cast<size_t>((queries - first) * a.head_dim) * sizeof(float));
    }
    attend_block<Cache>(all, first, block, data(block), data(std::min(length - 1, block + 1)),
                        converted);
  }
}

void attention_span(const AttentionArgs& args, int64_t span, float* partial) {
  switch (args.type) {
    case CacheType::kF32:
      return attend_span<F32Cache>(args, span, partial);
    case CacheType::kBF16:
      return attend_span<Bf16Cache>(args, span, partial);
    case CacheType::kF16:
      return attend_span<F16Cache>(args, span, partial);
    case CacheType::kQ8_0:
      return attend_span<Q8Cache>(args, span, partial);
  }
}

// Merges a span's part into what the spans before it gave, or begins with it.
TULOU_INLINE void merge_query(const AttentionArgs& a, const float* partial, int64_t i, bool begins,
                              Running* total) {
  const float* sums = partial + i * a.head_dim;
  const Running part = reinterpret_cast<const Running*>(partial + a.queries() * a.head_dim)[i];
  float* out = a.out + i / a.num_heads * a.out_stride + i % a.num_heads * a.head_dim;
  if (begins) {
    *total = part;
    std::memcpy(out, sums, static_cast<size_t>(a.head_dim) * sizeof(float));
    return;
  }
  const float largest = part.largest > total->largest ? part.largest : total->largest;
  const V before = exp(set1(total->largest - largest)), now = exp(set1(part.largest - largest));
  float before_lanes[kLanes], now_lanes[kLanes];
  store(before_lanes, before);
  store(now_lanes, now);
  for_lanes(a.head_dim, [&](int64_t d, int64_t n) {
    store_some(out + d, fma(load_some(sums + d, n), now, mul(load_some(out + d, n), before)), n);
  });
  *total = {largest, total->sum * before_lanes[0] + part.sum * now_lanes[0]};
}

TULOU_INLINE void finish_query(const AttentionArgs& a, int64_t i, const Running& total) {
  float* out = a.out + i / a.num_heads * a.out_stride + i % a.num_heads * a.head_dim;
  const V factor = set1(1.0f / total.sum);
  for_lanes(a.head_dim, [&](int64_t d, int64_t n) {
    store_some(out + d, mul(load_some(out + d, n), factor), n);
  });
}

// The first query that looks at a span.
TULOU_INLINE int64_t first_query(const AttentionArgs& a, int64_t span) {
  return std::max<int64_t>(0, span * kAttentionSpan - a.position) * a.num_heads;
}

void attention(const AttentionArgs& a) {
  const int64_t queries = a.queries();
  float* partial = a.scratch + queries * kAttentionBlock + kAttentionTokens * a.head_dim;
  auto* totals = reinterpret_cast<Running*>(partial + attention_partial(queries, a.head_dim));
  for (int64_t span = 0; span < a.spans(); ++span) {
    attention_span(a, span, partial);
    for (int64_t i = first_query(a, span); i < queries; ++i)
      merge_query(a, partial, i, span == 0, &totals[i]);
  }
  for (int64_t i = 0; i < queries; ++i) finish_query(a, i, totals[i]);
}

void attention_merge(const AttentionArgs& a, const float* partials) {
  const int64_t stride = attention_partial(a.queries(), a.head_dim);
  for (int64_t i = 0; i < a.queries(); ++i) {
    Running total = kStart;
    for (int64_t span = 0; span < a.spans() && first_query(a, span) <= i; ++span)
      merge_query(a, partials + span * stride, i, span == 0, &total);
    finish_query(a, i, total);
  }
}
