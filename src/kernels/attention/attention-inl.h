// The kernels of attention.h on the vectors of simd-inl.h; included once a level by attention.cpp.

struct F32Cache {
  using Value = float;
  TULOU_INLINE V load_some_of(const float* p, int64_t n) { return load_some(p, n); }
};
struct Bf16Cache {
  using Value = uint16_t;
  TULOU_INLINE V load_some_of(const uint16_t* p, int64_t n) {
    return n == kLanes ? load_bf16(p) : load_bf16_partial(p, n);
  }
};

// Running state of one query head over the blocks: largest score so far and sum of exponentials.
struct Running {
  float largest, sum;
};

// kVectors vectors of the following, from dimension d on.
template <typename Cache, int kVectors>
TULOU_INLINE void accumulate_part(const float* p, int64_t count,
                                  const typename Cache::Value* values, int64_t head_dim, int64_t d,
                                  V factor, float* out) {
  V sum[kVectors];
  for (int64_t u = 0; u < kVectors; ++u) sum[u] = mul(load(out + d + u * kLanes), factor);
  for (int64_t j = 0; j < count; ++j) {
    const V weight = set1(p[j]);
    const typename Cache::Value* row = values + j * head_dim + d;
    for (int64_t u = 0; u < kVectors; ++u)
      sum[u] = fma(weight, Cache::load_some_of(row + u * kLanes, kLanes), sum[u]);
  }
  for (int64_t u = 0; u < kVectors; ++u) store(out + d + u * kLanes, sum[u]);
}

// out[d] = out[d] * correction + sum over j of p[j] * values[j][d], j rising.
template <typename Cache>
TULOU_INLINE void accumulate(const float* p, int64_t count, const typename Cache::Value* values,
                             int64_t head_dim, float correction, float* out) {
  const V factor = set1(correction);
  int64_t d = 0;
  for (; d + 8 * kLanes <= head_dim; d += 8 * kLanes)
    accumulate_part<Cache, 8>(p, count, values, head_dim, d, factor, out);
  for (; d + 4 * kLanes <= head_dim; d += 4 * kLanes)
    accumulate_part<Cache, 4>(p, count, values, head_dim, d, factor, out);
  for (; d < head_dim; d += kLanes) {
    const int64_t n = std::min(kLanes, head_dim - d);
    V sum = mul(load_some(out + d, n), factor);
    for (int64_t j = 0; j < count; ++j)
      sum = fma(set1(p[j]), Cache::load_some_of(values + j * head_dim + d, n), sum);
    store_some(out + d, sum, n);
  }
}

// Products of q with kKeys keys, a vector of partial sums each.
template <typename Cache, int kKeys>
TULOU_INLINE void multiply_keys(const float* q, const typename Cache::Value* keys, int64_t head_dim,
                                V* sums) {
  for (int u = 0; u < kKeys; ++u) sums[u] = zero();
  for_lanes(head_dim, [&](int64_t d, int64_t n) {
    const V part = load_some(q + d, n);
    for (int u = 0; u < kKeys; ++u)
      sums[u] = fma(part, Cache::load_some_of(keys + u * head_dim + d, n), sums[u]);
  });
}

template <typename Cache>
TULOU_INLINE void score_keys(const float* q, const typename Cache::Value* keys, int64_t count,
                             int64_t head_dim, float* scores) {
  int64_t j = 0;
  for (; j + 8 <= count; j += 8) {
    V sums[8];
    multiply_keys<Cache, 8>(q, keys + j * head_dim, head_dim, sums);
    reduce_add4(sums, scores + j);
    reduce_add4(sums + 4, scores + j + 4);
  }
  for (; j < count; ++j) {
    V sum;
    multiply_keys<Cache, 1>(q, keys + j * head_dim, head_dim, &sum);
    scores[j] = reduce_add(sum);
  }
}

// One head of one row over the first `count` tokens of one block.
template <typename Cache>
TULOU_INLINE void attend_block(const float* q, const typename Cache::Value* keys,
                               const typename Cache::Value* values, int64_t count, int64_t head_dim,
                               float scale, Running* running, float* out) {
  float scores[kAttentionBlock];
  score_keys<Cache>(q, keys, count, head_dim, scores);
  float largest = running->largest;
  for (int64_t j = 0; j < count; ++j) {
    scores[j] *= scale;
    largest = scores[j] > largest ? scores[j] : largest;
  }
  float correction[kLanes];
  store(correction, exp(set1(running->largest - largest)));
  V sums = zero();
  for_lanes(count, [&](int64_t j, int64_t n) {
    const V p = exp(sub(load_some(scores + j, n), set1(largest)));
    store_some(scores + j, p, n);
    sums = add(sums, n == kLanes ? p : load_partial(scores + j, n));
  });
  running->largest = largest;
  running->sum = running->sum * correction[0] + reduce_add(sums);
  accumulate<Cache>(scores, count, values, head_dim, correction[0], out);
}

template <typename Cache>
TULOU_INLINE void attend(const AttentionArgs& a) {
  auto* running = reinterpret_cast<Running*>(a.scratch);
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t h = 0; h < a.num_heads; ++h) {
      // A finite start: exp(start - score) is 0 without an infinity minus an infinity.
      running[r * a.num_heads + h] = {-3.0e38f, 0.0f};
      std::memset(a.out + r * a.out_stride + h * a.head_dim, 0,
                  static_cast<size_t>(a.head_dim) * sizeof(float));
    }
  }
  const int64_t length = a.position + a.rows;
  for (int64_t block = 0; block * kAttentionBlock < length; ++block) {
    const std::byte* data = a.base + static_cast<size_t>(a.blocks[block]) * a.block_stride;
    const auto* keys = reinterpret_cast<const typename Cache::Value*>(data + a.key_offset);
    const auto* values = reinterpret_cast<const typename Cache::Value*>(data + a.value_offset);
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t count = std::min(kAttentionBlock, a.position + r + 1 - block * kAttentionBlock);
      if (count <= 0) continue;
      for (int64_t h = 0; h < a.num_heads; ++h) {
        attend_block<Cache>(a.q + r * a.q_stride + h * a.head_dim, keys, values, count, a.head_dim,
                            a.scale, &running[r * a.num_heads + h],
                            a.out + r * a.out_stride + h * a.head_dim);
      }
    }
  }
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t h = 0; h < a.num_heads; ++h) {
      const V factor = set1(1.0f / running[r * a.num_heads + h].sum);
      float* out = a.out + r * a.out_stride + h * a.head_dim;
      for_lanes(a.head_dim, [&](int64_t d, int64_t n) {
        store_some(out + d, mul(load_some(out + d, n), factor), n);
      });
    }
  }
}

void attention(const AttentionArgs& args) {
  if (args.bf16) {
    attend<Bf16Cache>(args);
  } else {
    attend<F32Cache>(args);
  }
}
