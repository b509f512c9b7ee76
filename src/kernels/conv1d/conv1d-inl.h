// The kernels of conv1d.h on the vectors of simd-inl.h; included once a level by conv1d.cpp.

// The row of raw inputs at time t, which may lie before this step.
TULOU_INLINE const float* conv_row(const ConvArgs& a, int64_t t) {
  return t >= 0 ? a.in + t * a.in_stride : a.state + (a.kernel - 1 + t) * a.weight_stride;
}

// kTokens tokens from t on with kTaps taps: a channel's weights are loaded once, and each input
// once for all outputs that it is a part of.
template <int kTaps, int kTokens>
TULOU_INLINE void conv_tokens(const ConvArgs& a, int64_t t) {
  const float* rows[kTaps - 1 + kTokens];
  for (int i = 0; i < kTaps - 1 + kTokens; ++i) rows[i] = conv_row(a, t - (kTaps - 1) + i);
  float* out = a.out + t * a.out_stride;
  for_lanes(a.channels, [&](int64_t c, int64_t n) {
    V weight[kTaps], in[kTaps - 1 + kTokens];
    for (int j = 0; j < kTaps; ++j) weight[j] = load_some(a.weight + j * a.weight_stride + c, n);
    for (int i = 0; i < kTaps - 1 + kTokens; ++i) in[i] = load_some(rows[i] + c, n);
    for (int i = 0; i < kTokens; ++i) {
      V sum = zero();
      for (int j = 0; j < kTaps; ++j) sum = fma(weight[j], in[i + j], sum);
      store_some(out + i * a.out_stride + c, silu(sum), n);
    }
  });
}

// Any number of taps.
TULOU_INLINE void conv_token(const ConvArgs& a, int64_t t) {
  for_lanes(a.channels, [&](int64_t c, int64_t n) {
    V sum = zero();
    for (int64_t j = 0; j < a.kernel; ++j)
      sum = fma(load_some(a.weight + j * a.weight_stride + c, n),
                load_some(conv_row(a, t - a.kernel + 1 + j) + c, n), sum);
    store_some(a.out + t * a.out_stride + c, silu(sum), n);
  });
}

void causal_conv_silu(const ConvArgs& a) {
  constexpr int kTokens = 4;
  int64_t t = 0;
  if (a.kernel == 4) {
    for (; t + kTokens <= a.tokens; t += kTokens) conv_tokens<4, kTokens>(a, t);
    for (; t < a.tokens; ++t) conv_tokens<4, 1>(a, t);
  }
  for (; t < a.tokens; ++t) conv_token(a, t);
  // A row may still lie before this step: then the state shifts.
  for (int64_t j = 0; j + 1 < a.kernel; ++j)
    std::memmove(a.state + j * a.weight_stride, conv_row(a, a.tokens - a.kernel + 1 + j),
                 static_cast<size_t>(a.channels) * sizeof(float));
}
