// The kernels of norm.h on the vectors of simd-inl.h; included once a level by norm.cpp.

TULOU_INLINE float rms_factor(const float* x, float eps, int64_t width) {
  return 1.0f / std::sqrt(dot(x, x, width) / static_cast<float>(width) + eps);
}

void rms_norm(const float* x, const float* weight, float offset, float eps, float* out,
              int64_t width) {
  const V factor = set1(rms_factor(x, eps, width));
  const V shift = set1(offset);
  for_lanes(width, [&](int64_t i, int64_t n) {
    const V scaled = mul(load_some(x + i, n), factor);
    store_some(out + i, mul(scaled, add(shift, load_some(weight + i, n))), n);
  });
}

void gated_rms_norm(const float* x, const float* weight, const float* gate, float eps, float* out,
                    int64_t width) {
  const V factor = set1(rms_factor(x, eps, width));
  for_lanes(width, [&](int64_t i, int64_t n) {
    const V normed = mul(mul(load_some(x + i, n), factor), load_some(weight + i, n));
    store_some(out + i, mul(normed, silu(load_some(gate + i, n))), n);
  });
}

void l2_norm(const float* x, float eps, float scale, float* out, int64_t width) {
  const V factor = set1(scale / std::sqrt(dot(x, x, width) + eps));
  for_lanes(width, [&](int64_t i, int64_t n) {
    store_some(out + i, mul(load_some(x + i, n), factor), n);
  });
}
