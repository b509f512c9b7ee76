// The kernels of conv1d.h on the vectors of simd-inl.h; included once a level by conv1d.cpp.

void causal_conv_silu(const float* in, const float* weight, float* state, float* out,
                      int64_t tokens, int64_t channels, int64_t kernel, int64_t begin,
                      int64_t end) {
  const int64_t past = kernel - 1;
  // The row of raw inputs at time t, which may lie before this step.
  const auto row = [&](int64_t t) {
    return t >= 0 ? in + t * channels : state + (past + t) * channels;
  };
  for (int64_t t = 0; t < tokens; ++t) {
    for_lanes(end - begin, [&](int64_t i, int64_t n) {
      const int64_t c = begin + i;
      V sum = zero();
      for (int64_t j = 0; j < kernel; ++j)
        sum =
            fma(load_some(weight + j * channels + c, n), load_some(row(t - past + j) + c, n), sum);
      store_some(out + t * channels + c, silu(sum), n);
    });
  }
  for (int64_t j = 0; j < past; ++j) {
    const int64_t t = tokens - past + j;  // may still lie before this step: then the state shifts
    const float* from = t >= 0 ? in + t * channels : state + (past + t) * channels;
    std::memmove(state + j * channels + begin, from + begin,
                 static_cast<size_t>(end - begin) * sizeof(float));
  }
}
