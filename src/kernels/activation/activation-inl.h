// The kernels of activation.h on the vectors of simd-inl.h; included once a level by
// activation.cpp.

void silu_mul(const float* gate, const float* up, float* out, int64_t count) {
  for_lanes(count, [&](int64_t i, int64_t n) {
    store_some(out + i, mul(silu(load_some(gate + i, n)), load_some(up + i, n)), n);
  });
}

void sigmoid_mul(const float* x, const float* gate, float* out, int64_t count) {
  for_lanes(count, [&](int64_t i, int64_t n) {
    store_some(out + i, mul(load_some(x + i, n), sigmoid(load_some(gate + i, n))), n);
  });
}

void add_scaled(const float* x, float scale, float* out, int64_t count) {
  const V factor = set1(scale);
  for_lanes(count, [&](int64_t i, int64_t n) {
    store_some(out + i, fma(load_some(x + i, n), factor, load_some(out + i, n)), n);
  });
}

void softmax(float* x, int64_t count) {
  float largest = count > 0 ? x[0] : 0;
  for (int64_t i = 1; i < count; ++i) largest = x[i] > largest ? x[i] : largest;
  const V shift = set1(largest);
  V sums = zero();
  for_lanes(count, [&](int64_t i, int64_t n) {
    const V e = exp(sub(load_some(x + i, n), shift));
    store_some(x + i, e, n);
    sums = add(sums, n == kLanes ? e : load_partial(x + i, n));
  });
  const V factor = set1(1.0f / reduce_add(sums));
  for_lanes(count,
            [&](int64_t i, int64_t n) { store_some(x + i, mul(load_some(x + i, n), factor), n); });
}
