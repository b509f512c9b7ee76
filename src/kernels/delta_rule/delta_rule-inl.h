// The kernels of delta_rule.h on the vectors of simd-inl.h; included once a level by
// delta_rule.cpp.

// One token, kLanes * kVectors columns from column c; `count` valid ones (kLanes * kVectors, or
// fewer if kVectors is 1). Sums run over rising rows of the state, a lane a column: no lane mixes
// columns. The state is read for both sums at once and then replaced:
//   S'^T q = (decay S + k u^T)^T q = decay S^T q + (k . q) u.
template <int kVectors>
TULOU_INLINE void delta_step(const DeltaRuleArgs& a, int64_t t, int64_t c, int64_t count) {
  const float* q = a.q + t * a.qk_stride;
  const float* k = a.k + t * a.qk_stride;
  const V decay = set1(a.decay[t * a.gate_stride]), beta = set1(a.beta[t * a.gate_stride]);
  const V both = set1(dot(k, q, a.key_dim));
  const int64_t n = kVectors == 1 ? count : kLanes;
  V error[kVectors], out[kVectors];
  for (int j = 0; j < kVectors; ++j) error[j] = out[j] = zero();
  float* row = a.state + c;
  for (int64_t i = 0; i < a.key_dim; ++i, row += a.value_dim) {
    const V ki = set1(k[i]), qi = set1(q[i]);
    for (int j = 0; j < kVectors; ++j) {
      const V s = load_some(row + j * kLanes, n);
      error[j] = fma(s, ki, error[j]);
      out[j] = fma(s, qi, out[j]);
    }
  }
  V delta[kVectors];
  for (int j = 0; j < kVectors; ++j) {
    const V v = load_some(a.v + t * a.v_stride + c + j * kLanes, n);
    delta[j] = mul(beta, sub(v, mul(decay, error[j])));
    store_some(a.out + t * a.out_stride + c + j * kLanes, fma(both, delta[j], mul(decay, out[j])),
               n);
  }
  row = a.state + c;
  for (int64_t i = 0; i < a.key_dim; ++i, row += a.value_dim) {
    const V ki = set1(k[i]);
    for (int j = 0; j < kVectors; ++j) {
      const V s = fma(decay, load_some(row + j * kLanes, n), mul(ki, delta[j]));
      store_some(row + j * kLanes, s, n);
    }
  }
}

void gated_delta_rule(const DeltaRuleArgs& a) {
  constexpr int kVectors = kLanes >= 16 ? 2 : 4;
  constexpr int64_t kWide = kVectors * kLanes;
  int64_t c = a.begin;
  // Columns outside, tokens inside: a block of columns stays in the L1 cache for the whole step.
  for (; c + kWide <= a.end; c += kWide) {
    for (int64_t t = 0; t < a.tokens; ++t) delta_step<kVectors>(a, t, c, kWide);
  }
  for (; c < a.end; c += kLanes) {
    const int64_t count = std::min(kLanes, a.end - c);
    for (int64_t t = 0; t < a.tokens; ++t) delta_step<1>(a, t, c, count);
  }
}
