// The kernels of rope.h on the vectors of simd-inl.h; included once a level by rope.cpp.

void rotate_half(float* x, const float* cos, const float* sin, int64_t half) {
  for_lanes(half, [&](int64_t i, int64_t n) {
    const V c = load_some(cos + i, n), s = load_some(sin + i, n);
    const V first = load_some(x + i, n), second = load_some(x + half + i, n);
    store_some(x + i, sub(mul(first, c), mul(second, s)), n);
    store_some(x + half + i, add(mul(second, c), mul(first, s)), n);
  });
}

// Rare (GGUF files of the llama architecture), so plain code; the same operations as above.
void rotate_pairs(float* x, const float* cos, const float* sin, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float first = x[2 * i], second = x[2 * i + 1];
    x[2 * i] = first * cos[i] - second * sin[i];
    x[2 * i + 1] = second * cos[i] + first * sin[i];
  }
}
