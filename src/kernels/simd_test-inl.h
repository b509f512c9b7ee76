// Functions over arrays for each operation of simd-inl.h; included once a level by simd_test.cpp.

// Inputs a, b, c and outputs hold whole vectors.
void run(Operation operation, const float* a, const float* b, const float* c, float* out,
         int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const V x = load(a + i), y = load(b + i), z = load(c + i);
    V result = zero();
    switch (operation) {
      case Operation::kAdd:
        result = add(x, y);
        break;
      case Operation::kSub:
        result = sub(x, y);
        break;
      case Operation::kMul:
        result = mul(x, y);
        break;
      case Operation::kDiv:
        result = div(x, y);
        break;
      case Operation::kFma:
        result = fma(x, y, z);
        break;
      case Operation::kMax:
        result = max(x, y);
        break;
      case Operation::kMin:
        result = min(x, y);
        break;
      case Operation::kRound:
        result = round_nearest(x);
        break;
      case Operation::kSelectLess:
        result = select_less(x, y, z, x);
        break;
      case Operation::kExp:
        result = exp(x);
        break;
      case Operation::kSigmoid:
        result = sigmoid(x);
        break;
      case Operation::kSilu:
        result = silu(x);
        break;
    }
    store(out + i, result);
  }
}

void convert(Format format, const void* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    V result = zero();
    switch (format) {
      case Format::kBf16:
        result = load_bf16(static_cast<const uint16_t*>(in) + i);
        break;
      case Format::kF16:
        result = load_f16(static_cast<const uint16_t*>(in) + i);
        break;
      case Format::kI8:
        result = load_i8(static_cast<const int8_t*>(in) + i);
        break;
    }
    store(out + i, result);
  }
}

void bits_of(const uint8_t* in, int shift, int mask, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store(out + i, load_bits(in + i, shift, mask));
}

float sum_lanes(const float* a) { return reduce_add(load(a)); }

void sum_four(const float* a, float* out) {
  const V v[4] = {load(a), load(a + kLanes), load(a + 2 * kLanes), load(a + 3 * kLanes)};
  reduce_add4(v, out);
}

float dot_of(const float* a, const float* b, int64_t count) { return dot(a, b, count); }
